{{- /*
Checks of how much there may be: the least replicas of models and apps, and one replica of each that may go to zero, find
room on the workers that their groups can have. What is found is a bound: it never refuses what would fit.

Amounts are counted in ten-thousandths, as Ray does.
*/ -}}

{{- /* Every group against what must be on it, or all groups against all, where no group alone is too small. */ -}}
{{- define "ray-serve-llm.checkCapacity" -}}
{{- $demands := concat
  (include "ray-serve-llm.modelDemands" .root | fromJsonArray)
  (include "ray-serve-llm.appDemands" .root | fromJsonArray) -}}
{{- $problems := "" -}}
{{- $all := dict -}}
{{- range $demand := $demands -}}
{{- $counted := include "ray-serve-llm.countedPieces" .pieces | fromJson -}}
{{- $one := include "ray-serve-llm.timesPieces" (dict "pieces" $counted "times" .together) | fromJson -}}
{{- $problems = print $problems (include "ray-serve-llm.checkOneReplica" (dict "of" .of "pieces" $one "workers" $.workers)) -}}
{{- range $piece, $count := include "ray-serve-llm.timesPieces" (dict "pieces" $counted "times" .replicas) | fromJson -}}
{{- $_ := set $all $piece (add $count (get $all $piece | default 0)) -}}
{{- end -}}
{{- end -}}
{{- if trim $problems -}}
{{- $problems -}}
{{- else -}}
{{- range $group, $needed := include "ray-serve-llm.workersNeeded" (dict "pieces" $all "workers" .workers) | fromJson }}
{{- $most := get $.workers.most $group | int }}
{{- if gt (int $needed.workers) $most }}
workerGroups.{{ $group }}.maxReplicas: the least replicas of models and apps need {{ $needed.workers }} of its workers ({{ $needed.why }}), and there may be {{ $most }}. Set it to {{ $needed.workers }} or more, or lower min_replicas.
{{- $problems = "told" }}
{{- end }}
{{- end }}
{{- if not $problems }}
{{- include "ray-serve-llm.checkAllGroups" (dict "pieces" $all "workers" .workers) }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* Takes of (whose replica, as a path of the values), pieces (of one, counted) and workers. */ -}}
{{- define "ray-serve-llm.checkOneReplica" -}}
{{- range $group, $needed := include "ray-serve-llm.workersNeeded" (dict "pieces" .pieces "workers" .workers) | fromJson }}
{{- $most := get $.workers.most $group | int }}
{{- if gt (int $needed.workers) $most }}
{{ $.of }}: one replica needs {{ $needed.workers }} workers of {{ $group }} ({{ $needed.why }}), and there may be {{ $most }}. Set workerGroups.{{ $group }}.maxReplicas to {{ $needed.workers }} or more, or make the replica or the workers fit.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes pieces (counted, of all) and workers. Of a resource that several groups have, all together must have enough. */ -}}
{{- define "ray-serve-llm.checkAllGroups" -}}
{{- $asked := dict -}}
{{- range $piece, $count := .pieces -}}
{{- range $resource, $amount := include "ray-serve-llm.offeredOf" (dict "piece" (fromJson $piece) "workers" $.workers) | fromJson -}}
{{- $_ := set $asked $resource (mul $count (include "ray-serve-llm.parts" $amount) | add (get $asked $resource | default 0)) -}}
{{- end -}}
{{- end -}}
{{- range $resource, $parts := $asked }}
{{- $there := 0 }}
{{- $counted := true }}
{{- range $group, $has := $.workers.groups }}
{{- $there = mul (get $.workers.most $group | int) (get $has $resource | default 0 | include "ray-serve-llm.parts") | add $there }}
{{- $counted = and $counted (or (hasKey $has $resource) (ne $resource "CPU")) }}
{{- end }}
{{- if and $counted (gt $parts $there) }}
workerGroups: the least replicas of models and apps need {{ divf $parts 10000 }} {{ $resource }}, and all groups together may have {{ divf $there 10000 }}. Raise the groups' maxReplicas, or lower min_replicas.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes an amount of a resource. Gives it in ten-thousandths. */ -}}
{{- define "ray-serve-llm.parts" -}}
{{- round (mulf . 10000) 0 | int64 -}}
{{- end -}}

{{- /* Takes a list of pieces. Gives, as JSON, how often each is there, by the piece as JSON. */ -}}
{{- define "ray-serve-llm.countedPieces" -}}
{{- $counted := dict -}}
{{- range . -}}
{{- $piece := toJson . -}}
{{- $_ := set $counted $piece (get $counted $piece | default 0 | add1) -}}
{{- end -}}
{{- toJson $counted -}}
{{- end -}}

{{- /* Takes pieces (counted) and times. Gives the same so many times over; none for none. */ -}}
{{- define "ray-serve-llm.timesPieces" -}}
{{- $times := int64 .times -}}
{{- $all := dict -}}
{{- if $times -}}
{{- range $piece, $count := .pieces -}}
{{- $_ := set $all $piece (mul $count $times) -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- /*
Takes pieces (counted) and workers. Gives, as JSON and by group, how many of its workers those pieces need that fit on no
other group's: {workers, why}. Two bounds: each resource in sum, and each kind of piece by how many fit a worker.
*/ -}}
{{- define "ray-serve-llm.workersNeeded" -}}
{{- $needed := dict -}}
{{- $sums := dict -}}
{{- range $json, $count := .pieces -}}
{{- $asked := include "ray-serve-llm.offeredOf" (dict "piece" (fromJson $json) "workers" $.workers) | fromJson -}}
{{- $homes := include "ray-serve-llm.homes" (dict "asked" $asked "workers" $.workers) | fromJsonArray -}}
{{- if eq 1 (len $homes) -}}
{{- $group := first $homes -}}
{{- $has := get $.workers.groups $group -}}
{{- $fit := 0 -}}
{{- $sum := get $sums $group | default dict -}}
{{- range $resource, $amount := $asked -}}
{{- $parts := include "ray-serve-llm.parts" $amount | int64 -}}
{{- if and $parts (hasKey $has $resource) -}}
{{- $each := div (get $has $resource | include "ray-serve-llm.parts" | int64) $parts -}}
{{- $fit = ternary $each (min $fit $each) (eq 0 (int $fit)) -}}
{{- $_ := set $sum $resource (mul $count $parts | add (get $sum $resource | default 0)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $sums $group $sum -}}
{{- if $fit -}}
{{- $why := printf "%d times %s, of which a worker holds %d" (int64 $count) (toJson $asked) $fit -}}
{{- $needed = include "ray-serve-llm.moreNeeded" (dict "needed" $needed "group" $group "count" $count "fit" $fit "why" $why) | fromJson -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $group, $sum := $sums -}}
{{- range $resource, $parts := $sum -}}
{{- $has := get (get $.workers.groups $group) $resource -}}
{{- $why := printf "%v %s, of which a worker has %v" (divf $parts 10000) $resource $has -}}
{{- $needed = include "ray-serve-llm.moreNeeded" (dict "needed" $needed "group" $group "count" $parts "fit" (include "ray-serve-llm.parts" $has) "why" $why) | fromJson -}}
{{- end -}}
{{- end -}}
{{- toJson $needed -}}
{{- end -}}

{{- /* Takes needed, group, count, fit (of what is counted, on one worker) and why. Gives needed, as JSON, with what is more. */ -}}
{{- define "ray-serve-llm.moreNeeded" -}}
{{- $fit := int64 .fit -}}
{{- $workers := div (sub (add (int64 .count) $fit) 1) $fit -}}
{{- if gt $workers (dig .group "workers" 0 .needed | int64) -}}
{{- $_ := set .needed .group (dict "workers" $workers "why" .why) -}}
{{- end -}}
{{- toJson .needed -}}
{{- end -}}

{{- /* Takes piece and workers. Gives, as JSON, what it asks for of the resources that groups are compared by. */ -}}
{{- define "ray-serve-llm.offeredOf" -}}
{{- $asked := dict -}}
{{- range $resource, $amount := .piece -}}
{{- if and $amount (hasKey $.workers.offered $resource) -}}
{{- $_ := set $asked $resource $amount -}}
{{- end -}}
{{- end -}}
{{- toJson $asked -}}
{{- end -}}

{{- /* Takes asked ({resource: amount}) and workers. Gives, as JSON, the groups of which a worker holds that. */ -}}
{{- define "ray-serve-llm.homes" -}}
{{- $homes := list -}}
{{- range $group, $has := .workers.groups -}}
{{- if include "ray-serve-llm.fits" (dict "asked" $.asked "has" $has) -}}
{{- $homes = append $homes $group -}}
{{- end -}}
{{- end -}}
{{- toJson $homes -}}
{{- end -}}
