{{- /* The applications of people's own code. */ -}}

{{- /* Takes root, name and app. Gives the route of an app. */ -}}
{{- define "ray-serve-llm.appRoute" -}}
{{- .app.application.route_prefix | default (printf "%s/%s" (include "ray-serve-llm.routePrefix" .root) .name) -}}
{{- end -}}

{{- /*
Takes root, name and app. Gives one application of a person's own code: the values' own, with its name, its route, the
time to drain of the deployments that are named or that one of Ray's builders makes, and its files' folder before
everything else on PYTHONPATH. Ray puts the pod's own value where `${PYTHONPATH}` stands.
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
{{- with include "ray-serve-llm.drainingArguments" . -}}
{{- $_ := set $application "args" (fromJson .) -}}
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

{{- /*
Takes root and app. Gives, as JSON, the `args` of one of Ray's builders, each LLMConfig with the time to drain; nothing for
code of one's own.
*/ -}}
{{- define "ray-serve-llm.drainingArguments" -}}
{{- $release := include "ray-serve-llm.rayRelease" .root | fromYaml -}}
{{- $builder := include "ray-serve-llm.builderOfApp" (dict "application" .app.application "release" $release) -}}
{{- if $builder -}}
{{- $arguments := deepCopy (.app.application.args | default dict) -}}
{{- $drain := dict "graceful_shutdown_timeout_s" (include "ray-serve-llm.drainSeconds" .root | float64) -}}
{{- range $key, $_ := (get $release.builders $builder).configs -}}
{{- $given := get $arguments $key -}}
{{- range ternary $given (list $given) (kindIs "slice" $given) -}}
{{- if kindIs "map" . -}}
{{- $_ := set . "deployment_config" (include "ray-serve-llm.overlay" (list $drain .deployment_config) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $arguments -}}
{{- end -}}
{{- end -}}
