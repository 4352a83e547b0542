{{- /* Checks of what keeps a release up: budgets that nothing could meet, and a Redis that nothing would ask. */ -}}

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

{{- /* What of Redis is said without its address, and the variables of the head that KubeRay refuses beside it. */ -}}
{{- define "ray-serve-llm.checkRedis" -}}
{{- $redis := .root.Values.gcsFaultTolerance.redis -}}
{{- range $key := list "username" "existingSecret" }}
{{- if and (get $redis $key) (not $redis.address) }}
gcsFaultTolerance.redis.{{ $key }}: nothing asks Redis without an address. Say it in gcsFaultTolerance.redis.address, or remove this.
{{- end }}
{{- end }}
{{- if and $redis.username (not $redis.existingSecret) }}
gcsFaultTolerance.redis.username: a user of Redis has a password. Name its Secret in gcsFaultTolerance.redis.existingSecret, or remove this.
{{- end }}
{{- $env := .pods.head.settings.env | default dict }}
{{- if hasKey $env "REDIS_USERNAME" }}
head.env.REDIS_USERNAME: KubeRay refuses it on the head (here or in pods.env), and nothing would start. Say it in gcsFaultTolerance.redis.username; a variable of your own code is for workers, or has another name.
{{- end }}
{{- if and (hasKey $env "REDIS_PASSWORD") $redis.address }}
head.env.REDIS_PASSWORD: KubeRay refuses it on the head (here or in pods.env) beside gcsFaultTolerance, and nothing would start. Name its Secret in gcsFaultTolerance.redis.existingSecret; a variable of your own code is for workers, or has another name.
{{- end }}
{{- end -}}
