{{- /* Maps laid over each other. */ -}}

{{- /*
Takes a list of maps, the widest first. Gives, as JSON, one map with the entries of all; the last one wins.
*/ -}}
{{- define "ray-serve-llm.overlay" -}}
{{- $all := dict -}}
{{- range . -}}
{{- range $key, $value := . | default dict -}}
{{- $_ := set $all $key $value -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- /* Takes the same. Gives the same as YAML, to print. */ -}}
{{- define "ray-serve-llm.overlayYaml" -}}
{{- include "ray-serve-llm.overlay" . | fromJson | toYaml -}}
{{- end -}}

{{- /* Takes the same, of annotations. Gives `annotations` of an object's metadata; nothing where there are none. */ -}}
{{- define "ray-serve-llm.annotations" -}}
{{- with include "ray-serve-llm.overlay" . | fromJson -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}
