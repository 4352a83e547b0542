{{- /* The applications of models: each model's LLMConfigs, and what Ray's builders make of them. */ -}}

{{- /*
Takes id (the name that clients ask for), config (an LLMConfig) and drain (seconds). Gives the LLMConfig as YAML: the
values' own without what Serve is told beside it, that name, and the time to drain.
*/ -}}
{{- define "ray-serve-llm.llmConfig" -}}
{{- $stated := include "ray-serve-llm.withoutScaling" .config | fromJson -}}
{{- $loading := set ($stated.model_loading_config | default dict) "model_id" .id -}}
{{- $drain := dict "graceful_shutdown_timeout_s" .drain -}}
{{- $deployment := include "ray-serve-llm.overlay" (list $drain $stated.deployment_config) | fromJson -}}
{{- set (set $stated "model_loading_config" $loading) "deployment_config" $deployment | toYaml -}}
{{- end -}}

{{- /* Takes root and one of a model's `ray-serve-llm.llmConfigs`. Gives what a builder is handed: the path of its file, or itself. */ -}}
{{- define "ray-serve-llm.llmConfigArgument" -}}
{{- if eq .root.Values.serving.delivery "configMap" -}}
{{- printf "%s/%s/%s" .root.Values.serving.modelsPath .llmConfig.family .llmConfig.file | quote -}}
{{- else -}}
{{- $drain := include "ray-serve-llm.drainSeconds" .root | float64 -}}
{{- include "ray-serve-llm.llmConfig" (dict "id" .llmConfig.id "config" .llmConfig.config "drain" $drain) -}}
{{- end -}}
{{- end -}}

{{- /*
Takes the root. Gives what must be read of a request's body to choose its replica, in words: the adapter, or the prompt,
for every class of router but those of Ray that look at the replicas or the session alone. Nothing where nothing must be.
*/ -}}
{{- define "ray-serve-llm.routedByBody" -}}
{{- $found := "" -}}
{{- range include "ray-serve-llm.llmConfigs" . | fromJsonArray -}}
{{- $whose := ternary (printf "model %s" .model) .who (hasKey . "model") -}}
{{- $class := dig "deployment_config" "request_router_config" "request_router_class" "" .config | toString -}}
{{- if .config.lora_config -}}
{{- $found = printf "%s has LoRA adapters" $whose -}}
{{- else if and $class (not (regexMatch "^ray[.]serve[.].*[.:](PowerOfTwoChoicesRequestRouter|RoundRobinRouter|CapacityQueueRouter|ConsistentHashRouter)$" $class)) -}}
{{- $found = printf "%s has %s for a router" $whose $class -}}
{{- end -}}
{{- end -}}
{{- $found -}}
{{- end -}}

{{- /*
Takes root, name, routePrefix, llmConfigs (those of the application), and, on the standard path, ingress (its options, as
YAML) and release. Gives one application. A release whose builder takes no ingress options has them set on the
deployment that the builder makes.
*/ -}}
{{- define "ray-serve-llm.application" -}}
{{- $root := .root -}}
{{- $builder := (first .llmConfigs).builder -}}
{{- $ways := include "ray-serve-llm.scalingWays" (dict "root" .root "llmConfigs" .llmConfigs) | fromJson -}}
{{- $deployments := list -}}
{{- range .llmConfigs -}}
{{- $deployments = include "ray-serve-llm.scaledDeployments" (dict "root" $root "release" $.release "llmConfig" .) | fromJsonArray | concat $deployments -}}
{{- end -}}
{{- if and .ingress (not .release.ingressDeployment.options) -}}
{{- $deployments = append $deployments (set (fromYaml .ingress) "name" .release.ingressDeployment.name) -}}
{{- end -}}
- name: {{ .name | quote }}
  import_path: ray.serve.llm:{{ $builder }}
  route_prefix: {{ .routePrefix | quote }}
  {{- if $ways.external }}
  external_scaler_enabled: true
  {{- end }}
  args:
    {{- if eq $builder "build_openai_app" }}
    llm_configs:
      {{- range .llmConfigs }}
      - {{ include "ray-serve-llm.llmConfigArgument" (dict "root" $root "llmConfig" .) | nindent 8 | trim }}
      {{- end }}
    {{- else }}
    {{- range .llmConfigs }}
    {{ .key }}:
      {{- include "ray-serve-llm.llmConfigArgument" (dict "root" $root "llmConfig" .) | nindent 6 }}
    {{- end }}
    {{- end }}
    {{- if and .ingress .release.ingressDeployment.options }}
    ingress_deployment_config:
      {{- .ingress | nindent 6 }}
    {{- end }}
  {{- with $deployments }}
  deployments:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- /* Takes the root. Gives the list of the models' applications: one for each model, or one for all; nothing without models. */ -}}
{{- define "ray-serve-llm.modelApplications" -}}
{{- $root := . -}}
{{- $release := include "ray-serve-llm.rayRelease" . | fromYaml -}}
{{- $ingress := "" -}}
{{- if include "ray-serve-llm.ingress" . -}}
{{- $ingress = include "ray-serve-llm.ingressOptions" . -}}
{{- end -}}
{{- $ofModels := dict -}}
{{- range include "ray-serve-llm.llmConfigs" . | fromJsonArray -}}
{{- if .model -}}
{{- $_ := set $ofModels .application (append (get $ofModels .application | default list) .) -}}
{{- end -}}
{{- end -}}
{{- range $name, $llmConfigs := $ofModels }}
{{ include "ray-serve-llm.application" (dict
  "root" $root
  "name" $name
  "routePrefix" (include "ray-serve-llm.modelRoute" (dict "root" $root "id" $name) | default "/")
  "llmConfigs" $llmConfigs
  "ingress" $ingress
  "release" $release) }}
{{- end }}
{{- end -}}
