{{- /* What the workers of each group hold, and how much of it replicas ask for. */ -}}

{{- /*
Takes the root. Gives, as JSON, what there is to land on: groups (what one worker of each holds, {resource: amount}, by
the group's name; CPUs that cannot be read are left out), gpuGroups (names) and offered (every resource that some
worker has).
*/ -}}
{{- define "ray-serve-llm.workers" -}}
{{- $groups := dict -}}
{{- $gpuGroups := list -}}
{{- $offered := dict "CPU" true -}}
{{- range $name, $group := .Values.workerGroups -}}
{{- $settings := include "ray-serve-llm.workerSettings" (dict "root" $ "name" $name "group" $group) | fromJson -}}
{{- $holds := $settings.rayResources -}}
{{- range $resource, $_ := $holds -}}
{{- $_ := set $offered $resource true -}}
{{- end -}}
{{- with include "ray-serve-llm.workerCpus" $settings -}}
{{- $_ := set $holds "CPU" (float64 .) -}}
{{- end -}}
{{- $gpus := get ($settings.rayStartParams | default dict) "num-gpus" | default $settings.gpusPerWorker | float64 -}}
{{- if $gpus -}}
{{- $_ := set $holds "GPU" $gpus -}}
{{- $_ := set $offered "GPU" true -}}
{{- $gpuGroups = append $gpuGroups $name -}}
{{- end -}}
{{- $_ := set $groups $name $holds -}}
{{- end -}}
{{- dict "groups" $groups "gpuGroups" $gpuGroups "offered" $offered | toJson -}}
{{- end -}}

{{- /* Takes a list of {resource: amount}. Gives, as JSON, their sum. */ -}}
{{- define "ray-serve-llm.sum" -}}
{{- $sum := dict -}}
{{- range . -}}
{{- range $resource, $amount := . -}}
{{- $_ := set $sum $resource (addf (get $sum $resource | default 0) ($amount | default 0)) -}}
{{- end -}}
{{- end -}}
{{- toJson $sum -}}
{{- end -}}

{{- /*
Takes an LLMConfig. Gives, as JSON, the bundles of one replica's placement group, a list of {resource: amount}: one for
every GPU. What the replica itself takes is not in them.
*/ -}}
{{- define "ray-serve-llm.bundles" -}}
{{- $placement := .placement_group_config | default dict -}}
{{- $bundles := $placement.bundles | default list -}}
{{- if not $bundles -}}
{{- $engine := .engine_kwargs | default dict -}}
{{- $device := (.accelerator_config | default dict).kind | default "gpu" | upper -}}
{{- $each := coalesce $placement.bundle_per_worker .resources_per_bundle (dict $device 1) -}}
{{- range until (mul ($engine.pipeline_parallel_size | default 1) ($engine.tensor_parallel_size | default 1) | int) -}}
{{- $bundles = append $bundles $each -}}
{{- end -}}
{{- end -}}
{{- toJson $bundles -}}
{{- end -}}

{{- /* Takes a deployment's options. Gives the replicas that Serve starts it with. */ -}}
{{- define "ray-serve-llm.startingReplicas" -}}
{{- $scaling := .autoscaling_config | default dict -}}
{{- if hasKey $scaling "initial_replicas" -}}
{{- $scaling.initial_replicas -}}
{{- else if hasKey $scaling "min_replicas" -}}
{{- $scaling.min_replicas -}}
{{- else if kindIs "float64" .num_replicas -}}
{{- .num_replicas -}}
{{- else -}}
1
{{- end -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, the workers of each group, by its name, that the replicas of the start need at the least:
their share of every resource that this group alone has. These come up beside the head, instead of after the
autoscaler has seen Serve ask for them; what they cannot hold it adds, and what stays idle it removes.
*/ -}}
{{- define "ray-serve-llm.startingWorkers" -}}
{{- $askers := list -}}
{{- range .Values.models -}}
{{- $deployment := .llmConfig.deployment_config | default dict -}}
{{- $own := ($deployment.ray_actor_options | default dict).resources | default dict -}}
{{- $askers = append $askers (dict "of" $deployment "asks" (append (include "ray-serve-llm.bundles" .llmConfig | fromJsonArray) $own)) -}}
{{- end -}}
{{- range .Values.apps -}}
{{- range .application.deployments -}}
{{- $actor := .ray_actor_options | default dict -}}
{{- $own := list (dict "GPU" ($actor.num_gpus | default 0)) ($actor.resources | default dict) -}}
{{- $askers = append $askers (dict "of" . "asks" (.placement_group_bundles | default $own)) -}}
{{- end -}}
{{- end -}}
{{- $asked := dict -}}
{{- range $askers -}}
{{- $replicas := include "ray-serve-llm.startingReplicas" .of | float64 -}}
{{- range .asks -}}
{{- range $resource, $amount := . -}}
{{- $_ := set $asked $resource (addf (get $asked $resource | default 0) (mulf $replicas ($amount | default 0))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $groups := (include "ray-serve-llm.workers" . | fromJson).groups -}}
{{- $owners := dict -}}
{{- range $groups -}}
{{- range $resource, $_ := . -}}
{{- $_ := set $owners $resource (get $owners $resource | default 0 | add1) -}}
{{- end -}}
{{- end -}}
{{- $workers := dict -}}
{{- range $name, $holds := $groups -}}
{{- $least := 0 -}}
{{- range $resource, $amount := omit $holds "CPU" -}}
{{- if and $amount (eq (get $owners $resource | int) 1) -}}
{{- /* Ray counts in ten-thousandths: ten tenths are one. */ -}}
{{- $least = max $least (round (divf (get $asked $resource | default 0) $amount) 4 | ceil | int) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $workers $name $least -}}
{{- end -}}
{{- toJson $workers -}}
{{- end -}}
