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

{{- /* Takes an LLMConfig. Gives, as JSON, its list of bundles: those that it names, or one for each GPU of the engine. */ -}}
{{- define "ray-serve-llm.bundles" -}}
{{- $placement := .placement_group_config | default dict -}}
{{- $device := (.accelerator_config | default dict).kind | default "gpu" | upper -}}
{{- $each := coalesce $placement.bundle_per_worker .resources_per_bundle (dict $device 1) -}}
{{- if $placement.bundles -}}
{{- toJson $placement.bundles -}}
{{- else -}}
{{- printf "%s," (toJson $each) | repeat (include "ray-serve-llm.ranks" . | int) | trimSuffix "," | printf "[%s]" -}}
{{- end -}}
{{- end -}}

{{- /* Takes an LLMConfig. Gives on how many GPUs (or CPUs) its engine's workers are: one for each of a stage, in every stage. */ -}}
{{- define "ray-serve-llm.ranks" -}}
{{- $engine := .engine_kwargs | default dict -}}
{{- mul ($engine.pipeline_parallel_size | default 1) ($engine.tensor_parallel_size | default 1) -}}
{{- end -}}

{{- /*
Takes actor (`ray_actor_options`, or nothing) and cpus (an actor's where they say none). Gives, as JSON, what the actor
itself takes, {resource: amount}.
*/ -}}
{{- define "ray-serve-llm.actorResources" -}}
{{- $actor := .actor | default dict -}}
{{- $counted := dict "CPU" (dig "num_cpus" .cpus $actor) "GPU" ($actor.num_gpus | default 0) -}}
{{- with $actor.memory -}}
{{- $_ := set $counted "memory" . -}}
{{- end -}}
{{- include "ray-serve-llm.sum" (list $counted ($actor.resources | default dict)) -}}
{{- end -}}

{{- /*
Takes config (an LLMConfig), gang (how many replicas are one) and release. Gives, as JSON, what one replica needs, a list of
{resource: amount}, each whole on one worker. Ray asks for the bundles, and for what the replica itself takes: with the first
bundle, or, in a release with `resources_per_bundle`, in one before it. STRICT_PACK, or one stage in such a release, puts all
of them on one worker; those of a gang have one placement group, which is PACK whatever the strategy says.
*/ -}}
{{- define "ray-serve-llm.pieces" -}}
{{- $bundles := include "ray-serve-llm.bundles" .config | fromJsonArray -}}
{{- $actor := (.config.deployment_config | default dict).ray_actor_options -}}
{{- $replica := include "ray-serve-llm.actorResources" (dict "actor" $actor "cpus" 1) | fromJson -}}
{{- $pieces := prepend $bundles $replica -}}
{{- $together := eq (.config.placement_group_config | default dict).strategy "STRICT_PACK" -}}
{{- if eq .release.placementField "resources_per_bundle" -}}
{{- $together = eq 1 ((.config.engine_kwargs | default dict).pipeline_parallel_size | default 1 | int) -}}
{{- else -}}
{{- $pieces = prepend (rest $bundles) (include "ray-serve-llm.sum" (list $replica (first $bundles)) | fromJson) -}}
{{- end -}}
{{- if and $together (le (int .gang) 1) -}}
{{- $pieces = list (include "ray-serve-llm.sum" $pieces | fromJson) -}}
{{- end -}}
{{- toJson $pieces -}}
{{- end -}}

{{- /* Takes a deployment of an app. Gives the same, as JSON. */ -}}
{{- define "ray-serve-llm.appPieces" -}}
{{- if not .placement_group_bundles -}}
{{- list (include "ray-serve-llm.actorResources" (dict "actor" .ray_actor_options "cpus" 0) | fromJson) | toJson -}}
{{- else if eq .placement_group_strategy "STRICT_PACK" -}}
{{- list (include "ray-serve-llm.sum" .placement_group_bundles | fromJson) | toJson -}}
{{- else -}}
{{- /* The replica is in the first bundle, which has what it takes. */ -}}
{{- toJson .placement_group_bundles -}}
{{- end -}}
{{- end -}}

{{- /*
Takes options (of a deployment) and otherwise (the replicas where they say nothing). Gives the replicas that must be there
before Serve runs: the least, or initial_replicas, which Ray starts with (ray/serve/_private/autoscaling_state.py, register).
*/ -}}
{{- define "ray-serve-llm.firstReplicas" -}}
{{- $scaling := .options.autoscaling_config | default dict -}}
{{- if not (kindIs "invalid" $scaling.initial_replicas) -}}
{{- $scaling.initial_replicas -}}
{{- else if not (kindIs "invalid" $scaling.min_replicas) -}}
{{- $scaling.min_replicas -}}
{{- else if has (kindOf .options.num_replicas) (list "float64" "int64" "int") -}}
{{- .options.num_replicas -}}
{{- else if or $scaling .options.num_replicas -}}
1
{{- else -}}
{{- .otherwise -}}
{{- end -}}
{{- end -}}

{{- /* Takes the same. Gives the replicas that are always there: the least, whatever Ray starts with. */ -}}
{{- define "ray-serve-llm.leastReplicas" -}}
{{- $scaling := omit (.options.autoscaling_config | default dict) "initial_replicas" -}}
{{- $options := ternary (set (omit .options "autoscaling_config") "autoscaling_config" $scaling) .options (hasKey .options "autoscaling_config") -}}
{{- include "ray-serve-llm.firstReplicas" (dict "options" $options "otherwise" .otherwise) -}}
{{- end -}}
