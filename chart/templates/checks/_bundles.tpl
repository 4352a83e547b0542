{{- /* Checks of placement groups: bundles and selectors of labels that Ray refuses, or that no worker is like. */ -}}

{{- /* Every LLMConfig, every deployment of an app, and the ingress. */ -}}
{{- define "ray-serve-llm.checkPlacementGroups" -}}
{{- $values := .root.Values -}}
{{- $context := dict "groups" (keys $values.workerGroups) "labelled" (contains "RAY_OVERRIDE_LABELS" (include "ray-serve-llm.variables" .root)) -}}
{{- if include "ray-serve-llm.ingress" .root -}}
{{- $_ := set $context "groups" (append $context.groups (include "ray-serve-llm.ingressGroup" .root)) -}}
{{- include "ray-serve-llm.checkSelectors" (dict "of" "serving.ingress" "options" $values.serving.ingress "context" $context) }}
{{- end -}}
{{- range .llmConfigs }}
{{- $config := .config }}
{{- $of := .of }}
{{- with $config.placement_group_config }}
{{- include "ray-serve-llm.checkBundles" (dict "of" (printf "%s.placement_group_config.bundles" $of) "bundles" .bundles) }}
{{- with .bundle_per_worker }}
{{- include "ray-serve-llm.checkBundles" (dict "of" (printf "%s.placement_group_config.bundle_per_worker" $of) "bundles" (list .)) }}
{{- end }}
{{- end }}
{{- with $config.deployment_config }}
{{- include "ray-serve-llm.checkSelectors" (dict "of" (printf "%s.deployment_config" $of) "options" . "context" $context) }}
{{- end }}
{{- end }}
{{- range $name, $app := $values.apps }}
{{- range $app.application.deployments }}
{{- $of := printf "apps.%s.application.deployments (%s)" $name .name }}
{{- include "ray-serve-llm.checkBundles" (dict "of" (printf "%s.placement_group_bundles" $of) "bundles" .placement_group_bundles) }}
{{- include "ray-serve-llm.checkFirstBundle" (dict "of" $of "deployment" .) }}
{{- include "ray-serve-llm.checkSelectors" (dict "of" $of "options" . "context" $context) }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (a path of the values) and bundles (a list, or nothing). */ -}}
{{- define "ray-serve-llm.checkBundles" -}}
{{- if and (kindIs "slice" .bundles) (not .bundles) }}
{{ .of }}: it lists no bundle. Give one, as {GPU: 1}, or remove it.
{{- end }}
{{- range $number, $bundle := .bundles }}
{{- $asks := false }}
{{- range $resource, $amount := $bundle }}
{{- $asks = or $asks (ne (float64 $amount) 0.0) }}
{{- if lt (float64 $amount) 0.0 }}
{{ $.of }}: a bundle asks for {{ $amount }} {{ $resource }}. Give 0 or more.
{{- end }}
{{- end }}
{{- if not $asks }}
{{ $.of }}: bundle {{ $number }} asks for nothing, and Ray refuses it. Give it what runs in it, as {GPU: 1}, or remove it.
{{- end }}
{{- end }}
{{- end -}}

{{- /*
Takes of (a deployment of an app, as a path of the values) and deployment. Its replica is in the first bundle, and takes one
CPU where its options say none: ray/serve/_private/config.py, ReplicaConfig.
*/ -}}
{{- define "ray-serve-llm.checkFirstBundle" -}}
{{- $bundle := .deployment.placement_group_bundles | default list | first -}}
{{- if and $bundle .deployment.ray_actor_options }}
{{- range $resource, $amount := include "ray-serve-llm.actorResources" (dict "actor" .deployment.ray_actor_options "cpus" 1) | fromJson }}
{{- if and (ne $resource "memory") (gt (float64 $amount) (get $bundle $resource | default 0 | float64)) }}
{{ $.of }}.placement_group_bundles: the replica is in the first bundle and takes {{ $amount }} {{ $resource }}, of which that has {{ get $bundle $resource | default 0 }}. Add it to the first bundle, or say less in ray_actor_options.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (a deployment, as a path of the values), options (its own) and context. */ -}}
{{- define "ray-serve-llm.checkSelectors" -}}
{{- $context := .context -}}
{{- with (.options.ray_actor_options | default dict) }}
{{- if not .fallback_strategy }}
{{- include "ray-serve-llm.checkSelector" (dict "of" (printf "%s.ray_actor_options.label_selector" $.of) "selector" .label_selector "context" $context) }}
{{- end }}
{{- end }}
{{- range .options.placement_group_bundle_label_selector }}
{{- include "ray-serve-llm.checkSelector" (dict "of" (printf "%s.placement_group_bundle_label_selector" $.of) "selector" . "context" $context) }}
{{- end }}
{{- end -}}

{{- /*
Takes of (a path of the values), selector ({label: condition}) and context (groups: names, labelled: whether a variable gives
workers labels). A worker has Ray's own labels alone: of its group (ray.io/node-group), and of its node, which are not known
here. What is not asked for (`!`) every worker without the label has.
*/ -}}
{{- define "ray-serve-llm.checkSelector" -}}
{{- $value := "[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?" -}}
{{- range $label, $condition := .selector }}
{{- $where := printf "%s.%s" $.of $label }}
{{- if not $condition }}
{{- else if not (regexMatch (printf "^!?(%s|in\\(%s(, ?%s)*\\))$" $value $value $value) $condition) }}
{{ $where }}: "{{ $condition }}" is no condition that Ray reads. Write a value, in(a, b), or one of them after an exclamation mark.
{{- else if or (hasPrefix "!" $condition) $.context.labelled }}
{{- else if eq $label "ray.io/node-group" }}
{{- $found := false }}
{{- range splitList "," (trimSuffix ")" (trimPrefix "in(" $condition)) }}
{{- $found = or $found (has (trim .) $.context.groups) }}
{{- end }}
{{- if not $found }}
{{ $where }}: no worker group is called {{ $condition }}, so it would stay pending forever. There are: {{ $.context.groups | sortAlpha | join ", " }}.
{{- end }}
{{- else if not (hasPrefix "ray.io/" $label) }}
{{ $where }}: no worker has that label, so it would stay pending forever. Ask for ray.io/node-group, a group's name, or for a resource of workerGroups.<name>.rayResources.
{{- end }}
{{- end }}
{{- end -}}
