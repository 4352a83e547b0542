{{- /* Checks of numbers that must not be more than another, and of switches that need another: files/orders.yaml. */ -}}

{{- /* Every autoscaling_config and every engine_kwargs: Ray or vLLM would refuse what is not in order, on every start. */ -}}
{{- define "ray-serve-llm.checkOrders" -}}
{{- $rules := .root.Files.Get "files/orders.yaml" | fromYaml -}}
{{- $values := .root.Values -}}
{{- range .llmConfigs }}
{{- $of := .of }}
{{- with .config.engine_kwargs }}
{{- include "ray-serve-llm.checkOrdersOf" (dict "of" (printf "%s.engine_kwargs" $of) "given" . "rules" $rules.engine_kwargs) }}
{{- end }}
{{- with .config.deployment_config }}
{{- include "ray-serve-llm.checkScaling" (dict "of" (printf "%s.deployment_config" $of) "options" . "rules" $rules) }}
{{- end }}
{{- end }}
{{- range $name, $app := $values.apps }}
{{- range $app.application.deployments }}
{{- include "ray-serve-llm.checkScaling" (dict "of" (printf "apps.%s.application.deployments (%s)" $name .name) "options" . "rules" $rules) }}
{{- end }}
{{- end }}
{{- if include "ray-serve-llm.ingress" .root }}
{{- include "ray-serve-llm.checkScaling" (dict "of" "serving.ingress" "options" (include "ray-serve-llm.ingressOptions" .root | fromYaml) "rules" $rules) }}
{{- end }}
{{- end -}}

{{- /*
Takes of (a deployment, as a path of the values), options (its own) and rules. What an autoscaling_config leaves out is
Ray's: 1 replica at least and at most, and up to 100 where num_replicas is `auto` (ray/serve/config.py, AutoscalingConfig).
*/ -}}
{{- define "ray-serve-llm.checkScaling" -}}
{{- with .options.autoscaling_config }}
{{- $defaults := dict "min_replicas" 1 "max_replicas" (ternary 100 1 (eq "auto" (toString $.options.num_replicas))) }}
{{- include "ray-serve-llm.checkOrdersOf" (dict
  "of" (printf "%s.autoscaling_config" $.of)
  "given" (include "ray-serve-llm.overlay" (list $defaults .) | fromJson)
  "rules" $.rules.autoscaling_config) }}
{{- end }}
{{- end -}}

{{- /* Takes of (a mapping, as a path of the values), given (the mapping) and rules (of its kind). */ -}}
{{- define "ray-serve-llm.checkOrdersOf" -}}
{{- $given := .given -}}
{{- $numbers := list "float64" "int64" "int" -}}
{{- range .rules.orders }}
{{- $small := get $given .small }}
{{- $large := get $given .large }}
{{- if and (has (kindOf $small) $numbers) (has (kindOf $large) $numbers) (or (not .where) (get $given .where)) }}
{{- if gt (float64 $small) (float64 $large) }}
{{ $.of }}.{{ .small }}: {{ int64 $small }} is more than {{ .large }}, {{ int64 $large }}. Raise {{ .large }}, or lower {{ .small }}.
{{- end }}
{{- end }}
{{- end }}
{{- range .rules.needs }}
{{- if and (get $given .key) (not (get $given .other)) }}
{{ $.of }}.{{ .key }}: the engine takes it only with {{ .other }}. Set {{ .other }} to true, or remove {{ .key }}.
{{- end }}
{{- end }}
{{- end -}}
