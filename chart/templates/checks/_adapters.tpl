{{- /* Checks of LoRA adapters: what would start, and answer with an error whenever one is asked for. */ -}}

{{- /* Each LLMConfig: the path that serves what it loads, and names that clients can ask for. */ -}}
{{- define "ray-serve-llm.checkAdapters" -}}
{{- $standard := ne .root.Values.serving.path "throughput" -}}
{{- /* What the ingress, which lists buckets, has of its own or as every pod. */ -}}
{{- $ingress := merge dict
  (dig "ray_actor_options" "runtime_env" "env_vars" dict .root.Values.serving.ingress)
  (.root.Values.ingressWorkers.env | default dict)
  (.root.Values.pods.env | default dict) -}}
{{- range .llmConfigs }}
{{- $of := .of }}
{{- $engine := .config.engine_kwargs | default dict }}
{{- $bucket := (.config.lora_config | default dict).dynamic_lora_loading_path }}
{{- if and $engine.lora_modules $standard }}
{{ $of }}.engine_kwargs.lora_modules: on the standard path no client reaches them, since its ingress looks adapters up in a bucket. Set serving.path to throughput, or say lora_config.dynamic_lora_loading_path.
{{- end }}
{{- include "ray-serve-llm.checkAdapterNames" (dict "of" $of "served" .id "modules" $engine.lora_modules "bucket" $bucket) }}
{{- if and $bucket $standard }}
{{- range $name, $_ := (.config.runtime_env | default dict).env_vars }}
{{- if and (regexMatch (printf "^(%s)" (join "|" $.release.bucketVariables)) $name) (not (hasKey $ingress $name)) }}
{{ $of }}.runtime_env.env_vars.{{ $name }}: the ingress lists the bucket of lora_config too, and does not have it, so /v1/models would fail. Say it in pods.env.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Each LLMConfig: a router of Ray's that the path leaves blind. */ -}}
{{- define "ray-serve-llm.checkRouters" -}}
{{- $path := .root.Values.serving.path -}}
{{- range .llmConfigs }}
{{- $of := .of }}
{{- $class := dig "deployment_config" "request_router_config" "request_router_class" "" .config | toString | replace ":" "." }}
{{- range $router, $its := $.release.pathOfRouters }}
{{- if and $class (ne $its $path) (eq $class (get $.release.requestRouters $router | replace ":" ".")) }}
{{ $of }}.deployment_config.request_router_config.request_router_class: {{ if eq $path "standard" }}on the standard path nothing tells it of the engines' caches, so it would choose any replica{{ else }}on the throughput path HAProxy sends the requests and nothing tells it of them, so it would choose {{ ternary "the same replica for all" "any replica" (eq $router "prefixAffinity") }}{{ end }}. Set serving.path to {{ $its }}, or choose another router.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (an LLMConfig, as a path of the values), served (the model's name for clients), modules (its lora_modules, or nothing) and bucket (or nothing). */ -}}
{{- define "ray-serve-llm.checkAdapterNames" -}}
{{- $seen := dict .served true -}}
{{- range .modules }}
{{- if hasKey $seen .name }}
{{ $.of }}.engine_kwargs.lora_modules: "{{ .name }}" is the name of {{ ternary "the model itself" "another adapter" (eq .name $.served) }}, so no request would reach it. Choose another.
{{- end }}
{{- if and $.bucket (hasPrefix (printf "%s:" $.served) .name) }}
{{ $.of }}.engine_kwargs.lora_modules: "{{ .name }}" would be looked up in {{ $.bucket }}, as every name with {{ $.served }}: before it. Give it a name without, or put it there.
{{- end }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- end -}}
