{{- /* The applications of models: each model's LLMConfig, and what Ray's builder makes of them. */ -}}

{{- /* Takes id and config (its LLMConfig). Gives the name that clients ask for: Ray's `model_id`, which is the key where none is given. */ -}}
{{- define "ray-serve-llm.servedName" -}}
{{- dig "model_loading_config" "model_id" "" .config | default .id -}}
{{- end -}}

{{- /*
Takes release (the facts of the Ray release) and name (that clients ask for). Gives the name of the deployment that Ray
makes of it.
*/ -}}
{{- define "ray-serve-llm.modelDeployment" -}}
{{- $name := .name -}}
{{- range $from, $to := .release.modelDeployment.replace -}}
{{- $name = replace $from $to $name -}}
{{- end -}}
{{- print .release.modelDeployment.prefix $name -}}
{{- end -}}

{{- /*
Takes id, model and drain (seconds). Gives the model's LLMConfig as YAML: the values' own, the name that clients ask for,
and the time to drain.
*/ -}}
{{- define "ray-serve-llm.llmConfig" -}}
{{- $name := include "ray-serve-llm.servedName" (dict "id" .id "config" .model.llmConfig) -}}
{{- $loading := set (omit (.model.llmConfig.model_loading_config | default dict) "model_id") "model_id" $name -}}
{{- $deployment := .model.llmConfig.deployment_config | default dict -}}
{{- $drain := "graceful_shutdown_timeout_s" -}}
{{- if not (hasKey $deployment $drain) -}}
{{- $deployment = set (omit $deployment $drain) $drain .drain -}}
{{- end -}}
{{- $config := omit .model.llmConfig "model_loading_config" "deployment_config" -}}
{{- set (set $config "model_loading_config" $loading) "deployment_config" $deployment | toYaml -}}
{{- end -}}

{{- /* Takes root, id and model. Gives one entry of `llm_configs`: the path of the model's file, or the model itself. */ -}}
{{- define "ray-serve-llm.llmConfigEntry" -}}
{{- if eq .root.Values.serving.delivery "configMap" -}}
- {{ printf "%s/%s/%s.yaml" .root.Values.serving.modelsPath .model.family .id | quote }}
{{- else -}}
{{- $drain := include "ray-serve-llm.drainSeconds" .root | float64 -}}
- {{ include "ray-serve-llm.llmConfig" (dict "id" .id "model" .model "drain" $drain) | nindent 2 | trim }}
{{- end -}}
{{- end -}}

{{- /*
Takes the root. Gives what must be read of a request's body to choose its replica, in words: the adapter, or the prompt,
for every class of router but those of Ray that look at the replicas or the session alone. Nothing where nothing must be.
*/ -}}
{{- define "ray-serve-llm.routedByBody" -}}
{{- $found := "" -}}
{{- range $id, $model := .Values.models -}}
{{- $class := dig "deployment_config" "request_router_config" "request_router_class" "" $model.llmConfig | toString -}}
{{- if $model.llmConfig.lora_config -}}
{{- $found = printf "model %s has LoRA adapters" $id -}}
{{- else if and $class (not (regexMatch "^ray[.]serve[.].*[.:](PowerOfTwoChoicesRequestRouter|RoundRobinRouter|CapacityQueueRouter|ConsistentHashRouter)$" $class)) -}}
{{- $found = printf "model %s has %s for a router" $id $class -}}
{{- end -}}
{{- end -}}
{{- $found -}}
{{- end -}}

{{- /*
Takes name, routePrefix, llmConfigs (the entries, as YAML), and, on the standard path, ingress (its options, as YAML)
and release. Gives one application. A release whose builder takes no ingress options has them set on the
deployment that the builder makes.
*/ -}}
{{- define "ray-serve-llm.application" -}}
- name: {{ .name | quote }}
  import_path: ray.serve.llm:build_openai_app
  route_prefix: {{ .routePrefix | quote }}
  args:
    llm_configs:
      {{- .llmConfigs | nindent 6 }}
    {{- if and .ingress .release.ingressDeployment.options }}
    ingress_deployment_config:
      {{- .ingress | nindent 6 }}
    {{- end }}
  {{- if and .ingress (not .release.ingressDeployment.options) }}
  deployments:
    - name: {{ .release.ingressDeployment.name }}
      {{- .ingress | nindent 6 }}
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
{{- if not .Values.models -}}
{{- else if eq .Values.serving.routing "unified" -}}
{{- $entries := list -}}
{{- range $id, $model := .Values.models -}}
{{- $entries = append $entries (include "ray-serve-llm.llmConfigEntry" (dict "root" $root "id" $id "model" $model)) -}}
{{- end -}}
{{- include "ray-serve-llm.application" (dict
  "name" "models"
  "routePrefix" (.Values.serving.routePrefix | default "/")
  "llmConfigs" (join "\n" $entries)
  "ingress" $ingress
  "release" $release) -}}
{{- else -}}
{{- range $id, $model := .Values.models }}
{{ include "ray-serve-llm.application" (dict
  "name" $id
  "routePrefix" (include "ray-serve-llm.modelRoute" (dict "root" $root "id" $id))
  "llmConfigs" (include "ray-serve-llm.llmConfigEntry" (dict "root" $root "id" $id "model" $model))
  "ingress" $ingress
  "release" $release) }}
{{- end }}
{{- end -}}
{{- end -}}
