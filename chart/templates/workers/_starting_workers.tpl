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

{{- /* Takes an LLMConfig. Gives, as JSON, all of it that says what its replicas ask for and how many there are. */ -}}
{{- define "ray-serve-llm.asks" -}}
{{- $engine := pick (.engine_kwargs | default dict)
  "tensor_parallel_size" "pipeline_parallel_size" "data_parallel_size" "distributed_executor_backend" -}}
{{- pick . "placement_group_config" "resources_per_bundle" "accelerator_type" "accelerator_config" "deployment_config"
  | list $engine | toJson -}}
{{- end -}}

{{- /*
Takes config (an LLMConfig) and release. Gives, as JSON, what one replica needs, a list of {resource: amount}, each whole
on one worker. Ray asks for a bundle for every GPU, and for what the replica itself takes: with the first bundle, or, in a
release with `resources_per_bundle`, in one before it. STRICT_PACK puts all of them on one worker.
*/ -}}
{{- define "ray-serve-llm.pieces" -}}
{{- $placement := .config.placement_group_config | default dict -}}
{{- $engine := .config.engine_kwargs | default dict -}}
{{- $actor := (.config.deployment_config | default dict).ray_actor_options | default dict -}}
{{- $device := (.config.accelerator_config | default dict).kind | default "gpu" | upper -}}
{{- $stages := $engine.pipeline_parallel_size | default 1 | int -}}
{{- $each := coalesce $placement.bundle_per_worker .config.resources_per_bundle (dict $device 1) -}}
{{- $bundles := $placement.bundles | default list -}}
{{- if not $bundles -}}
{{- range until (mul $stages ($engine.tensor_parallel_size | default 1) | int) -}}
{{- $bundles = append $bundles $each -}}
{{- end -}}
{{- end -}}
{{- $own := dict "CPU" (dig "num_cpus" 1 $actor) "GPU" ($actor.num_gpus | default 0) -}}
{{- $replica := list $own ($actor.resources | default dict) -}}
{{- $together := eq $placement.strategy "STRICT_PACK" -}}
{{- if eq .release.placementField "resources_per_bundle" -}}
{{- $together = eq $stages 1 -}}
{{- else -}}
{{- $replica = append $replica (first $bundles) -}}
{{- $bundles = rest $bundles -}}
{{- end -}}
{{- if $together -}}
{{- list (include "ray-serve-llm.sum" (concat $replica $bundles) | fromJson) | toJson -}}
{{- else -}}
{{- prepend $bundles (include "ray-serve-llm.sum" $replica | fromJson) | toJson -}}
{{- end -}}
{{- end -}}

{{- /* Takes a deployment of an app. Gives the same, as JSON. */ -}}
{{- define "ray-serve-llm.appPieces" -}}
{{- $actor := .ray_actor_options | default dict -}}
{{- $own := dict "CPU" ($actor.num_cpus | default 0) "GPU" ($actor.num_gpus | default 0) -}}
{{- $pieces := list (include "ray-serve-llm.sum" (list $own ($actor.resources | default dict)) | fromJson) -}}
{{- with .placement_group_bundles -}}
{{- /* The replica is in the first bundle, which has what it takes. */ -}}
{{- $pieces = . -}}
{{- if eq $.placement_group_strategy "STRICT_PACK" -}}
{{- $pieces = list (include "ray-serve-llm.sum" . | fromJson) -}}
{{- end -}}
{{- end -}}
{{- toJson $pieces -}}
{{- end -}}

{{- /*
Takes options (of a deployment) and unsaid (the replicas where they say nothing). Gives the replicas that are always there.
*/ -}}
{{- define "ray-serve-llm.leastReplicas" -}}
{{- $scaling := .options.autoscaling_config | default dict -}}
{{- if not (kindIs "invalid" $scaling.min_replicas) -}}
{{- $scaling.min_replicas -}}
{{- else if has (kindOf .options.num_replicas) (list "float64" "int64" "int") -}}
{{- .options.num_replicas -}}
{{- else if or $scaling .options.num_replicas -}}
1
{{- else -}}
{{- .unsaid -}}
{{- end -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, the workers of each group, by its name, that the least replicas need. These come up beside
the head, instead of after the autoscaler has seen Serve ask for them.

A group is counted by the resources that it alone has, where all that asks for one is of the same size. Of several sizes
the small ones would spread over workers that are there, until none is whole for a wide one; there the autoscaler
brings a worker for each as it comes. What an app's code says of its replicas cannot be seen here.
*/ -}}
{{- define "ray-serve-llm.startingWorkers" -}}
{{- $release := include "ray-serve-llm.rayRelease" . | fromYaml -}}
{{- $askers := list -}}
{{- $alike := dict -}}
{{- range .Values.models -}}
{{- $asks := include "ray-serve-llm.asks" .llmConfig -}}
{{- $_ := set $alike $asks (dict "config" .llmConfig "models" (dig $asks "models" 0 $alike | add1)) -}}
{{- end -}}
{{- range $alike -}}
{{- $config := .config -}}
{{- $replicas := include "ray-serve-llm.leastReplicas" (dict "options" ($config.deployment_config | default dict) "unsaid" 1) -}}
{{- $ranks := ($config.engine_kwargs | default dict).data_parallel_size | default 1 -}}
{{- $pieces := include "ray-serve-llm.pieces" (dict "config" $config "release" $release) | fromJsonArray -}}
{{- $askers = append $askers (dict "replicas" (mul .models $replicas $ranks) "pieces" $pieces) -}}
{{- end -}}
{{- range .Values.apps -}}
{{- range .application.deployments -}}
{{- $replicas := include "ray-serve-llm.leastReplicas" (dict "options" . "unsaid" 0) -}}
{{- $askers = append $askers (dict "replicas" (int $replicas) "pieces" (include "ray-serve-llm.appPieces" . | fromJsonArray)) -}}
{{- end -}}
{{- end -}}
{{- /* By resource: how many pieces of what size. Ray counts in ten-thousandths. */ -}}
{{- $asked := dict -}}
{{- range $asker := $askers -}}
{{- range $piece := $asker.pieces -}}
{{- range $resource, $amount := $piece -}}
{{- if and $amount $asker.replicas -}}
{{- $sizes := get $asked $resource | default dict -}}
{{- $size := round $amount 4 | toString -}}
{{- $_ := set $sizes $size (add (get $sizes $size | default 0) $asker.replicas) -}}
{{- $_ := set $asked $resource $sizes -}}
{{- end -}}
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
{{- $mixed := false -}}
{{- range $resource, $amount := omit $holds "CPU" -}}
{{- $sizes := get $asked $resource | default dict -}}
{{- if or (gt (get $owners $resource | int) 1) (not $amount) -}}
{{- else if gt (len $sizes) 1 -}}
{{- $mixed = true -}}
{{- else -}}
{{- range $size, $count := $sizes -}}
{{- $each := max 1 (round (divf $amount (float64 $size)) 4 | floor | int) -}}
{{- $least = max $least (divf $count $each | ceil | int) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $workers $name (ternary 0 $least $mixed) -}}
{{- end -}}
{{- toJson $workers -}}
{{- end -}}
