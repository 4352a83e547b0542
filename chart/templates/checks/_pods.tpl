{{- /* Checks of the pods: worker groups, what `ray start` is told, volumes. */ -}}

{{- /* Each worker group, and the ingress workers where there are some. */ -}}
{{- define "ray-serve-llm.checkWorkerGroups" -}}
{{- $values := .root.Values -}}
{{- $groups := dict -}}
{{- range $name, $group := $values.workerGroups -}}
{{- $_ := set $groups (printf "workerGroups.%s" $name) $group -}}
{{- end -}}
{{- if include "ray-serve-llm.ingress" .root -}}
{{- $ingress := include "ray-serve-llm.ingressGroup" .root -}}
{{- if hasKey $values.workerGroups $ingress }}
workerGroups.{{ $ingress }}: that is the name of the ingress workers' group. Rename it, or say what you want of them in ingressWorkers.
{{- end }}
{{- $_ := set $groups "ingressWorkers" $values.ingressWorkers -}}
{{- end -}}
{{- if hasKey $values.workerGroups "headgroup" }}
workerGroups.headgroup: that is KubeRay's name for the head. Rename it.
{{- end }}
{{- $devices := .root.Files.Get "files/accelerators.yaml" | fromYaml }}
{{- range $where, $group := $groups }}
{{- $min := $group.minReplicas | default 0 | int }}
{{- $max := $group.maxReplicas | default 1 | int }}
{{- if gt $min $max }}
{{ $where }}.minReplicas: {{ $min }} is more than maxReplicas, {{ $max }}. Raise maxReplicas, or lower minReplicas.
{{- end }}
{{- include "ray-serve-llm.checkGpuResource" (dict "of" $where "group" $group) }}
{{- if $group.gpusPerWorker }}
{{- include "ray-serve-llm.checkAccelerator" (dict "of" $where "group" $group "devices" $devices) }}
{{- end }}
{{- range $resource, $_ := $group.rayResources }}
{{- if has $resource (list "CPU" "GPU" "memory" "object_store_memory" "node:__internal_head__") }}
{{ $where }}.rayResources.{{ $resource }}: Ray counts it itself, and does not start with it here. Say CPUs and memory in resources, GPUs in gpusPerWorker.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /*
Takes of (a worker group, as a path of the values) and group. The chart writes the GPUs among the resources, and goes by
gpusPerWorker; Ray and KubeRay take every resource that ends in `gpu` for GPUs.
*/ -}}
{{- define "ray-serve-llm.checkGpuResource" -}}
{{- $gpus := .group.gpusPerWorker | default 0 | int -}}
{{- $name := .group.gpuResourceName | default "nvidia.com/gpu" -}}
{{- $resources := .group.resources | default dict -}}
{{- range $bound := list "requests" "limits" }}
{{- range $resource, $amount := get $resources $bound | default dict }}
{{- if and (hasSuffix "gpu" $resource) $amount }}
{{- if ne $resource $name }}
{{ $.of }}.resources.{{ $bound }}.{{ $resource }}: GPUs are said in gpusPerWorker, and their name in gpuResourceName, which is {{ $name }}. Set that to {{ $resource }}, and remove it here.
{{- else if ne (include "ray-serve-llm.quantity" $amount | float64) (float64 $gpus) }}
{{ $.of }}.resources.{{ $bound }}.{{ $resource }}: {{ $amount }} contradicts gpusPerWorker, {{ $gpus }}. Remove it here, and set gpusPerWorker to what a worker has.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /*
Takes of (a worker group, as a path of the values), group and devices (files/accelerators.yaml). What Ray counts by another
name than GPU is no GPU to it, whatever `ray start` is told.
*/ -}}
{{- define "ray-serve-llm.checkAccelerator" -}}
{{- $device := .group.gpuResourceName | default "nvidia.com/gpu" -}}
{{- with include "ray-serve-llm.ofDevice" (dict "rows" .devices.notGpus "device" $device) | fromJson }}
{{ $.of }}.gpuResourceName: {{ $device }} is no GPU to Ray, which counts it as {{ .resource }}. Remove it and gpusPerWorker, set resources.limits to {{ printf "{%s: %v}" $device $.group.gpusPerWorker }}{{ if not .found }} and rayResources to {{ printf "{%s: %v}" .resource $.group.gpusPerWorker }}{{ end }}, and ask for {{ .resource }} in the models' bundles.
{{- end }}
{{- end -}}

{{- /*
Takes rows (by the names of devices, where one that ends in * stands for all that begin so) and device. Gives, as JSON, its
row; an empty one where it has none.
*/ -}}
{{- define "ray-serve-llm.ofDevice" -}}
{{- $found := dict -}}
{{- range $name, $row := .rows -}}
{{- if or (eq $name $.device) (and (hasSuffix "*" $name) (hasPrefix (trimSuffix "*" $name) $.device)) -}}
{{- $found = $row -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- /* The head: what would keep KubeRay from reaching Ray. */ -}}
{{- define "ray-serve-llm.checkHead" -}}
{{- $params := .root.Values.head.rayStartParams | default dict -}}
{{- with get $params "dashboard-host" }}
{{- if ne . "0.0.0.0" }}
head.rayStartParams.dashboard-host: KubeRay hands the models to the dashboard from another pod, and at {{ . }} it could not reach it. Remove it; networkPolicy.enabled closes the port to others.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes the root. Gives, as JSON, every kind of pod of the release by where its values are: {role, settings}. */ -}}
{{- define "ray-serve-llm.kindsOfPods" -}}
{{- $root := . -}}
{{- $pods := dict "head" (dict "role" "head" "settings" (include "ray-serve-llm.headSettings" $root | fromJson)) -}}
{{- if include "ray-serve-llm.ingress" . -}}
{{- $_ := set $pods "ingressWorkers" (dict "role" "ingress" "settings" (include "ray-serve-llm.ingressSettings" $root | fromJson)) -}}
{{- end -}}
{{- range $name, $group := .Values.workerGroups -}}
{{- $settings := include "ray-serve-llm.workerSettings" (dict "root" $root "name" $name "group" $group) | fromJson -}}
{{- $_ := set $pods (printf "workerGroups.%s" $name) (dict "role" "worker" "settings" $settings) -}}
{{- end -}}
{{- toJson $pods -}}
{{- end -}}

{{- /* Workers' CPUs, which Ray and the checks go by, in a unit that they read. */ -}}
{{- define "ray-serve-llm.checkCpus" -}}
{{- range $where, $pod := omit .pods "head" }}
{{- if not (include "ray-serve-llm.workerCpus" $pod.settings) }}
{{- with include "ray-serve-llm.workerCpuQuantity" $pod.settings }}
{{ $where }}.resources: "{{ . }}" is no number of CPUs that is understood here. Write CPUs (2, 0.5) or thousandths of one (500m).
{{- else }}
{{ $where }}.resources: it gives a worker no CPU, and Ray runs nothing there. Say how many in resources.limits.cpu (2, 0.5 or 500m).
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Every mount of Ray's container: Kubernetes refuses two at one path, and a volume that is not there. */ -}}
{{- define "ray-serve-llm.checkMounts" -}}
{{- $context := dict
  "root" .root
  "families" (include "ray-serve-llm.families" .root | fromJsonArray)
  "apps" (include "ray-serve-llm.appConfigMaps" .root | fromJson)
  "schedules" (include "ray-serve-llm.schedules" .root) -}}
{{- range $where, $pod := .pods }}
{{- $paths := dict }}
{{- $volumes := include "ray-serve-llm.volumes" (dict "context" $context "role" $pod.role "settings" $pod.settings) | fromJson }}
{{- range $name, $volume := $volumes }}
{{- if $volume.mountPath }}
{{- $path := trimSuffix "/" $volume.mountPath }}
{{- with get $paths $path }}
{{ $where }}.volumes: "{{ . }}" and "{{ $name }}" are both mounted at {{ $path }}. Give one of them another mountPath, or name yours as the chart's to take its place.
{{- end }}
{{- $_ := set $paths $path $name }}
{{- end }}
{{- end }}
{{- range $key, $mount := $pod.settings.volumeMounts }}
{{- $path := trimSuffix "/" $mount.mountPath }}
{{- if eq ($mount.name | default $key) (include "ray-serve-llm.kubernetesVolumeName" .) }}
{{ $where }}.volumeMounts.{{ $key }}: in that volume is the autoscaler's token of Kubernetes, and no container that runs Ray has it. Remove it.
{{- else if not (hasKey $volumes ($mount.name | default $key)) }}
{{ $where }}.volumeMounts.{{ $key }}: the pods have no volume {{ $mount.name | default $key }}. Add it to volumes (here or in pods), or name one of: {{ keys $volumes | sortAlpha | join ", " }}.
{{- end }}
{{- with get $paths $path }}
{{ $where }}.volumeMounts.{{ $key }}: "{{ . }}" is mounted at {{ $path }} already. Give one of them another mountPath.
{{- end }}
{{- $_ := set $paths $path $key }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Volumes that need a name which only the values can give. */ -}}
{{- define "ray-serve-llm.checkVolumes" -}}
{{- $cache := .root.Values.modelCache -}}
{{- if and (eq $cache.type "persistentVolumeClaim") (not $cache.claimName) (not $cache.create) }}
modelCache.claimName: it is empty. Name an existing PersistentVolumeClaim, let the chart make one (create: {size: 200Gi}), or set modelCache.type to emptyDir.
{{- end }}
{{- if and $cache.create $cache.claimName }}
modelCache.create: claimName names a claim that is there. Remove it for one that the chart makes, or remove create.
{{- end }}
{{- if and $cache.create (ne $cache.type "persistentVolumeClaim") }}
modelCache.create: it makes a persistentVolumeClaim, and modelCache.type is {{ $cache.type }}. Set type to persistentVolumeClaim, or remove create.
{{- end }}
{{- if and (eq $cache.type "hostPath") (not $cache.hostPath) }}
modelCache.hostPath: it is empty. Name a folder of the nodes, or set modelCache.type to emptyDir.
{{- end }}
{{- if and $cache.prefetch (ne $cache.type "persistentVolumeClaim") }}
modelCache.prefetch: what one pod downloads reaches the others through a persistentVolumeClaim only, and modelCache.type is {{ $cache.type }}. Set it to persistentVolumeClaim, or prefetch to false.
{{- end }}
{{- end -}}
