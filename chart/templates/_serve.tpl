{{- /* What Ray Serve runs: the applications, their models, and the files that hold the models' configuration. */ -}}

{{- /* Takes id and model. Gives the model's LLMConfig as YAML: the values' own, and the id that the key says. */ -}}
{{- define "ray-serve-llm.llmConfig" -}}
{{- $loading := set (omit (.model.llmConfig.model_loading_config | default dict) "model_id") "model_id" .id -}}
{{- set (omit .model.llmConfig "model_loading_config") "model_loading_config" $loading | toYaml -}}
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

{{- /* Takes the root. Gives `true` when some model takes LoRA adapters, else nothing. */ -}}
{{- define "ray-serve-llm.lora" -}}
{{- $found := "" -}}
{{- range .Values.models -}}
{{- if .llmConfig.lora_config -}}
{{- $found = "true" -}}
{{- end -}}
{{- end -}}
{{- $found -}}
{{- end -}}

{{- /* Takes the root. Gives the port on which Serve answers. */ -}}
{{- define "ray-serve-llm.httpPort" -}}
{{- dig "http_options" "port" 8000 .Values.serving.config | int -}}
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
{{- $options := dict "ray_actor_options" (dict "num_cpus" 0.25 "resources" (dict (include "ray-serve-llm.ingressGroup" .) 0.01)) -}}
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
- {{ include "ray-serve-llm.llmConfig" . | nindent 2 | trim }}
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

{{- /* Takes the root. Gives the list of applications: one for each model, or one for all. */ -}}
{{- define "ray-serve-llm.applications" -}}
{{- $root := . -}}
{{- $release := include "ray-serve-llm.rayRelease" . | fromYaml -}}
{{- $ingress := "" -}}
{{- if eq .Values.serving.path "standard" -}}
{{- $ingress = include "ray-serve-llm.ingressOptions" . -}}
{{- end -}}
{{- if eq .Values.serving.routing "unified" -}}
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
