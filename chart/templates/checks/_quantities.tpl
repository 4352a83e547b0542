{{- /* Checks of what pods ask Kubernetes for: it refuses a pod whose request is more than its limit. */ -}}

{{- /* Takes a quantity of Kubernetes', a number or text. Gives it as a plain number. */ -}}
{{- define "ray-serve-llm.quantity" -}}
{{- $units := dict "m" 0.001
  "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15
  "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $text := kindIs "string" . | ternary . (printf "%v" .) -}}
{{- $unit := kindIs "string" . | ternary (regexFind "[A-Za-z]+$" $text) "" -}}
{{- mulf (trimSuffix $unit $text | float64) (get $units $unit | default 1) -}}
{{- end -}}

{{- /* Requests and limits of every kind of pod, and of the autoscaler beside the head. */ -}}
{{- define "ray-serve-llm.checkQuantities" -}}
{{- $containers := dict "autoscalerOptions" (.root.Values.autoscalerOptions.resources | default dict) -}}
{{- range $where, $pod := .pods -}}
{{- $_ := set $containers $where $pod.settings.resources -}}
{{- end -}}
{{- range $where, $resources := $containers }}
{{- $limits := $resources.limits | default dict }}
{{- range $resource, $request := $resources.requests }}
{{- $limit := get $limits $resource }}
{{- $asked := include "ray-serve-llm.quantity" $request | float64 }}
{{- if contains "/" $resource }}
{{- /* Devices are not shared out again: as many are asked for as there may be. */}}
{{- if ne $asked (include "ray-serve-llm.quantity" ($limit | default 0) | float64) }}
{{ $where }}.resources.requests: it asks for {{ $request }} {{ $resource }}, and limits say {{ $limit | default "nothing of it" }}. Kubernetes wants the same in both: say it in limits alone.
{{- end }}
{{- else if and $limit (gt $asked (include "ray-serve-llm.quantity" $limit | float64)) }}
{{ $where }}.resources.requests.{{ $resource }}: {{ $request }} is more than the limit, {{ $limit }}. Raise the limit, or lower the request.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
