{{- /*
How many workers of each group come up beside the head, instead of after the autoscaler has seen Serve ask for them.

A group is counted by the resources that it alone has, where all that asks for one is of the same size. Of several sizes
the small ones would spread over workers that are there, until none is whole for a wide one; there the autoscaler
brings a worker for each as it comes. What asks for a resource that several groups have goes to the first of them in order,
as far as that has room. What an app's code says of its replicas cannot be seen here.
*/ -}}

{{- /* Takes the root. Gives, as JSON, the workers of each group, by its name, that hold the replicas which are there from the start. */ -}}
{{- define "ray-serve-llm.startingWorkers" -}}
{{- $demands := concat
  (include "ray-serve-llm.llmConfigDemands" . | fromJsonArray)
  (include "ray-serve-llm.appDemands" (dict "root" . "otherwise" 0) | fromJsonArray) -}}
{{- $sizes := include "ray-serve-llm.piecesBySize" $demands | fromJson -}}
{{- $there := include "ray-serve-llm.workers" . | fromJson -}}
{{- $groups := $there.groups -}}
{{- $counted := dict -}}
{{- range $group, $resources := include "ray-serve-llm.countedResources" $groups | fromJson -}}
{{- $_ := set $counted $group (include "ray-serve-llm.piecesOf" (dict "resources" $resources "sizes" $sizes) | fromJson) -}}
{{- end -}}
{{- range $resource := include "ray-serve-llm.sharedResources" $groups | fromJsonArray -}}
{{- range $size, $pieces := get $sizes $resource | default dict -}}
{{- $left := $pieces | int -}}
{{- range $group := include "ray-serve-llm.groupsInOrder" $ | fromJsonArray -}}
{{- $each := include "ray-serve-llm.piecesOnWorker" (dict "amount" (get (get $groups $group) $resource) "size" $size) | int -}}
{{- $mine := get $counted $group -}}
{{- if and $each $left -}}
{{- $take := max 0 (min $left (sub (mul $each (get $there.most $group | int)) (int $mine.pieces))) -}}
{{- $left = sub $left $take | int -}}
{{- if and $take $mine.pieces (ne $each (int $mine.each)) -}}
{{- $_ := set $mine "mixed" true -}}
{{- end -}}
{{- $_ := set $counted $group (dict "pieces" (add $mine.pieces $take) "each" $each "mixed" $mine.mixed) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $workers := dict -}}
{{- range $group, $held := $counted -}}
{{- $_ := set $workers $group (ternary 0 (divf $held.pieces $held.each | ceil | int) $held.mixed) -}}
{{- end -}}
{{- toJson $workers -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, what LLMConfigs demand: a list of {of (whose, as a path of the values), replicas (there from
the start), least (always there: none of a model whose replicas a program outside sets), together (replicas that start and end at once: a gang), pieces (of each replica), apart (whether each piece has a
worker of its own)}. Those that ask alike are one entry, the first's: a fleet's ask for few different things.
*/ -}}
{{- define "ray-serve-llm.llmConfigDemands" -}}
{{- $release := include "ray-serve-llm.rayRelease" . | fromYaml -}}
{{- $alike := dict -}}
{{- range include "ray-serve-llm.llmConfigs" . | fromJsonArray -}}
{{- $external := ((get $.Values.models (.model | default "") | default dict).scaling | default dict).external | default false -}}
{{- $asks := include "ray-serve-llm.asks" .config | list .gang $external | join " " -}}
{{- $first := dig $asks "of" .who $alike -}}
{{- $_ := set $alike $asks (dict "of" $first "config" .config "gang" .gang "external" $external "models" (dig $asks "models" 0 $alike | add1)) -}}
{{- end -}}
{{- $demands := list -}}
{{- range $alike -}}
{{- $options := .config.deployment_config | default dict -}}
{{- $replicas := include "ray-serve-llm.firstReplicas" (dict "options" $options "otherwise" 1) -}}
{{- $least := ternary 0 (include "ray-serve-llm.leastReplicas" (dict "options" $options "otherwise" 1)) .external -}}
{{- $pieces := include "ray-serve-llm.pieces" (dict "config" .config "gang" .gang "release" $release) | fromJsonArray -}}
{{- $apart := and (eq (toString (.config.placement_group_config | default dict).strategy) "STRICT_SPREAD") (eq (int .gang) 1) -}}
{{- $demands = append $demands (dict "of" .of "replicas" (mul .models $replicas .gang) "least" (mul .models $least .gang) "together" .gang "pieces" $pieces "apart" $apart) -}}
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
{{- $least := include "ray-serve-llm.leastReplicas" (dict "options" . "otherwise" $.otherwise) | int -}}
{{- $pieces := include "ray-serve-llm.appPieces" . | fromJsonArray -}}
{{- $apart := eq (toString .placement_group_strategy) "STRICT_SPREAD" -}}
{{- $demands = append $demands (dict "of" $of "replicas" $replicas "least" $least "together" 1 "pieces" $pieces "apart" $apart) -}}
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
Takes what a worker of each group holds, by the group's name. Gives, as a JSON list, the custom resources that several
groups have.
*/ -}}
{{- define "ray-serve-llm.sharedResources" -}}
{{- $owners := dict -}}
{{- range . -}}
{{- range $resource, $amount := omit . "CPU" "GPU" "memory" -}}
{{- if $amount -}}
{{- $_ := set $owners $resource (get $owners $resource | default 0 | add1) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $shared := list -}}
{{- range $resource, $count := $owners -}}
{{- if gt (int $count) 1 -}}
{{- $shared = append $shared $resource -}}
{{- end -}}
{{- end -}}
{{- toJson $shared -}}
{{- end -}}

{{- /* Takes amount (that a worker has of a resource, or nothing) and size (of a piece). Gives how many of them it holds. */ -}}
{{- define "ray-serve-llm.piecesOnWorker" -}}
{{- if .amount -}}
{{- max 1 (round (divf .amount (float64 .size)) 4 | floor | int) -}}
{{- else -}}
0
{{- end -}}
{{- end -}}

{{- /*
Takes resources (that one group is counted by, of one worker) and sizes (pieces by size, of all demands). Gives, as JSON,
pieces (how many ask for that resource which takes the most workers), each (how many a worker holds) and mixed (whether a
resource is asked for in several sizes).
*/ -}}
{{- define "ray-serve-llm.piecesOf" -}}
{{- $held := dict "pieces" 0 "each" 1 "mixed" false -}}
{{- range $resource, $amount := .resources -}}
{{- $sizes := get $.sizes $resource | default dict -}}
{{- if gt (len $sizes) 1 -}}
{{- $_ := set $held "mixed" true -}}
{{- end -}}
{{- range $size, $pieces := $sizes -}}
{{- $each := include "ray-serve-llm.piecesOnWorker" (dict "amount" $amount "size" $size) | int -}}
{{- if gt (divf $pieces $each) (divf $held.pieces $held.each) -}}
{{- $held = dict "pieces" $pieces "each" $each "mixed" $held.mixed -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $held -}}
{{- end -}}
