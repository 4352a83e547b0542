{{- /* What Ray Serve is told: its own options, and the applications. */ -}}

{{- /*
Takes the root. Gives the seconds that a replica which leaves (an upgrade in place, fewer replicas) has to end its
requests: as many as the longest may take, and at least Ray's own 20, after which it cuts off what is still being
answered.
*/ -}}
{{- define "ray-serve-llm.drainSeconds" -}}
{{- dig "http_options" "request_timeout_s" 600 .Values.serving.config | default 600 | maxf 20 -}}
{{- end -}}

{{- /* Takes the root. Gives the port on which Serve answers. */ -}}
{{- define "ray-serve-llm.httpPort" -}}
{{- dig "http_options" "port" 8000 .Values.serving.config | int -}}
{{- end -}}

{{- /* Takes the root. Gives what the routes of apps, and of models with one each, begin with. */ -}}
{{- define "ray-serve-llm.routePrefix" -}}
{{- .Values.serving.routePrefix | default "/inference" -}}
{{- end -}}

{{- /* Takes root and id (of a model). Gives the route before the /v1 at which it answers; nothing where that is all. */ -}}
{{- define "ray-serve-llm.modelRoute" -}}
{{- if eq .root.Values.serving.routing "unified" -}}
{{- .root.Values.serving.routePrefix -}}
{{- else -}}
{{- printf "%s/%s" (include "ray-serve-llm.routePrefix" .root) .id -}}
{{- end -}}
{{- end -}}

{{- /* Takes the root. Gives the list of applications: the models', and one for each app. */ -}}
{{- define "ray-serve-llm.applications" -}}
{{- include "ray-serve-llm.modelApplications" . -}}
{{- range $name, $app := .Values.apps }}
{{ include "ray-serve-llm.app" (dict "root" $ "name" $name "app" $app) }}
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
