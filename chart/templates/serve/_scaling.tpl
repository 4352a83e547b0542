{{- /*
How many replicas a deployment of a model has, and how Ray changes that. Serve is told it beside the application
(`deployments` of serveConfigV2), not in the model's own configuration: a change of it then reaches the replicas that run,
and makes neither a new cluster nor a new application.
*/ -}}

{{- /*
Takes an LLMConfig. Gives, as JSON, what of its `deployment_config` Serve is told beside the application. Nothing where
that cannot be: a class or a name of people's own decides what the deployment is called, of "auto" without bounds Ray alone
knows what it means, and for data parallel ranks it multiplies the numbers as it builds.
*/ -}}
{{- define "ray-serve-llm.scaling" -}}
{{- $deployment := .deployment_config | default dict -}}
{{- $isBare := and (eq (toString $deployment.num_replicas) "auto") (not $deployment.autoscaling_config) -}}
{{- $isOfRanks := gt (dig "engine_kwargs" "data_parallel_size" 1 . | int) 1 -}}
{{- if or .server_cls $deployment.name $isBare $isOfRanks -}}
{{- $deployment = dict -}}
{{- end -}}
{{- pick $deployment "autoscaling_config" "num_replicas" "max_ongoing_requests" "max_queued_requests" | toJson -}}
{{- end -}}

{{- /* Takes an LLMConfig. Gives, as JSON, the same without what Serve is told beside the application. */ -}}
{{- define "ray-serve-llm.withoutScaling" -}}
{{- $deployment := .deployment_config | default dict -}}
{{- range $key, $_ := include "ray-serve-llm.scaling" . | fromJson -}}
{{- $deployment = omit $deployment $key -}}
{{- end -}}
{{- ternary (set (omit . "deployment_config") "deployment_config" $deployment) . (hasKey . "deployment_config") | toJson -}}
{{- end -}}

{{- /*
Takes root, release and llmConfig (one of `ray-serve-llm.llmConfigs`). Gives, as a JSON list, its entry of `deployments`,
or nothing where Serve is told nothing of it.
*/ -}}
{{- define "ray-serve-llm.scaledDeployments" -}}
{{- $deployments := list -}}
{{- with include "ray-serve-llm.scaling" .llmConfig.config | fromJson -}}
{{- $entry := set . "name" $.llmConfig.deployment -}}
{{- if .autoscaling_config -}}
{{- /* Ray does not lay it over what its builder says: what is left out here would be Serve's own default. */ -}}
{{- $target := dict "target_ongoing_requests" $.release.defaultTargetOngoingRequests -}}
{{- $_ := set $entry "autoscaling_config" (include "ray-serve-llm.overlay" (list $target .autoscaling_config) | fromJson) -}}
{{- if (include "ray-serve-llm.scalingWays" (dict "root" $.root "llmConfigs" (list $.llmConfig)) | fromJson).schedule -}}
{{- $path := printf "%s/%s.json" (include "ray-serve-llm.schedulesPath" $.root) $.llmConfig.model -}}
{{- $_ := set $entry.autoscaling_config "policy" (dict
  "policy_function" "ray_serve_llm_schedule:Schedule" "policy_kwargs" (dict "path" $path)) -}}
{{- end -}}
{{- else if hasKey . "num_replicas" -}}
{{- /* Else the builder's own would stay in force, and decide. */ -}}
{{- $_ := set $entry "autoscaling_config" nil -}}
{{- end -}}
{{- $deployments = list $entry -}}
{{- end -}}
{{- toJson $deployments -}}
{{- end -}}

{{- /*
Takes root and llmConfigs (of models). Gives, as JSON, what scales one of their models, beside requests: schedule and
external, each true or not there.
*/ -}}
{{- define "ray-serve-llm.scalingWays" -}}
{{- $ways := dict -}}
{{- range .llmConfigs -}}
{{- $scaling := (get $.root.Values.models .model).scaling | default dict -}}
{{- range $way := list "schedule" "external" -}}
{{- if get $scaling $way -}}
{{- $_ := set $ways $way true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $ways -}}
{{- end -}}

{{- /* Takes the root. Gives the folder in which every pod has the schedules, and the policy that reads them. No family is called so. */ -}}
{{- define "ray-serve-llm.schedulesPath" -}}
{{- printf "%s/_schedules" .Values.serving.modelsPath -}}
{{- end -}}

{{- /* Takes the root. Gives the name of the ConfigMap with the schedules; nothing where no model has one. */ -}}
{{- define "ray-serve-llm.schedules" -}}
{{- $found := false -}}
{{- range .Values.models -}}
{{- if (.scaling | default dict).schedule -}}
{{- $found = true -}}
{{- end -}}
{{- end -}}
{{- if $found -}}
{{- printf "%s-schedules" (include "ray-serve-llm.name" .) -}}
{{- end -}}
{{- end -}}
