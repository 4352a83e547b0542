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

{{- /*
Takes the root. Gives, as JSON, what there is to land on: groups (what one worker of each holds, {resource: amount}, by
the group's name; CPUs that cannot be read are left out), gpuGroups (names) and offered (every resource that some
worker has).
*/ -}}
{{- define "ray-serve-llm.workers" -}}
{{- $groups := dict -}}
{{- $gpuGroups := list -}}
{{- $offered := dict "CPU" true -}}
{{- range $name, $group := .Values.workerGroups -}}
{{- $settings := include "ray-serve-llm.workerSettings" (dict "root" $ "name" $name "group" $group) | fromJson -}}
{{- $holds := $settings.rayResources -}}
{{- range $resource, $_ := $holds -}}
{{- $_ := set $offered $resource true -}}
{{- end -}}
{{- with include "ray-serve-llm.workerCpus" $settings -}}
{{- $_ := set $holds "CPU" (float64 .) -}}
{{- end -}}
{{- $gpus := get ($settings.rayStartParams | default dict) "num-gpus" | default $settings.gpusPerWorker | float64 -}}
{{- if $gpus -}}
{{- $_ := set $holds "GPU" $gpus -}}
{{- $_ := set $offered "GPU" true -}}
{{- $gpuGroups = append $gpuGroups $name -}}
{{- end -}}
{{- $_ := set $groups $name $holds -}}
{{- end -}}
{{- dict "groups" $groups "gpuGroups" $gpuGroups "offered" $offered | toJson -}}
{{- end -}}
