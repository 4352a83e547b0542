{{- /*
Checks of how a changed cluster takes over. With NewClusterWithIncrementalUpgrade KubeRay sets Serve's `target_capacity` on both
clusters, a percentage of every deployment's replicas, and leaves it at 100 for good.
*/ -}}

{{- /* The strategy's options, and what would not survive steps. */ -}}
{{- define "ray-serve-llm.checkUpgradeStrategy" -}}
{{- $strategy := .root.Values.upgradeStrategy -}}
{{- $options := $strategy.clusterUpgradeOptions -}}
{{- if ne $strategy.type "NewClusterWithIncrementalUpgrade" }}
{{- if $options }}
upgradeStrategy.clusterUpgradeOptions: nothing reads it with type {{ $strategy.type }}. Set type to NewClusterWithIncrementalUpgrade, or remove it.
{{- end }}
{{- else if not $options }}
upgradeStrategy.clusterUpgradeOptions: it is empty, and with NewClusterWithIncrementalUpgrade KubeRay starts nothing without it. Set {gatewayClassName: <a GatewayClass of the cluster>, maxSurgePercent: 25, stepSizePercent: 25, intervalSeconds: 60}.
{{- else }}
{{- $deployments := dict "serving.ingress" .root.Values.serving.ingress -}}
{{- range .llmConfigs -}}
{{- $_ := set $deployments (printf "%s.deployment_config" .of) .config.deployment_config -}}
{{- if and (gt (int .gang) 1) (lt (int ($options.maxSurgePercent | default 100)) 100) }}
{{ .of }}.engine_kwargs.data_parallel_size: its ranks start together, and at {{ int $options.maxSurgePercent }}% Serve would want a part of them (ray/serve/_private/autoscaling_state.py). Set upgradeStrategy.clusterUpgradeOptions.maxSurgePercent to 100, or type to NewCluster.
{{- end }}
{{- end -}}
{{- range $name, $app := .root.Values.apps -}}
{{- range $app.application.deployments -}}
{{- $_ := set $deployments (printf "apps.%s.application.deployments (%s)" $name .name) . -}}
{{- end -}}
{{- end -}}
{{- range $where, $deployment := $deployments -}}
{{- include "ray-serve-llm.checkInitialReplicas" (dict "of" $where "scaling" ($deployment | default dict).autoscaling_config) -}}
{{- end -}}
{{- end }}
{{- end -}}

{{- /* Takes of (a deployment, as a path of the values) and scaling (its autoscaling_config). While there is a target_capacity, Ray takes initial_replicas for the least. */ -}}
{{- define "ray-serve-llm.checkInitialReplicas" -}}
{{- $scaling := .scaling | default dict -}}
{{- $least := ternary 1 $scaling.min_replicas (kindIs "invalid" $scaling.min_replicas) | int -}}
{{- if gt (int $scaling.initial_replicas) $least }}
{{ .of }}.autoscaling_config.initial_replicas: with NewClusterWithIncrementalUpgrade Ray never goes below it again, so {{ ternary "it never sleeps" (printf "min_replicas, %d, does nothing" $least) (eq $least 0) }} (https://github.com/ray-project/ray/issues/62682). Remove it, or set upgradeStrategy.type to NewCluster.
{{- end }}
{{- end -}}
