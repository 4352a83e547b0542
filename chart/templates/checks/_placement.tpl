{{- /* Checks of where a replica lands: Ray waits forever for what no worker can hold, with a line in its log. */ -}}

{{- /* Takes asked and has, each {resource: amount}. Gives `true` when a worker that has this holds what is asked. */ -}}
{{- define "ray-serve-llm.fits" -}}
{{- $fits := "true" -}}
{{- range $resource, $amount := .asked -}}
{{- $there := get $.has $resource | default 0 -}}
{{- if and (gt (float64 $amount) (float64 $there)) (or (hasKey $.has $resource) (not (has $resource (list "CPU" "memory")))) -}}
{{- $fits = "" -}}
{{- end -}}
{{- end -}}
{{- $fits -}}
{{- end -}}

{{- /*
Takes of (what asks, as a path of the values), asked ({resource: amount}) and offered (resources of all worker groups).
*/ -}}
{{- define "ray-serve-llm.checkResources" -}}
{{- range $resource, $amount := .asked }}
{{- if or (not $amount) (has $resource (list "CPU" "GPU" "TPU" "memory" "object_store_memory")) (hasKey $.offered $resource) }}
{{- else if hasPrefix "accelerator_type:" $resource }}
{{ $.of }}: it asks for "{{ $resource }}", which the autoscaler knows of no group without workers, so it would stay pending forever. {{ if hasPrefix "accelerator_type:TPU" $resource }}Say it in the rayResources of its group, as {"{{ $resource }}": 1}.{{ else }}Remove it (accelerator_type, or the bundles' key): the worker group's name already places it. Else say it in a group's rayResources.{{ end }}
{{- else }}
{{ $.of }}: it asks for the resource "{{ $resource }}", which no worker group has, so it would stay pending forever. {{ with omit $.offered "CPU" "GPU" "memory" | keys | sortAlpha }}Did you mean one of: {{ join ", " . }}? Else add{{ else }}Add{{ end }} workerGroups.{{ $resource }}, or say it in a group's rayResources.
{{- end }}
{{- end }}
{{- end -}}

{{- /*
Takes of (what asks, as a path of the values), pieces (each {resource: amount}, whole on one worker), labels (a selector,
or nothing) and workers (as above). What no group has at all is told elsewhere.
*/ -}}
{{- define "ray-serve-llm.checkPieces" -}}
{{- $labels := .labels -}}
{{- range .pieces }}
{{- $asked := include "ray-serve-llm.offeredOf" (dict "piece" . "workers" $.workers) | fromJson }}
{{- $named := or $labels (omit $asked "CPU" "GPU" "memory") }}
{{- if and $asked (not (include "ray-serve-llm.homes" (dict "asked" $asked "workers" $.workers) | fromJsonArray)) }}
{{ $.of }}: it asks for {{ toJson $asked }} on one worker, which no worker group has ({{ toJson $.workers.groups }}), so it would stay pending forever. Ask for less, or make a group's workers larger.
{{- end }}
{{- if and .GPU (not $named) (gt (len $.workers.gpuGroups) 1) }}
{{ $.of }}: it asks for a GPU of no worker group in particular, so it could land on any of {{ join ", " $.workers.gpuGroups }}. Name one of them in every bundle, as {{ first $.workers.gpuGroups }}: 1.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes an entry of ray-serve-llm.llmConfigs, with release and workers (as above). */ -}}
{{- define "ray-serve-llm.checkPlacement" -}}
{{- $config := .config -}}
{{- $engine := $config.engine_kwargs | default dict -}}
{{- include "ray-serve-llm.checkPieces" (dict
  "of" .who
  "pieces" (include "ray-serve-llm.pieces" . | fromJsonArray | uniq)
  "labels" ($config.deployment_config | default dict).placement_group_bundle_label_selector
  "workers" .workers) -}}
{{- $bundles := list -}}
{{- range ($config.placement_group_config | default dict).bundles -}}
{{- if .GPU -}}
{{- $bundles = append $bundles . -}}
{{- end -}}
{{- end -}}
{{- $gpus := include "ray-serve-llm.ranks" $config | int -}}
{{- if and $bundles (ne (len $bundles) $gpus) (eq "ray" ($engine.distributed_executor_backend | default "ray")) }}
{{ .of }}.placement_group_config.bundles: {{ len $bundles }} of them have a GPU, and tensor_parallel_size × pipeline_parallel_size is {{ $gpus }}. Give one bundle for each, or say bundle_per_worker once.
{{- end }}
{{- end -}}
