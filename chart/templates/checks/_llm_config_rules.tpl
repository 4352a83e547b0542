{{- /* Checks of what of one LLMConfig Ray or vLLM refuse together: files/llm-config-rules.yaml. */ -}}

{{- /* Every LLMConfig of the release. */ -}}
{{- define "ray-serve-llm.checkLlmConfigRules" -}}
{{- $facts := get (.root.Files.Get "files/llm-config-rules.yaml" | fromYaml) .root.Values.ray.version -}}
{{- range .llmConfigs }}
{{- include "ray-serve-llm.checkLlmConfigRulesOf" (dict "of" .of "config" .config "facts" $facts) }}
{{- end }}
{{- end -}}

{{- /* Takes of (an LLMConfig, as a path of the values), config (it) and facts (of the release: defaults and rules). */ -}}
{{- define "ray-serve-llm.checkLlmConfigRulesOf" -}}
{{- $hardware := include "ray-serve-llm.hardware" .config -}}
{{- range $rule := .facts.rules }}
{{- $broken := true }}
{{- range $path, $wanted := .where }}
{{- if $broken }}
{{- $value := $hardware }}
{{- if ne $path "hardware" }}
{{- $value = $.config }}
{{- range splitList "." $path }}
{{- if kindIs "map" $value }}
{{- $value = get $value . }}
{{- else }}
{{- $value = "" }}
{{- end }}
{{- end }}
{{- if and (has (kindOf $value) (list "invalid" "string")) (not $value) (hasKey $.facts.defaults $path) }}
{{- $value = get $.facts.defaults $path }}
{{- end }}
{{- end }}
{{- if eq "unset" (toString $wanted) }}
{{- $broken = not $value }}
{{- else if eq "set" (toString $wanted) }}
{{- $broken = not (not $value) }}
{{- else if eq "given" (toString $wanted) }}
{{- $broken = or (kindIs "map" $value) (not (not $value)) }}
{{- else if hasKey $wanted "is" }}
{{- $broken = has $value $wanted.is }}
{{- else if hasKey $wanted "begins" }}
{{- $broken = hasPrefix $wanted.begins (toString $value) }}
{{- else }}
{{- $broken = and $value (not (hasPrefix $wanted.begins_not (toString $value))) }}
{{- end }}
{{- end }}
{{- end }}
{{- if $broken }}
{{ $.of }}.{{ $rule.at }}: {{ $rule.why }}. {{ $rule.instead }}.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes an LLMConfig. Gives cpu, gpu or tpu, as Ray infers it (ray/llm/_internal/serve/core/configs/accelerators.py). */ -}}
{{- define "ray-serve-llm.hardware" -}}
{{- $kind := (.accelerator_config | default dict).kind -}}
{{- with .placement_group_config -}}
{{- $kind = $kind | default (include "ray-serve-llm.hardwareOfBundles" (append (.bundles | default list) .bundle_per_worker)) -}}
{{- end -}}
{{- $kind | default (ternary "tpu" "gpu" (hasPrefix "TPU-" (toString .accelerator_type))) -}}
{{- end -}}

{{- /* Takes a list of bundles, with nulls. */ -}}
{{- define "ray-serve-llm.hardwareOfBundles" -}}
{{- $kind := "cpu" -}}
{{- range compact . -}}
{{- if .TPU -}}
{{- $kind = "tpu" -}}
{{- else if and .GPU (ne $kind "tpu") -}}
{{- $kind = "gpu" -}}
{{- end -}}
{{- end -}}
{{- $kind -}}
{{- end -}}
