{{- /* The Redis in which the head keeps what it knows of the cluster. */ -}}

{{- /* Takes the root. Gives `gcsFaultToleranceOptions`; nothing where there is no Redis. */ -}}
{{- define "ray-serve-llm.gcsFaultTolerance" -}}
{{- with .Values.gcsFaultTolerance.redis -}}
{{- if .address -}}
redisAddress: {{ .address | quote }}
{{- with .username }}
redisUsername:
  value: {{ . | quote }}
{{- end }}
{{- if .existingSecret }}
redisPassword:
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .key | quote }}}
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
Takes the root. Gives an egress rule to Redis, for a NetworkPolicy: to the namespace of a Service's name, else to any host, since
policies know no names of hosts.
*/ -}}
{{- define "ray-serve-llm.redisEgress" -}}
{{- $address := regexReplaceAll "^rediss?://" .Values.gcsFaultTolerance.redis.address "" -}}
{{- $host := splitList ":" $address | first -}}
{{- $labels := splitList "." $host -}}
{{- $namespace := ternary .Release.Namespace "" (eq (len $labels) 1) -}}
{{- if and (ge (len $labels) 3) (eq "svc" (index (append (append $labels "") "") 2)) -}}
{{- $namespace = index $labels 1 -}}
{{- end -}}
ports:
  - port: {{ splitList ":" $address | last }}
{{- if regexMatch "^[0-9.]+$" $host }}
to:
  - ipBlock: {cidr: {{ printf "%s/32" $host | quote }}}
{{- else if $namespace }}
to:
  - namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: {{ $namespace | quote }}
{{- end }}
{{- end -}}
