{{- /* What Ray Serve runs: the applications of models and of people's own code, and the files that they are made from. */ -}}

{{- /*
Takes the root. Gives the seconds that a replica which leaves (an upgrade in place, fewer replicas) has to end its
requests: as many as the longest may take, and at least Ray's own 20, after which it cuts off what is still being
answered.
*/ -}}
{{- define "ray-serve-llm.drainSeconds" -}}
{{- dig "http_options" "request_timeout_s" 600 .Values.serving.config | default 600 | maxf 20 -}}
{{- end -}}

{{- /*
Takes id, model and drain (seconds). Gives the model's LLMConfig as YAML: the values' own, the id that the key says, and
the time to drain.
*/ -}}
{{- define "ray-serve-llm.llmConfig" -}}
{{- $loading := set (omit (.model.llmConfig.model_loading_config | default dict) "model_id") "model_id" .id -}}
{{- $deployment := .model.llmConfig.deployment_config | default dict -}}
{{- $drain := "graceful_shutdown_timeout_s" -}}
{{- if not (hasKey $deployment $drain) -}}
{{- $deployment = set (omit $deployment $drain) $drain .drain -}}
{{- end -}}
{{- $config := omit .model.llmConfig "model_loading_config" "deployment_config" -}}
{{- set (set $config "model_loading_config" $loading) "deployment_config" $deployment | toYaml -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, the names of the families whose models' configuration is in files; none when it is
delivered inline.
*/ -}}
{{- define "ray-serve-llm.families" -}}
{{- $families := dict -}}
{{- if eq .Values.serving.delivery "configMap" -}}
{{- range .Values.models -}}
{{- $_ := set $families .family true -}}
{{- end -}}
{{- end -}}
{{- keys $families | sortAlpha | toJson -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, the ConfigMap of every app whose code is in one, by the app's name. Ray builds an
application wherever it likes, so every pod mounts them.
*/ -}}
{{- define "ray-serve-llm.appConfigMaps" -}}
{{- $configMaps := dict -}}
{{- range $name, $app := .Values.apps -}}
{{- with include "ray-serve-llm.appConfigMap" (dict "name" $name "app" $app) -}}
{{- $_ := set $configMaps $name . -}}
{{- end -}}
{{- end -}}
{{- toJson $configMaps -}}
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

{{- /* Takes the root. Gives the port on which Serve answers. */ -}}
{{- define "ray-serve-llm.httpPort" -}}
{{- dig "http_options" "port" 8000 .Values.serving.config | int -}}
{{- end -}}

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

{{- /* Takes root, name and app. Gives the route of an app. */ -}}
{{- define "ray-serve-llm.appRoute" -}}
{{- .app.application.route_prefix | default (printf "%s/%s" .root.Values.serving.routePrefix .name) -}}
{{- end -}}

{{- /*
Takes root, name and app. Gives one application of a person's own code: the values' own, with its name, its route, the
time to drain of the deployments that are named, and its files' folder before everything else on PYTHONPATH. Ray puts the
pod's own value where `${PYTHONPATH}` stands.
*/ -}}
{{- define "ray-serve-llm.app" -}}
{{- $application := dict "name" .name "route_prefix" (include "ray-serve-llm.appRoute" .) -}}
{{- if include "ray-serve-llm.appConfigMap" . -}}
{{- $runtime := .app.application.runtime_env | default dict -}}
{{- $variables := $runtime.env_vars | default dict -}}
{{- $path := printf "%s/%s:%s" .root.Values.serving.appsPath .name ($variables.PYTHONPATH | default "${PYTHONPATH}") -}}
{{- $variables = include "ray-serve-llm.overlay" (list $variables (dict "PYTHONPATH" $path)) | fromJson -}}
{{- $runtime = include "ray-serve-llm.overlay" (list $runtime (dict "env_vars" $variables)) | fromJson -}}
{{- $_ := set $application "runtime_env" $runtime -}}
{{- end -}}
{{- $drain := dict "graceful_shutdown_timeout_s" (include "ray-serve-llm.drainSeconds" .root | float64) -}}
{{- $deployments := list -}}
{{- range .app.application.deployments -}}
{{- $deployments = append $deployments (include "ray-serve-llm.overlay" (list $drain .) | fromJson) -}}
{{- end -}}
{{- if $deployments -}}
{{- $_ := set $application "deployments" $deployments -}}
{{- end -}}
{{- list (include "ray-serve-llm.overlay" (list .app.application $application) | fromJson) | toYaml -}}
{{- end -}}

{{- /* Takes the root. Gives the list of applications: one for each model, or one for all, and one for each app. */ -}}
{{- define "ray-serve-llm.applications" -}}
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
  "routePrefix" "/"
  "llmConfigs" (join "\n" $entries)
  "ingress" $ingress
  "release" $release) -}}
{{- else -}}
{{- range $id, $model := .Values.models }}
{{ include "ray-serve-llm.application" (dict
  "name" $id
  "routePrefix" (printf "%s/%s" $root.Values.serving.routePrefix $id)
  "llmConfigs" (include "ray-serve-llm.llmConfigEntry" (dict "root" $root "id" $id "model" $model))
  "ingress" $ingress
  "release" $release) }}
{{- end }}
{{- end -}}
{{- range $name, $app := .Values.apps }}
{{ include "ray-serve-llm.app" (dict "root" $root "name" $name "app" $app) }}
{{- end }}
{{- end -}}

{{- /* Takes the root. Gives serveConfigV2, the text that KubeRay hands to Ray Serve. */ -}}
{{- define "ray-serve-llm.serveConfig" -}}
{{- $defaults := dict
  "proxy_location" "EveryNode"
  "http_options" (dict "host" "0.0.0.0" "port" 8000 "request_timeout_s" 600)
  "logging_config" (dict "encoding" "JSON") -}}
{{- mergeOverwrite $defaults .Values.serving.config | toYaml }}
applications:
{{- include "ray-serve-llm.applications" . | trim | nindent 2 }}
{{- end -}}
