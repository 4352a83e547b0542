{{- /*
Takes the root. Gives, as JSON, the repositories of the hub that engines would download, each once: `name` or
`name@revision`, in order. Paths, buckets (Ray downloads those itself), GGUF's `name:file` and names without an
owner are none; nor is what code of one's own uses.
*/ -}}
{{- define "ray-serve-llm.hubModels" -}}
{{- $found := dict -}}
{{- range include "ray-serve-llm.llmConfigs" . | fromJsonArray -}}
{{- $engine := .config.engine_kwargs | default dict -}}
{{- $source := dig "model_loading_config" "model_source" .id .config -}}
{{- $draft := $engine.speculative_config | default dict -}}
{{- $adapters := list -}}
{{- range $engine.lora_modules -}}
{{- $adapters = append $adapters (list .path "") -}}
{{- end -}}
{{- range $reference := concat $adapters (list
  (list $source ($engine.revision | default ""))
  (list ($engine.tokenizer | default "") ($engine.tokenizer_revision | default ""))
  (list ($draft.model | default "") ($draft.revision | default ""))) -}}
{{- $name := first $reference -}}
{{- if and (kindIs "string" $name) (regexMatch "^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+$" $name) -}}
{{- $_ := set $found (list $name (last $reference) | compact | join "@") true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- keys $found | sortAlpha | toJson -}}
{{- end -}}
