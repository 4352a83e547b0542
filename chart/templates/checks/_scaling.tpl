{{- /* What decides how many replicas a model has, beside requests: what its Ray release and its configuration must have for it. */ -}}

{{- /* Takes what every check does. */ -}}
{{- define "ray-serve-llm.checkScalingWays" -}}
{{- $check := . -}}
{{- range include "ray-serve-llm.llmConfigs" .root | fromJsonArray }}
{{- if .model }}
{{- $scaling := (get $check.root.Values.models .model).scaling | default dict }}
{{- $context := merge (dict "root" $check.root "release" $check.release "version" $check.root.Values.ray.version "schedule" $scaling.schedule) . }}
{{- if $scaling.schedule }}
{{ include "ray-serve-llm.checkSchedule" $context }}
{{- end }}
{{- if $scaling.external }}
{{ include "ray-serve-llm.checkExternal" $context }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes what every check does. The policy of schedules is found by a variable of the pods, which people's own would replace. */ -}}
{{- define "ray-serve-llm.checkSchedulesPath" -}}
{{- $path := include "ray-serve-llm.schedulesPath" .root }}
{{- if include "ray-serve-llm.schedules" .root }}
{{- range $where, $pod := .pods }}
{{- $own := get ($pod.settings.env | default dict) "PYTHONPATH" }}
{{- if and $own (not (has $path (splitList ":" (toString $own)))) }}
{{ $where }}: its PYTHONPATH takes the folder away in which Ray finds the schedules of models. Begin it with {{ $path }}:
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes one of `ray-serve-llm.llmConfigs`, with release, version and schedule. */ -}}
{{- define "ray-serve-llm.checkSchedule" -}}
{{- $deployment := .config.deployment_config | default dict -}}
{{- $scaling := $deployment.autoscaling_config | default dict }}
{{- if not .release.scalingPolicy }}
models.{{ .model }}.scaling.schedule: Ray {{ .version }} knows no scaling policies. Take a later Ray release, or remove it and change min_replicas from outside.
{{- else if ne .builder "build_openai_app" }}
models.{{ .model }}.scaling.schedule: it counts the replicas of one deployment; prefill and decode are two, and data parallel ranks count otherwise. Remove it.
{{- else if not (include "ray-serve-llm.scaling" .config | fromJson).autoscaling_config }}
models.{{ .model }}.scaling.schedule: it raises the least replicas of autoscaling_config in llmConfig.deployment_config. Say min_replicas and max_replicas there, and neither server_cls nor a name.
{{- else if $scaling.policy }}
models.{{ .model }}.scaling.schedule: autoscaling_config has a policy already, and Ray asks one. Remove one of them.
{{- else }}
{{- range $name, $window := .schedule.windows }}
{{- if gt (int $window.min) (int ($scaling.max_replicas | default 1)) }}
models.{{ $.model }}.scaling.schedule.windows.{{ $name }}.min: {{ int $window.min }} replicas are more than max_replicas, which is {{ $scaling.max_replicas | default 1 | int }}. Raise that, or ask for fewer.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes the same, and root. */ -}}
{{- define "ray-serve-llm.checkExternal" -}}
{{- $deployment := .config.deployment_config | default dict }}
{{- if not .release.externalScaler }}
models.{{ .model }}.scaling.external: Ray {{ .version }} takes no number of replicas by its API. Take a later Ray release, or remove it.
{{- else if or $deployment.autoscaling_config (not (has (kindOf $deployment.num_replicas) (list "float64" "int64" "int"))) }}
models.{{ .model }}.scaling.external: Ray itself scales what has an autoscaling_config. Set num_replicas, the number to begin with, in its place in {{ .of }}.deployment_config.
{{- else if eq .root.Values.serving.routing "unified" }}
models.{{ .model }}.scaling.external: it holds for an application, and serving.routing unified makes one of all models. Set serving.routing to perModel.
{{- end }}
{{- end -}}
