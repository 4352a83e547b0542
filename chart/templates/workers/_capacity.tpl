{{- /* What one worker of each group holds. */ -}}

{{- /*
Takes a group's settings. Gives the CPU quantity that KubeRay and Ray's autoscaler go by, as a string; nothing where
there is none.
*/ -}}
{{- define "ray-serve-llm.workerCpuQuantity" -}}
{{- $resources := .resources | default dict -}}
{{- coalesce
  (get (.rayStartParams | default dict) "num-cpus")
  ($resources.limits | default dict).cpu
  ($resources.requests | default dict).cpu
  | default "" -}}
{{- end -}}

{{- /* Takes a group's settings. Gives a worker's CPUs as Ray counts them, in whole ones; nothing where they cannot be read. */ -}}
{{- define "ray-serve-llm.workerCpus" -}}
{{- $quantity := include "ray-serve-llm.workerCpuQuantity" . -}}
{{- if regexMatch "^[0-9.]+m$" $quantity -}}
{{- divf (trimSuffix "m" $quantity | float64) 1000 | ceil -}}
{{- else if regexMatch "^[0-9.]+(e[0-9]+)?$" $quantity -}}
{{- float64 $quantity | ceil -}}
{{- end -}}
{{- end -}}

{{- /* Takes a group's settings. Gives the memory (bytes) that Ray's autoscaler goes by; nothing where none is said. */ -}}
{{- define "ray-serve-llm.workerMemory" -}}
{{- $resources := .resources | default dict -}}
{{- $said := coalesce
  (get (.rayStartParams | default dict) "memory" | trimAll "\"'")
  ($resources.limits | default dict).memory
  ($resources.requests | default dict).memory -}}
{{- with $said -}}
{{- include "ray-serve-llm.quantity" . | float64 | ceil -}}
{{- end -}}
{{- end -}}

{{- /* Takes a group's settings. Gives a worker's GPUs as Ray counts them; nothing where it has none. */ -}}
{{- define "ray-serve-llm.workerGpus" -}}
{{- with get (.rayStartParams | default dict) "num-gpus" | default .gpusPerWorker | float64 -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{- /*
Takes a group's settings. Gives, as JSON, what one of its workers holds, {resource: amount}. CPUs that cannot be read and
memory that is not said are left out.
*/ -}}
{{- define "ray-serve-llm.workerHolds" -}}
{{- $counted := dict -}}
{{- with include "ray-serve-llm.workerCpus" . -}}
{{- $_ := set $counted "CPU" (float64 .) -}}
{{- end -}}
{{- with include "ray-serve-llm.workerMemory" . -}}
{{- $_ := set $counted "memory" (float64 .) -}}
{{- end -}}
{{- with include "ray-serve-llm.workerGpus" . -}}
{{- $_ := set $counted "GPU" (float64 .) -}}
{{- end -}}
{{- include "ray-serve-llm.overlay" (list .rayResources $counted) -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, what there is to land on: groups (what one worker of each holds, by the group's name),
most (workers of each, by name), gpuGroups (names) and offered (every resource that some worker has).
*/ -}}
{{- define "ray-serve-llm.workers" -}}
{{- $groups := dict -}}
{{- $most := dict -}}
{{- $gpuGroups := list -}}
{{- $offered := dict "CPU" true -}}
{{- range $name, $group := .Values.workerGroups -}}
{{- $settings := include "ray-serve-llm.workerSettings" (dict "root" $ "name" $name "group" $group) | fromJson -}}
{{- $holds := include "ray-serve-llm.workerHolds" $settings | fromJson -}}
{{- range $resource, $_ := $holds -}}
{{- $_ := set $offered $resource true -}}
{{- end -}}
{{- if include "ray-serve-llm.workerGpus" $settings -}}
{{- $gpuGroups = append $gpuGroups $name -}}
{{- end -}}
{{- $_ := set $groups $name $holds -}}
{{- $_ := set $most $name (int $settings.maxReplicas) -}}
{{- end -}}
{{- dict "groups" $groups "most" $most "gpuGroups" $gpuGroups "offered" $offered | toJson -}}
{{- end -}}
