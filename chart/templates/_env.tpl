{{- /* The `env` of pods. */ -}}

{{- /*
Takes context (as in _pods.tpl) and role (head, ingress or worker). Gives, as JSON, the environment that the chart sets.
*/ -}}
{{- define "ray-serve-llm.env" -}}
{{- $values := .context.root.Values -}}
{{- $env := dict -}}
{{- if eq $values.serving.path "throughput" -}}
{{- range list "RAY_SERVE_ENABLE_HA_PROXY" "RAY_SERVE_THROUGHPUT_OPTIMIZED" "RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING" -}}
{{- $_ := set $env . "1" -}}
{{- end -}}
{{- if .context.routedByBody -}}
{{- $_ := set $env "RAY_SERVE_INGRESS_REQUEST_ROUTER_FORWARD_BODY" "1" -}}
{{- end -}}
{{- end -}}
{{- if include "ray-serve-llm.haproxy" .context.root -}}
{{- /* With every replica that comes or goes a new HAProxy takes over, and the old one has until then to end its streams. */ -}}
{{- $drain := include "ray-serve-llm.drainSeconds" .context.root | float64 | ceil | int -}}
{{- $_ := set $env "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S" (max 120 $drain | toString) -}}
{{- end -}}
{{- if and .context.release.tokenAuth (not .context.tokenAuth) -}}
{{- $_ := set $env "RAY_AUTH_MODE" "disabled" -}}
{{- end -}}
{{- if .context.schedules -}}
{{- /* Ray imports the policy wherever it reads or builds an application, and so does its dashboard. */ -}}
{{- $_ := set $env "PYTHONPATH" (include "ray-serve-llm.schedulesPath" .context.root) -}}
{{- end -}}
{{- if eq .role "worker" -}}
{{- with include "ray-serve-llm.apiKeyEnv" .context.root | fromJson -}}
{{- $env = include "ray-serve-llm.overlay" (list $env .) | fromJson -}}
{{- end -}}
{{- $env = include "ray-serve-llm.overlay" (list $env (include "ray-serve-llm.hubEnv" .context.root | fromJson)) | fromJson -}}
{{- end -}}
{{- toJson $env -}}
{{- end -}}

{{- /* Takes the root. Gives `true` when HAProxy takes the requests: on the throughput path, and where `pods.env` says so. */ -}}
{{- define "ray-serve-llm.haproxy" -}}
{{- $switch := get (.Values.pods.env | default dict) "RAY_SERVE_ENABLE_HA_PROXY" | toString -}}
{{- if or (eq .Values.serving.path "throughput") (eq $switch "1") -}}
true
{{- end -}}
{{- end -}}

{{- /* Takes the root. Gives, as JSON, the environment of a pod that downloads models: where they go, and the token. */ -}}
{{- define "ray-serve-llm.hubEnv" -}}
{{- $env := dict "HF_HOME" .Values.modelCache.mountPath -}}
{{- if .Values.huggingFace.existingSecret -}}
{{- $reference := dict "name" .Values.huggingFace.existingSecret "key" .Values.huggingFace.key -}}
{{- $_ := set $env "HF_TOKEN" (dict "valueFrom" (dict "secretKeyRef" $reference)) -}}
{{- end -}}
{{- toJson $env -}}
{{- end -}}

{{- /* Takes the root. Gives, as JSON, the variable with the key that vLLM's server asks for; {} without one. */ -}}
{{- define "ray-serve-llm.apiKeyEnv" -}}
{{- $env := dict -}}
{{- with .Values.auth.apiKey -}}
{{- if .existingSecret -}}
{{- $_ := set $env "VLLM_API_KEY" (dict "valueFrom" (dict "secretKeyRef" (dict "name" .existingSecret "key" .key))) -}}
{{- end -}}
{{- end -}}
{{- toJson $env -}}
{{- end -}}

{{- /* Takes a map of variables, each a value or a reference. Gives the `env` of a container. */ -}}
{{- define "ray-serve-llm.envList" -}}
{{- range $name, $value := . }}
- name: {{ $name | quote }}
  {{- if kindIs "map" $value }}
  {{- toYaml $value | nindent 2 }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end -}}
