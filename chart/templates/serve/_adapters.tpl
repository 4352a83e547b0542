{{- /* LoRA adapters, as clients ask for them. */ -}}

{{- /* Takes the root. Gives a line for each model that has adapters: their names, or the bucket whose folders they are. */ -}}
{{- define "ray-serve-llm.adapterLines" -}}
{{- range include "ray-serve-llm.llmConfigs" . | fromJsonArray }}
{{- if ne .key "prefill_config" }}
{{- $names := list }}
{{- range (.config.engine_kwargs | default dict).lora_modules }}
{{- $names = append $names .name }}
{{- end }}
{{- with $names }}
  {{ slice . 0 (min 10 (len .)) | join ", " }}{{ if gt (len .) 10 }} and {{ sub (len .) 10 }} more{{ end }}
{{- end }}
{{- $id := .id }}
{{- with (.config.lora_config | default dict).dynamic_lora_loading_path }}
  {{ $id }}:<adapter>, for every folder <adapter> of {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
