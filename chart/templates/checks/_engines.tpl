{{- /* Checks of engines: models run on vLLM. */ -}}

{{- /* Classes and images of others: `files/other-engines.yaml`. An app of one's own runs what it likes. */ -}}
{{- define "ray-serve-llm.checkEngines" -}}
{{- if .llmConfigs }}
{{- range $name, $engine := .root.Files.Get "files/other-engines.yaml" | fromYaml }}
{{- range $.llmConfigs }}
{{- if regexMatch (printf "(?i)%s" $engine.named) (.config.server_cls | default "" | toString) }}
{{ .of }}.server_cls: models run on vLLM, and {{ $name }} is not served. Remove it.
{{- end }}
{{- end }}
{{- $told := dict }}
{{- range $where, $pod := $.pods }}
{{- $repository := $pod.settings.image.repository | default "" }}
{{- if and (regexMatch (printf "(?i)%s" $engine.image) $repository) (not (hasKey $told $repository)) }}
{{- $_ := set $told $repository true }}
{{ include "ray-serve-llm.imagePlace" (dict "root" $.root "where" $where "key" "repository" "value" $repository) }}: models run on vLLM, and {{ $repository }} has {{ $name }}. Remove it for Ray's own image, or name one with Ray {{ $.root.Values.ray.version }} and vLLM.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
