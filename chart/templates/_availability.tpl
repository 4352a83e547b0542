{{- /*
What keeps a release up while nodes are drained.

A worker is ready where Serve has a replica on it, and so a proxy. A worker without one (an idle one that `minReplicas` keeps, or
the further pods of an engine on several nodes) never is, and a budget that counts it could never be met: every drain would wait
for ever. So what is counted here are workers that hold replicas at the least, and no more of them than there are for sure.
*/ -}}

{{- /*
Takes the root. Gives, as JSON, each kind of pod that may have a budget, by where its values are: group (KubeRay's name for it,
the label ray.io/group), least (its pods that are always ready) and settings.
*/ -}}
{{- define "ray-serve-llm.budgetedPods" -}}
{{- $root := . -}}
{{- $found := dict "head" (dict "group" "headgroup" "least" 1 "settings" (include "ray-serve-llm.headSettings" . | fromJson)) -}}
{{- if include "ray-serve-llm.ingress" . -}}
{{- $settings := include "ray-serve-llm.ingressSettings" . | fromJson -}}
{{- $_ := set $found "ingressWorkers" (dict
  "group" (include "ray-serve-llm.ingressGroup" .)
  "least" (include "ray-serve-llm.readyIngressWorkers" (dict "root" . "settings" $settings) | int)
  "settings" $settings) -}}
{{- end -}}
{{- $ready := include "ray-serve-llm.readyWorkers" . | fromJson -}}
{{- range $name, $group := .Values.workerGroups -}}
{{- $settings := include "ray-serve-llm.workerSettings" (dict "root" $root "name" $name "group" $group) | fromJson -}}
{{- $_ := set $found (printf "workerGroups.%s" $name) (dict
  "group" $name
  "least" (get $ready $name | int)
  "settings" $settings) -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, how many workers of each group hold replicas, at the least. Of a replica its first piece counts,
which is where Serve sees it. What several groups have may be on any of them, and counts for none.
*/ -}}
{{- define "ray-serve-llm.readyWorkers" -}}
{{- $demands := list -}}
{{- range concat
  (include "ray-serve-llm.llmConfigDemands" . | fromJsonArray)
  (include "ray-serve-llm.appDemands" (dict "root" . "otherwise" 0) | fromJsonArray) -}}
{{- $demands = append $demands (dict "replicas" .least "pieces" (list (first .pieces))) -}}
{{- end -}}
{{- $sizes := include "ray-serve-llm.piecesBySize" $demands | fromJson -}}
{{- $ready := dict -}}
{{- range $group, $resources := include "ray-serve-llm.countedResources" (include "ray-serve-llm.workers" . | fromJson).groups | fromJson -}}
{{- $workers := 0 -}}
{{- range $resource, $amount := $resources -}}
{{- $workers = max $workers (include "ray-serve-llm.workersFilled" (dict "amount" $amount "sizes" (get $sizes $resource | default dict)) | int) -}}
{{- end -}}
{{- $_ := set $ready $group $workers -}}
{{- end -}}
{{- toJson $ready -}}
{{- end -}}

{{- /* Takes amount (that a worker has of a resource) and sizes (pieces by their size). Gives the fewest workers that hold them all. */ -}}
{{- define "ray-serve-llm.workersFilled" -}}
{{- $workers := 0 -}}
{{- $sum := 0.0 -}}
{{- range $size, $pieces := .sizes -}}
{{- $sum = addf $sum (mulf (float64 $size) $pieces) -}}
{{- $each := include "ray-serve-llm.piecesOnWorker" (dict "amount" $.amount "size" $size) | int -}}
{{- $workers = max $workers (divf $pieces $each | ceil | int) -}}
{{- end -}}
{{- max $workers (round (divf $sum .amount) 4 | ceil | int) -}}
{{- end -}}

{{- /*
Takes root and settings (of the ingress workers). Gives how many of them hold an ingress, at the least: a worker has room for
several, and Serve may put them there, unless `max_replicas_per_node` forbids it.
*/ -}}
{{- define "ray-serve-llm.readyIngressWorkers" -}}
{{- $options := include "ray-serve-llm.ingressOptions" .root | fromYaml -}}
{{- $applications := ternary 1 (len .root.Values.models) (eq .root.Values.serving.routing "unified") -}}
{{- $each := include "ray-serve-llm.leastReplicas" (dict "options" $options "otherwise" 1) | int -}}
{{- $workers := 1 -}}
{{- with $options.max_replicas_per_node -}}
{{- $workers = divf $each . | ceil | int -}}
{{- end -}}
{{- $holds := include "ray-serve-llm.workerHolds" .settings | fromJson -}}
{{- range $resource, $amount := include "ray-serve-llm.actorResources" (dict "actor" $options.ray_actor_options "cpus" 1) | fromJson -}}
{{- if and $amount (get $holds $resource) -}}
{{- $sizes := dict (toString $amount) (mul $applications $each) -}}
{{- $workers = max $workers (include "ray-serve-llm.workersFilled" (dict "amount" (get $holds $resource) "sizes" $sizes) | int) -}}
{{- end -}}
{{- end -}}
{{- $workers -}}
{{- end -}}

{{- /*
Takes least and settings. Gives how many pods the budget keeps; nothing where there is none. Of one pod that is always there a
budget would hold every drain for ever, so that has to be asked for.
*/ -}}
{{- define "ray-serve-llm.minAvailable" -}}
{{- $budget := .settings.podDisruptionBudget | default dict -}}
{{- $asked := or $budget.enabled $budget.minAvailable -}}
{{- if and (ne (toString $budget.enabled) "false") (or $asked (ge (int .least) 2)) -}}
{{- $budget.minAvailable | default (max 1 (sub (int .least) 1)) -}}
{{- end -}}
{{- end -}}
