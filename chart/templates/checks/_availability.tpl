{{- /* Checks of what keeps a release up: budgets that contradict themselves, or that nothing could meet. */ -}}

{{- /* Every kind of pod's budget. */ -}}
{{- define "ray-serve-llm.checkBudgets" -}}
{{- if (.root.Values.pods.podDisruptionBudget | default dict).minAvailable }}
pods.podDisruptionBudget.minAvailable: it would be that of every group, and of the one head. Say it in the group, and here only whether there are budgets (enabled).
{{- else }}
{{- range $where, $pods := .pods }}
{{- $budget := $pods.settings.podDisruptionBudget | default dict }}
{{- $most := ternary 1 (int $pods.settings.maxReplicas) (eq $where "head") }}
{{- if and $budget.minAvailable (eq (toString $budget.enabled) "false") }}
{{ $where }}.podDisruptionBudget.minAvailable: there is no budget where enabled is false (here or in pods.podDisruptionBudget). Set enabled to true beside it, or remove it.
{{- else if gt (int $budget.minAvailable) $most }}
{{ $where }}.podDisruptionBudget.minAvailable: {{ $budget.minAvailable }} pods can never be there, since there {{ ternary "is 1" (printf "are %d" $most) (eq $most 1) }} at the most, and no node could be drained. Lower it{{ if ne $where "head" }}, or raise {{ $where }}.maxReplicas{{ end }}.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
