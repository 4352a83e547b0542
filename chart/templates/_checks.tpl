{{- /* Takes the root. Gives nothing, or fails. */ -}}
{{- define "ray-serve-llm.check" -}}
{{- end -}}
