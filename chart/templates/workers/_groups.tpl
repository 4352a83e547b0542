{{- /* The groups of workers: those of the values, and the ingress workers. */ -}}

{{- /* Takes the root. Gives, as JSON, the settings of the ingress workers' pods. */ -}}
{{- define "ray-serve-llm.ingressSettings" -}}
{{- $size := dict "cpu" "1" "memory" "6Gi" -}}
{{- $defaults := dict
  "resources" (dict "requests" $size "limits" $size)
  "affinity" (dict "podAntiAffinity" (include "ray-serve-llm.ingressSpread" . | fromYaml))
  "rayResources" (dict (include "ray-serve-llm.ingressGroup" .) 1) -}}
{{- include "ray-serve-llm.settings" (list (include "ray-serve-llm.podDefaults" . | fromJson) $defaults .Values.pods .Values.ingressWorkers) -}}
{{- end -}}

{{- /*
Takes the root. Gives, as podAntiAffinity, how the ingress workers of a cluster spread (two clusters are there in an update): over
zones and nodes where there is room. Not as topologySpreadConstraints: of two with ScheduleAnyway Kubernetes' scheduler counts
no node that lacks one of the labels, and many clusters have no zones (podtopologyspread/scoring.go).

Worker groups have no such preference. Karpenter takes one for a condition as long as it finds a way, and would bring a node
of many GPUs for each small worker.
*/ -}}
{{- define "ray-serve-llm.ingressSpread" -}}
preferredDuringSchedulingIgnoredDuringExecution:
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - weight: 50
    podAffinityTerm:
      topologyKey: {{ $key }}
      labelSelector:
        matchLabels:
          {{- include "ray-serve-llm.selectorLabels" $ | nindent 10 }}
          app.kubernetes.io/component: ingress
      matchLabelKeys: [ray.io/cluster]
{{- end }}
{{- end -}}

{{- /*
Takes root, name and group (one of `workerGroups`). Gives, as JSON, the settings of its pods unless the group or `pods` say
otherwise: 6 CPUs and 24Gi for each GPU. /dev/shm has 10Gi: Ray's object store moves to the disk when it is smaller than
10 GB (ray/_private/services.py), and it counts as the pod's memory only as far as it is used.
*/ -}}
{{- define "ray-serve-llm.workerDefaults" -}}
{{- $gpus := .group.gpusPerWorker | default 0 | int -}}
{{- $units := max 1 $gpus -}}
{{- $size := dict "cpu" (mul 6 $units | toString) "memory" (printf "%dGi" (mul 24 $units)) -}}
{{- $defaults := dict
  "gpusPerWorker" $gpus
  "gpuResourceName" (.group.gpuResourceName | default "nvidia.com/gpu")
  "gpuClaim" (.group.gpuClaim | default "")
  "minReplicas" 0
  "maxReplicas" 1
  "resources" (dict "requests" $size "limits" $size) -}}
{{- if $gpus -}}
{{- $facts := .root.Files.Get "files/host-memory.yaml" | fromYaml -}}
{{- $_ := set $defaults "sharedMemory" (printf "%dGi" (int $facts.sharedMemoryGiB)) -}}
{{- end -}}
{{- /* Of Ray's own resources a check tells, and of nothing that follows from them. */ -}}
{{- if not (omit (.group.rayResources | default dict) "CPU" "GPU" "memory" "object_store_memory" "node:__internal_head__") -}}
{{- $_ := set $defaults "rayResources" (dict .name $units) -}}
{{- end -}}
{{- toJson $defaults -}}
{{- end -}}

{{- /*
Takes settings, gpus (how many), resource (their name in Kubernetes) and claim (that has them, where one does). Gives, as JSON, the
settings with the GPUs among the resources, and with a toleration: vendors taint their nodes with `<domain>/gpu`. How many there
are Ray and KubeRay read from `num-gpus` alone where a claim has them.
*/ -}}
{{- define "ray-serve-llm.withGpus" -}}
{{- $bounds := dict -}}
{{- if .claim -}}
{{- $_ := set $bounds "claims" (include "ray-serve-llm.overlay" (list (dict .claim dict) .settings.resources.claims) | fromJson) -}}
{{- end -}}
{{- range $bound := ternary list (list "requests" "limits") (ne .claim "") -}}
{{- $resources := list (get $.settings.resources $bound) (dict $.resource $.gpus) -}}
{{- $_ := set $bounds $bound (include "ray-serve-llm.overlay" $resources | fromJson) -}}
{{- end -}}
{{- $taint := printf "%s/gpu" (splitList "/" .resource | first) -}}
{{- $toleration := dict "key" $taint "operator" "Exists" "effect" "NoSchedule" -}}
{{- include "ray-serve-llm.overlay" (list .settings (dict
  "resources" (include "ray-serve-llm.overlay" (list .settings.resources $bounds) | fromJson)
  "tolerations" (append (.settings.tolerations | default list) $toleration))) -}}
{{- end -}}

{{- /* Takes root, name and group (one of `workerGroups`). Gives, as JSON, the settings of its pods. */ -}}
{{- define "ray-serve-llm.workerSettings" -}}
{{- $defaults := include "ray-serve-llm.workerDefaults" . | fromJson -}}
{{- $settings := include "ray-serve-llm.settings" (list
  (include "ray-serve-llm.podDefaults" .root | fromJson) $defaults .root.Values.pods .group) -}}
{{- if $defaults.gpusPerWorker -}}
{{- include "ray-serve-llm.withGpus" (dict
  "settings" (fromJson $settings)
  "gpus" $defaults.gpusPerWorker
  "claim" $defaults.gpuClaim
  "resource" $defaults.gpuResourceName) -}}
{{- else -}}
{{- include "ray-serve-llm.tolerated" (dict "settings" (fromJson $settings) "devices" (.root.Files.Get "files/accelerators.yaml" | fromYaml)) -}}
{{- end -}}
{{- end -}}

{{- /*
Takes settings and devices (files/accelerators.yaml). Gives, as JSON, the settings with a toleration for each accelerator among
the limits that is no GPU: vendors taint their nodes with its name.
*/ -}}
{{- define "ray-serve-llm.tolerated" -}}
{{- $tolerations := .settings.tolerations | default list -}}
{{- range $device, $_ := (.settings.resources | default dict).limits -}}
{{- if include "ray-serve-llm.ofDevice" (dict "rows" $.devices.notGpus "device" $device) | fromJson -}}
{{- $tolerations = append $tolerations (dict "key" $device "operator" "Exists" "effect" "NoSchedule") -}}
{{- end -}}
{{- end -}}
{{- include "ray-serve-llm.overlay" (list .settings (ternary (dict "tolerations" $tolerations) dict (gt (len $tolerations) 0))) -}}
{{- end -}}

{{- /*
Takes name, settings (merged), starting (workers that replicas need from the start), role and context, as a pod template
does. Gives one entry of `workerGroupSpecs`.
Custom resources go into `rayStartParams`, where every KubeRay since 1.4 and Ray's autoscaler look for them, in the one
quoting that both can read.
*/ -}}
{{- define "ray-serve-llm.workerGroup" -}}
{{- $settings := .settings -}}
{{- $params := dict "resources" (printf "'%s'" (toJson $settings.rayResources)) -}}
{{- if $settings.gpusPerWorker -}}
{{- $_ := set $params "num-gpus" (toString $settings.gpusPerWorker) -}}
{{- end -}}
- groupName: {{ .name | quote }}
  replicas: {{ min (max .starting (int $settings.minReplicas)) (int $settings.maxReplicas) }}
  minReplicas: {{ int $settings.minReplicas }}
  maxReplicas: {{ int $settings.maxReplicas }}
  {{- with $settings.idleTimeoutSeconds }}
  idleTimeoutSeconds: {{ int . }}
  {{- end }}
  rayStartParams:
    {{- include "ray-serve-llm.overlayYaml" (list $params $settings.rayStartParams) | nindent 4 }}
  template:
    {{- include "ray-serve-llm.podTemplate" . | nindent 4 }}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, the names of `workerGroups`: those of the highest priority first, else by name. Of new workers
that would do alike, Ray's autoscaler brings those of the group that it reads first (ray/autoscaler/v2/scheduler.py, a stable
sort in _sched_best_node). KubeRay's own field for it comes after 1.6, so here it is the order alone.
*/ -}}
{{- define "ray-serve-llm.groupsInOrder" -}}
{{- $ranked := list -}}
{{- range $name, $group := .Values.workerGroups -}}
{{- $ranked = append $ranked (printf "%06d %s" (sub 999999 ($group.priority | default 0 | int)) $name) -}}
{{- end -}}
{{- $names := list -}}
{{- range sortAlpha $ranked -}}
{{- $names = append $names (splitList " " . | last) -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{- /* Takes context, as a pod template does. Gives `workerGroupSpecs`; nothing where there are no workers. */ -}}
{{- define "ray-serve-llm.workerGroups" -}}
{{- $context := . -}}
{{- if include "ray-serve-llm.ingress" .root }}
{{ include "ray-serve-llm.workerGroup" (dict
  "name" (include "ray-serve-llm.ingressGroup" .root)
  "settings" (include "ray-serve-llm.ingressSettings" .root | fromJson)
  "starting" 0
  "role" "ingress"
  "context" $context) }}
{{- end }}
{{- $starting := include "ray-serve-llm.startingWorkers" .root | fromJson }}
{{- range $name := include "ray-serve-llm.groupsInOrder" .root | fromJsonArray }}
{{- $group := get $context.root.Values.workerGroups $name }}
{{ include "ray-serve-llm.workerGroup" (dict
  "name" $name
  "settings" (include "ray-serve-llm.workerSettings" (dict "root" $context.root "name" $name "group" $group) | fromJson)
  "starting" (get $starting $name | int)
  "role" "worker"
  "context" $context) }}
{{- end }}
{{- end -}}
