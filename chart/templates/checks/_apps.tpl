{{- /* Checks of the apps: names, files and routes that do not meet others', and resources that some worker has. */ -}}

{{- /* Each app. What its code decides by itself cannot be seen here. */ -}}
{{- define "ray-serve-llm.checkApps" -}}
{{- $values := .root.Values -}}
{{- if and $values.apps (not $values.workerGroups) }}
workerGroups: there is none for the apps to run on, and the head takes no work. Add one.
{{- end }}
{{- range $name, $app := $values.apps }}
{{- $where := printf "apps.%s" $name }}
{{- if ne $name ($app.application.name | default $name) }}
{{ $where }}.application.name: it is "{{ $app.application.name }}", and the key is the name. Remove it, or rename the key.
{{- end }}
{{- if hasKey $values.models $name }}
{{ $where }}: the application of models.{{ $name }} has that name. Rename the app.
{{- else if and $values.models (eq $values.serving.routing "unified") (eq $name "models") }}
{{ $where }}: behind one route, the application of all models has that name. Rename the app.
{{- end }}
{{- if and $app.files $app.configMap }}
{{ $where }}: its code is in `files` and in configMap "{{ $app.configMap }}". Remove one of them.
{{- end }}
{{- range $deployment := $app.application.deployments }}
{{- include "ray-serve-llm.checkAppDeployment" (dict "of" (printf "%s.application.deployments (%s)" $where .name) "deployment" . "workers" $.workers) }}
{{- end }}
{{- end }}
{{- include "ray-serve-llm.checkRoutes" .root }}
{{- end -}}

{{- /* Takes of (the deployment, as a path of the values), deployment and workers. */ -}}
{{- define "ray-serve-llm.checkAppDeployment" -}}
{{- $actor := .deployment.ray_actor_options | default dict -}}
{{- $pieces := include "ray-serve-llm.appPieces" .deployment | fromJsonArray | uniq -}}
{{- $asked := include "ray-serve-llm.sum" $pieces | fromJson -}}
{{- with $actor.accelerator_type -}}
{{- $_ := set $asked (printf "accelerator_type:%s" .) 1 -}}
{{- end -}}
{{- include "ray-serve-llm.checkResources" (dict "of" .of "asked" $asked "offered" .workers.offered) }}
{{- if and $asked.GPU (not .workers.gpuGroups) }}
{{ .of }}: it asks for a GPU and no worker group has one, so it would stay pending forever. Set workerGroups.<name>.gpusPerWorker, or ask for CPUs.
{{- end }}
{{- include "ray-serve-llm.checkPieces" (dict
  "of" .of
  "pieces" $pieces
  "labels" (or .deployment.placement_group_bundle_label_selector $actor.label_selector)
  "workers" .workers) }}
{{- include "ray-serve-llm.checkFixedOrScaled" (dict "of" .of "options" .deployment) }}
{{- end -}}

{{- /*
Takes the root. Every application has a route of its own, and none takes the requests of a model: Ray goes by the longest
route that fits.
*/ -}}
{{- define "ray-serve-llm.checkRoutes" -}}
{{- $root := . -}}
{{- $taken := dict -}}
{{- $models := dict -}}
{{- range $id, $_ := .Values.models -}}
{{- $route := include "ray-serve-llm.modelRoute" (dict "root" $root "id" $id) -}}
{{- if eq $root.Values.serving.routing "unified" -}}
{{- $_ := set $taken ($route | default "/") "the models" -}}
{{- $_ := set $models (printf "%s/v1" $route) "the models" -}}
{{- else -}}
{{- $_ := set $taken $route (printf "models.%s" $id) -}}
{{- $_ := set $models $route (printf "models.%s" $id) -}}
{{- end -}}
{{- end -}}
{{- range $name, $app := .Values.apps }}
{{- $route := include "ray-serve-llm.appRoute" (dict "root" $root "name" $name "app" $app) }}
{{- with get $taken $route }}
apps.{{ $name }}.application.route_prefix: {{ $route }} is the route of {{ . }} already. Choose another.
{{- end }}
{{- $_ := set $taken $route (printf "apps.%s" $name) }}
{{- range $above, $who := $models }}
{{- if or (hasPrefix (printf "%s/" $above) $route) (and (eq $above $route) (eq $who "the models")) }}
apps.{{ $name }}.application.route_prefix: {{ $route }} would take requests of {{ $who }}, which {{ ternary "are" "is" (eq $who "the models") }} at {{ $above }}. Choose another.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
