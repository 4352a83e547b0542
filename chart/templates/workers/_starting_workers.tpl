{{- /*
How many workers of each group come up beside the head, instead of after the autoscaler has seen Serve ask for them.

A group is counted by the resources that it alone has, where all that asks for one is of the same size. Of several sizes
the small ones would spread over workers that are there, until none is whole for a wide one; there the autoscaler
brings a worker for each as it comes. What an app's code says of its replicas cannot be seen here.
*/ -}}

{{- /* Takes the root. Gives, as JSON, the workers of each group, by its name, that hold the replicas which are there from the start. */ -}}
{{- define "ray-serve-llm.startingWorkers" -}}
{{- $demands := concat
  (include "ray-serve-llm.modelDemands" . | fromJsonArray)
  (include "ray-serve-llm.appDemands" (dict "root" . "otherwise" 0) | fromJsonArray) -}}
{{- $sizes := include "ray-serve-llm.piecesBySize" $demands | fromJson -}}
{{- $groups := (include "ray-serve-llm.workers" . | fromJson).groups -}}
{{- $workers := dict -}}
{{- range $group, $resources := include "ray-serve-llm.countedResources" $groups | fromJson -}}
{{- $_ := set $workers $group (include "ray-serve-llm.workersFor" (dict "resources" $resources "sizes" $sizes) | int) -}}
{{- end -}}
{{- toJson $workers -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, what the models demand: a list of {of (whose, as a path of the values), replicas (there from
the start), together (replicas that work only at once: ranks), pieces (of each replica), apart (whether each piece has a
worker of its own)}. Models that ask alike are one entry, the first's: a fleet's ask for few different things.
*/ -}}
{{- define "ray-serve-llm.modelDemands" -}}
{{- $release := include "ray-serve-llm.rayRelease" . | fromYaml -}}
{{- $alike := dict -}}
{{- range $id, $model := .Values.models -}}
{{- $asks := include "ray-serve-llm.asks" .llmConfig -}}
{{- $first := dig $asks "of" (printf "models.%s" $id) $alike -}}
{{- $_ := set $alike $asks (dict "of" $first "config" .llmConfig "models" (dig $asks "models" 0 $alike | add1)) -}}
{{- end -}}
{{- $demands := list -}}
{{- range $alike -}}
{{- $options := .config.deployment_config | default dict -}}
{{- $replicas := include "ray-serve-llm.firstReplicas" (dict "options" $options "otherwise" 1) -}}
{{- $ranks := (.config.engine_kwargs | default dict).data_parallel_size | default 1 -}}
{{- $pieces := include "ray-serve-llm.pieces" (dict "config" .config "release" $release) | fromJsonArray -}}
{{- $apart := eq (toString (.config.placement_group_config | default dict).strategy) "STRICT_SPREAD" -}}
{{- $demands = append $demands (dict "of" .of "replicas" (mul .models $replicas $ranks) "together" $ranks "pieces" $pieces "apart" $apart) -}}
{{- end -}}
{{- toJson $demands -}}
{{- end -}}

{{- /*
Takes root and otherwise (the replicas of a deployment that says nothing of them). Gives the same of the apps: an entry for
each deployment.
*/ -}}
{{- define "ray-serve-llm.appDemands" -}}
{{- $demands := list -}}
{{- range $name, $app := .root.Values.apps -}}
{{- range .application.deployments -}}
{{- $of := printf "apps.%s.application.deployments (%s)" $name .name -}}
{{- $replicas := include "ray-serve-llm.firstReplicas" (dict "options" . "otherwise" $.otherwise) | int -}}
{{- $pieces := include "ray-serve-llm.appPieces" . | fromJsonArray -}}
{{- $apart := eq (toString .placement_group_strategy) "STRICT_SPREAD" -}}
{{- $demands = append $demands (dict "of" $of "replicas" $replicas "together" 1 "pieces" $pieces "apart" $apart) -}}
{{- end -}}
{{- end -}}
{{- toJson $demands -}}
{{- end -}}

{{- /*
Takes a list of demands. Gives, as JSON, by resource how many pieces of what size they ask for: {resource: {size: pieces}}.
Ray counts in ten-thousandths.
*/ -}}
{{- define "ray-serve-llm.piecesBySize" -}}
{{- $bySize := dict -}}
{{- range $demand := . -}}
{{- range .pieces -}}
{{- range $resource, $amount := . -}}
{{- if and $amount $demand.replicas -}}
{{- $sizes := get $bySize $resource | default dict -}}
{{- $size := round $amount 4 | toString -}}
{{- $_ := set $sizes $size (add (get $sizes $size | default 0) $demand.replicas) -}}
{{- $_ := set $bySize $resource $sizes -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $bySize -}}
{{- end -}}

{{- /*
Takes what a worker of each group holds, by the group's name. Gives, as JSON and by group, those of its resources that it
is counted by: what it alone has, but for CPUs and memory, which anything may use.
*/ -}}
{{- define "ray-serve-llm.countedResources" -}}
{{- $owners := dict -}}
{{- range . -}}
{{- range $resource, $_ := . -}}
{{- $_ := set $owners $resource (get $owners $resource | default 0 | add1) -}}
{{- end -}}
{{- end -}}
{{- $counted := dict -}}
{{- range $group, $holds := . -}}
{{- $resources := dict -}}
{{- range $resource, $amount := omit $holds "CPU" "memory" -}}
{{- if and $amount (eq 1 (get $owners $resource | int)) -}}
{{- $_ := set $resources $resource $amount -}}
{{- end -}}
{{- end -}}
{{- $_ := set $counted $group $resources -}}
{{- end -}}
{{- toJson $counted -}}
{{- end -}}

{{- /*
Takes resources (that one group is counted by, of one worker) and sizes (pieces by size, of all demands). Gives the
workers that hold those pieces; 0 where a resource is asked for in several sizes.
*/ -}}
{{- define "ray-serve-llm.workersFor" -}}
{{- $workers := 0 -}}
{{- $mixed := false -}}
{{- range $resource, $amount := .resources -}}
{{- $sizes := get $.sizes $resource | default dict -}}
{{- if gt (len $sizes) 1 -}}
{{- $mixed = true -}}
{{- else -}}
{{- range $size, $pieces := $sizes -}}
{{- $perWorker := max 1 (round (divf $amount (float64 $size)) 4 | floor | int) -}}
{{- $workers = max $workers (divf $pieces $perWorker | ceil | int) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- ternary 0 $workers $mixed -}}
{{- end -}}
