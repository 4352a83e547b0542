{{- /* The applications of people's own code. */ -}}

{{- /* Takes root, name and app. Gives the route of an app. */ -}}
{{- define "ray-serve-llm.appRoute" -}}
{{- .app.application.route_prefix | default (printf "%s/%s" (include "ray-serve-llm.routePrefix" .root) .name) -}}
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
