{{- /* Checks of LLMConfigs, wherever they are written: what each asks for is there, on one worker. */ -}}

{{- /* Each LLMConfig: its placement in the words of the release, and resources that some worker group has. */ -}}
{{- define "ray-serve-llm.checkModels" -}}
{{- $values := .root.Values -}}
{{- $fine := dict -}}
{{- if not (or $values.models $values.apps) }}
models: there is none, and no app. Add one, or give a values file that has some (-f values/<environment>/<family>.yaml).
{{- end }}
{{- range .llmConfigs }}
{{- $known := set (set (set (deepCopy .) "release" $.release) "workers" $.workers) "version" $values.ray.version }}
{{- include "ray-serve-llm.checkModelWords" $known }}
{{- /* A fleet's models ask for few different things: who asks for what another may have is fine too. */}}
{{- $asks := include "ray-serve-llm.asks" .config | list .gang | join " " }}
{{- /* As large as each alone may be, by the schema: the pieces of more are not even counted. */}}
{{- $ranks := include "ray-serve-llm.ranks" .config | int64 }}
{{- if gt $ranks ($.release.mostRanks | int64) }}
{{ .of }}.engine_kwargs: tensor_parallel_size × pipeline_parallel_size is {{ $ranks }}, and no engine runs on more than {{ $.release.mostRanks }}. Lower one of them.
{{- else if not (hasKey $fine $asks) }}
{{- $problems := include "ray-serve-llm.checkModel" $known }}
{{- $problems }}
{{- if not (trim $problems) }}
{{- $_ := set $fine $asks true }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes an entry of ray-serve-llm.llmConfigs, with release and version (of Ray). The placement is in the words of the release. */ -}}
{{- define "ray-serve-llm.checkModelWords" -}}
{{- range list "placement_group_config" "resources_per_bundle" }}
{{- if and (hasKey $.config .) (ne . $.release.placementField) }}
{{ $.of }}.{{ . }}: Ray {{ $.version }} does not take it. Say it in {{ $.release.placementField }}, or set ray.version to the release it was written for.
{{- end }}
{{- end }}
{{- end -}}

{{- /*
Takes an entry of ray-serve-llm.llmConfigs, with release and workers (as ray-serve-llm.workers gives them): what it asks for,
of what ray-serve-llm.asks gives. Two that give the same there have the same problems.
*/ -}}
{{- define "ray-serve-llm.checkModel" -}}
{{- $config := .config -}}
{{- $deployment := $config.deployment_config | default dict }}
{{- $of := printf "%s.deployment_config" .of }}
{{- include "ray-serve-llm.checkFixedOrScaled" (dict "of" $of "options" $deployment) }}
{{- include "ray-serve-llm.checkAutoscaling" (dict "of" (printf "%s.autoscaling_config" $of) "autoscaling" $deployment.autoscaling_config) }}
{{- include "ray-serve-llm.checkPlacement" . }}
{{- $placement := $config.placement_group_config | default dict }}
{{- $bundles := concat
  (list $placement.bundle_per_worker $config.resources_per_bundle)
  ($placement.bundles | default list)
  ($deployment.placement_group_bundles | default list) | compact }}
{{- $resources := append $bundles (($deployment.ray_actor_options | default dict).resources | default dict) }}
{{- $asked := include "ray-serve-llm.resourcesOf" $resources | fromJson }}
{{- with $config.accelerator_type }}
{{- $_ := set $asked (printf "accelerator_type:%s" .) true }}
{{- end }}
{{- include "ray-serve-llm.checkResources" (dict "of" .who "asked" $asked "offered" .workers.offered) }}
{{- $onGpus := or (hasKey $asked "GPU") (not (or $bundles (has ($config.accelerator_config | default dict).kind (list "cpu" "tpu")))) }}
{{- if and $onGpus (not .workers.gpuGroups) }}
{{ .who }}: it asks for a GPU and no worker group has one, so it would stay pending forever. Set workerGroups.<name>.gpusPerWorker, or place the model on CPUs.
{{- end }}
{{- if and $bundles (not $onGpus) (not (has ($config.accelerator_config | default dict).kind (list "cpu" "tpu"))) }}
{{- include "ray-serve-llm.checkWithoutGpu" . }}
{{- end }}
{{- end -}}

{{- /* Takes the same, of a model whose bundles have no GPU: it is not to land where only engines with one run. */ -}}
{{- define "ray-serve-llm.checkWithoutGpu" -}}
{{- $workers := .workers -}}
{{- $piece := include "ray-serve-llm.pieces" . | fromJsonArray | first -}}
{{- $asked := include "ray-serve-llm.offeredOf" (dict "piece" $piece "workers" $workers) | fromJson -}}
{{- $homes := include "ray-serve-llm.homes" (dict "asked" $asked "workers" $workers) | fromJsonArray -}}
{{- $onCpus := $homes -}}
{{- range $workers.gpuGroups -}}
{{- $onCpus = without $onCpus . -}}
{{- end -}}
{{- if and $homes (not $onCpus) }}
{{ .who }}: its bundles have no GPU, and the workers that hold them ({{ join ", " $homes }}) are there for their GPUs, so the engine would start without one. Add GPU: 1 to every bundle, or set accelerator_config to {kind: cpu}.
{{- end }}
{{- end -}}

{{- /* Takes a list of {resource: amount}. Gives, as JSON, {resource: true} of all that are asked for. */ -}}
{{- define "ray-serve-llm.resourcesOf" -}}
{{- $asked := dict -}}
{{- range . -}}
{{- range $resource, $amount := . -}}
{{- if $amount -}}
{{- $_ := set $asked $resource true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $asked -}}
{{- end -}}

{{- /* Takes of (whose options, as a path of the values) and options (of a deployment). Ray refuses a number beside a span. */ -}}
{{- define "ray-serve-llm.checkFixedOrScaled" -}}
{{- if and (kindIs "map" .options.autoscaling_config) (has (kindOf .options.num_replicas) (list "float64" "int64" "int")) }}
{{ .of }}: it has num_replicas and autoscaling_config, and Ray takes one of them. Remove num_replicas to scale, or autoscaling_config to have always as many.
{{- end }}
{{- end -}}

{{- /*
Takes of (a path of the values) and autoscaling (what is there, or nothing). Ray says 1 replica at the least, and, where
`target_ongoing_requests` is missing, a number of requests so large that a second replica is never started.
*/ -}}
{{- define "ray-serve-llm.checkAutoscaling" -}}
{{- $scaling := .autoscaling | default dict -}}
{{- $min := dig "min_replicas" 1 $scaling | float64 -}}
{{- with $scaling.max_replicas }}
{{- if and (gt (float64 .) (max $min 1 | float64)) (not (or $scaling.target_ongoing_requests $scaling.policy)) }}
{{ $.of }}.target_ongoing_requests: without it Ray never adds a replica to the first ones. Say how many requests a replica should have under way, or set max_replicas to {{ max $min 1 }}.
{{- end }}
{{- end }}
{{- end -}}
