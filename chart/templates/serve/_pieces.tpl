{{- /* What replicas ask for, in pieces that are each whole on one worker, and how many replicas are always there. */ -}}

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
