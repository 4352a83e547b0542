{{- /* How many workers of each group come up beside the head. */ -}}

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
