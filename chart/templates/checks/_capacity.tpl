{{- /*
Checks of how much there may be: the replicas that models and apps start with, and one replica of each that may go to zero, find
room on the workers that their groups can have. What is found is a bound: it never refuses what would fit.

Amounts are counted in ten-thousandths, as Ray does, and memory in bytes. A deployment of an app that does not say how many
replicas it has is counted as one, as Ray does where its code says nothing either.
*/ -}}

{{- /* Every group against what must be on it, or all groups against all, where no group alone is too small. */ -}}
{{- define "ray-serve-llm.checkCapacity" -}}
{{- $demands := concat
  (include "ray-serve-llm.llmConfigDemands" .root | fromJsonArray)
  (include "ray-serve-llm.appDemands" (dict "root" .root "otherwise" 1) | fromJsonArray) -}}
{{- $problems := "" -}}
{{- $all := dict -}}
{{- range $demand := $demands -}}
{{- $counted := include "ray-serve-llm.countedPieces" .pieces | fromJson -}}
{{- $one := include "ray-serve-llm.timesPieces" (dict "pieces" $counted "times" .together) | fromJson -}}
{{- $problems = print $problems (include "ray-serve-llm.checkOneReplica" (dict "of" .of "pieces" $one "workers" $.workers)) -}}
{{- if .apart -}}
{{- $problems = print $problems (include "ray-serve-llm.checkApart" (dict "of" .of "pieces" .pieces "workers" $.workers)) -}}
{{- end -}}
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
workerGroups.{{ $group }}.maxReplicas: the least replicas of models and apps need {{ $needed.workers }} of its workers ({{ $needed.why }}), and there may be {{ $most }}. Set it to {{ $needed.workers }} or more, or lower min_replicas (and initial_replicas, which Ray starts with).
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

{{- /*
Takes of (whose replica, as a path of the values), pieces (of one, a list) and workers. With STRICT_SPREAD each is on a
worker of its own. So for every set of groups that a piece fits, there are as many workers as pieces that fit no others.
*/ -}}
{{- define "ray-serve-llm.checkApart" -}}
{{- $homes := list -}}
{{- range .pieces -}}
{{- $asked := include "ray-serve-llm.offeredOf" (dict "piece" . "workers" $.workers) | fromJson -}}
{{- $homes = append $homes (include "ray-serve-llm.homes" (dict "asked" $asked "workers" $.workers) | fromJsonArray) -}}
{{- end -}}
{{- range $groups := uniq $homes }}
{{- $most := 0 }}
{{- range $groups }}
{{- $most = add $most (get $.workers.most . | int) }}
{{- end }}
{{- $pieces := 0 }}
{{- range $homes }}
{{- $others := . }}
{{- range $groups }}
{{- $others = without $others . }}
{{- end }}
{{- $pieces = ternary $pieces (add1 $pieces) (gt (len $others) 0) }}
{{- end }}
{{- if and $groups (gt $pieces $most) }}
{{ $.of }}: with STRICT_SPREAD each of {{ $pieces }} bundles of a replica has a worker of its own, and there may be {{ $most }} ({{ join ", " $groups }}). Set workerGroups.{{ first $groups }}.maxReplicas {{ ternary (printf "to %d or more" $pieces) (printf "to %d more" (sub $pieces $most)) (eq 1 (len $groups)) }}, or the strategy to SPREAD or PACK, which may share a worker.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes pieces (counted, of all) and workers. Of a resource that several groups have, all together must have enough. */ -}}
{{- define "ray-serve-llm.checkAllGroups" -}}
{{- $asked := dict -}}
{{- range $piece, $count := .pieces -}}
{{- range $resource, $amount := include "ray-serve-llm.offeredOf" (dict "piece" (fromJson $piece) "workers" $.workers) | fromJson -}}
{{- $_ := set $asked $resource (mul $count (include "ray-serve-llm.parts" (dict "resource" $resource "amount" $amount)) | add (get $asked $resource | default 0)) -}}
{{- end -}}
{{- end -}}
{{- range $resource, $parts := $asked }}
{{- $there := 0 }}
{{- $counted := true }}
{{- range $group, $has := $.workers.groups }}
{{- $there = mul (get $.workers.most $group | int) (include "ray-serve-llm.parts" (dict "resource" $resource "amount" (get $has $resource))) | add $there }}
{{- $counted = and $counted (or (hasKey $has $resource) (not (has $resource (list "CPU" "memory")))) }}
{{- end }}
{{- if and $counted (gt $parts $there) }}
workerGroups: the least replicas of models and apps need {{ include "ray-serve-llm.amount" (dict "resource" $resource "parts" $parts) }}, and all groups together may have {{ include "ray-serve-llm.amount" (dict "resource" $resource "parts" $there) }}. Raise the groups' maxReplicas, or lower min_replicas (and initial_replicas, which Ray starts with).
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes resource and amount (none is 0). Gives it as a whole number: of bytes, or of ten-thousandths. */ -}}
{{- define "ray-serve-llm.parts" -}}
{{- round (mulf (.amount | default 0) (ternary 1 10000 (eq .resource "memory"))) 0 | int64 -}}
{{- end -}}

{{- /* Takes resource and parts (as above). Gives it in words. */ -}}
{{- define "ray-serve-llm.amount" -}}
{{- if eq .resource "memory" -}}
{{- printf "%d bytes of memory" (int64 .parts) -}}
{{- else -}}
{{- printf "%v %s" (divf .parts 10000) .resource -}}
{{- end -}}
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
other group's: {workers, why}. Two bounds: each resource by the sizes of its pieces, and each kind of piece by how many fit
a worker.
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
{{- $parts := include "ray-serve-llm.parts" (dict "resource" $resource "amount" $amount) | int64 -}}
{{- if and $parts (hasKey $has $resource) -}}
{{- $each := div (include "ray-serve-llm.parts" (dict "resource" $resource "amount" (get $has $resource)) | int64) $parts -}}
{{- $fit = ternary $each (min $fit $each) (eq 0 (int $fit)) -}}
{{- $sizes := get $sum $resource | default dict -}}
{{- $_ := set $sizes (toString $parts) (add $count (get $sizes (toString $parts) | default 0)) -}}
{{- $_ := set $sum $resource $sizes -}}
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
{{- range $resource, $sizes := $sum -}}
{{- $has := include "ray-serve-llm.parts" (dict "resource" $resource "amount" (get (get $.workers.groups $group) $resource)) -}}
{{- $workers := include "ray-serve-llm.workersPacked" (dict "sizes" $sizes "has" $has) | int64 -}}
{{- if gt $workers (dig $group "workers" 0 $needed | int64) -}}
{{- $why := include "ray-serve-llm.piecesInWords" (dict "resource" $resource "sizes" $sizes "has" $has "workers" $workers) -}}
{{- $_ := set $needed $group (dict "workers" $workers "why" $why) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $needed -}}
{{- end -}}

{{- /*
Takes sizes (how many pieces of each size there are, {size: pieces}, of one resource) and has (what a worker has of it). Gives
a number of workers below which no placement is.

It is Martello and Toth's bound L2 of packing into bins. For each size k up to half a worker: what is larger than a worker
without k has one alone, and leaves no room for a piece of k or more. What else is larger than half a worker has one of its
own too, with some room beside it. The pieces from k to the half fill that room, as if they could be cut, and then workers of
their own. So 3, 3 and 2 GPUs on workers of 4 are 3 workers, though 8 GPUs are 2. A packing is not tried: the bound may let
pass what cannot be placed, and never refuses what can.
*/ -}}
{{- define "ray-serve-llm.workersPacked" -}}
{{- $has := int64 .has -}}
{{- $most := 0 -}}
{{- range $least := prepend (keys .sizes) "0" -}}
{{- if le (mul 2 (int64 $least)) $has -}}
{{- $workers := 0 -}}
{{- $room := 0 -}}
{{- $small := 0 -}}
{{- range $size, $pieces := $.sizes -}}
{{- $size := int64 $size -}}
{{- if gt $size (sub $has (int64 $least)) -}}
{{- $workers = add $workers $pieces -}}
{{- else if gt (mul 2 $size) $has -}}
{{- $workers = add $workers $pieces -}}
{{- $room = add $room (mul $pieces (sub $has $size)) -}}
{{- else if ge $size (int64 $least) -}}
{{- $small = add $small (mul $pieces $size) -}}
{{- end -}}
{{- end -}}
{{- if gt $small $room -}}
{{- $workers = add $workers (div (sub (add (sub $small $room) $has) 1) $has) -}}
{{- end -}}
{{- $most = max $most $workers -}}
{{- end -}}
{{- end -}}
{{- $most -}}
{{- end -}}

{{- /*
Takes resource, sizes, has (as above) and workers (that they need). Gives in words what needs so many: the sum, or, where
that alone would need fewer, the pieces.
*/ -}}
{{- define "ray-serve-llm.piecesInWords" -}}
{{- $resource := .resource -}}
{{- $sum := 0 -}}
{{- $each := list -}}
{{- range $size, $pieces := .sizes -}}
{{- $sum = add $sum (mul $pieces (int64 $size)) -}}
{{- $each = append $each (printf "%d times %s" (int64 $pieces) (include "ray-serve-llm.amount" (dict "resource" $resource "parts" (int64 $size)))) -}}
{{- end -}}
{{- $there := include "ray-serve-llm.amount" (dict "resource" $resource "parts" (int64 .has)) -}}
{{- if lt (mul (sub .workers 1) (int64 .has)) $sum -}}
{{- printf "%s, of which a worker has %s" (include "ray-serve-llm.amount" (dict "resource" $resource "parts" $sum)) (trimSuffix (printf " %s" $resource) $there) -}}
{{- else -}}
{{- printf "%s, each whole on one worker, which has %s" (join ", " $each) $there -}}
{{- end -}}
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
