{{- /* Checks of what vLLM's own front end would read, where Ray's answers: nothing there is done. */ -}}

{{- /* Engine arguments and variables of a front end that does not answer on this path: `frontendArguments` of the release. */ -}}
{{- define "ray-serve-llm.checkFrontend" -}}
{{- $names := .release.frontendArguments -}}
{{- $standard := eq .root.Values.serving.path "standard" -}}
{{- range .llmConfigs }}
{{- $of := .of }}
{{- range $name, $value := .config.engine_kwargs | default dict }}
{{- if not $value }}
{{- else if has $name $names.server }}
{{ $of }}.engine_kwargs.{{ $name }}: it is for the server of `vllm serve`, which Ray does not start, so it would do nothing. Remove it; Serve's own are in serving.config.
{{- else if and $standard (has $name $names.app) }}
{{ $of }}.engine_kwargs.{{ $name }}: on the standard path Ray's ingress answers and never reads it, so it would do nothing. Remove it{{ if $.release.throughputPath }}, or set serving.path to throughput{{ end }}.
{{- end }}
{{- end }}
{{- end }}
{{- if $standard }}
{{- $refused := .root.Files.Get "files/refused-variables.yaml" | fromYaml }}
{{- range $where, $variables := include "ray-serve-llm.variables" .root | fromJson }}
{{- range $name, $_ := $variables }}
{{- if and (has $name $names.variables) (not (hasKey $refused $name)) (not (hasPrefix "apps." $where)) }}
{{ $where }}.{{ $name }}: on the standard path Ray's ingress answers and never reads it, so it would do nothing. Remove it{{ if $.release.throughputPath }}, or set serving.path to throughput{{ end }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
