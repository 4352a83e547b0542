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

{{- /*
Memory limits in which nothing starts: files/least-memory.yaml. A limit of 0 is none. Who says how large Ray's object store
is has it so.
*/ -}}
{{- define "ray-serve-llm.checkLeastMemory" -}}
{{- $least := .root.Files.Get "files/least-memory.yaml" | fromYaml -}}
{{- $containers := dict "autoscalerOptions" (dict "row" $least.autoscaler "resources" .root.Values.autoscalerOptions.resources) -}}
{{- range $where, $pod := .pods -}}
{{- if or (eq $pod.role "ingress") (not (hasKey ($pod.settings.rayStartParams | default dict) "object-store-memory")) -}}
{{- $_ := set $containers $where (dict "row" (get $least $pod.role) "resources" $pod.settings.resources) -}}
{{- end -}}
{{- end -}}
{{- range $where, $container := $containers }}
{{- with (($container.resources | default dict).limits | default dict).memory }}
{{- $bytes := include "ray-serve-llm.quantity" . | float64 }}
{{- if and (gt $bytes 0.0) (lt $bytes (float64 $container.row.bytes)) }}
{{ $where }}.resources.limits.memory: nothing starts in {{ . }}: {{ $container.row.why }}. Set it to {{ $container.row.written }} or more, or remove it for the chart's own.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
