{{- /* The OpenAI ingress: whether it runs on workers of its own, and its options. */ -}}

{{- /*
Takes the root. Gives `true` when OpenAI ingresses run on workers of their own: on the standard path, for models. They
are always there, so the head need not be in the Service. Apps are their own ingress, and may be at zero replicas: alone
they leave the head's proxy to take the request that wakes them.
*/ -}}
{{- define "ray-serve-llm.ingress" -}}
{{- if and (eq .Values.serving.path "standard") .Values.models -}}
true
{{- end -}}
{{- end -}}

{{- /* Gives the name of the ingress workers' group, which is also the Ray resource that the ingress asks for. */ -}}
{{- define "ray-serve-llm.ingressGroup" -}}
ingress-workers
{{- end -}}

{{- /*
Takes the root. Gives the options of an OpenAI ingress as YAML: small, on the ingress workers, and never at zero, since
with the head out of the Service only a running ingress can take the request that wakes a model.
*/ -}}
{{- define "ray-serve-llm.ingressOptions" -}}
{{- $release := include "ray-serve-llm.rayRelease" . | fromYaml -}}
{{- $options := dict
  "ray_actor_options" (dict "num_cpus" 0.25 "resources" (dict (include "ray-serve-llm.ingressGroup" .) 0.01))
  "graceful_shutdown_timeout_s" (include "ray-serve-llm.drainSeconds" . | float64) -}}
{{- if not (hasKey .Values.serving.ingress "num_replicas") -}}
{{- $_ := set $options "autoscaling_config" (dict "min_replicas" 1 "max_replicas" 4 "target_ongoing_requests" 100) -}}
{{- end -}}
{{- if $release.maxSurgePercent -}}
{{- $_ := set $options "max_surge_percent" 100 -}}
{{- end -}}
{{- mergeOverwrite $options .Values.serving.ingress | toYaml -}}
{{- end -}}
