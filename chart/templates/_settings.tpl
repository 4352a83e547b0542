{{- /* What each kind of pod is made from: the chart's defaults, the settings of all pods, and its own over them. */ -}}

{{- /*
Takes key, wider and narrower: two maps of one pod setting. Gives, as JSON, the narrower over the wider, key by key,
and one level deeper where that is how the setting is meant.
*/ -}}
{{- define "ray-serve-llm.narrowed" -}}
{{- $wider := .wider -}}
{{- $deeper := dict -}}
{{- if eq .key "image" -}}
{{- /* A tag or a digest is one of its repository; a tag takes the place of a digest. */ -}}
{{- if .narrower.repository -}}
{{- $wider = omit $wider "tag" "digest" -}}
{{- else if .narrower.tag -}}
{{- $wider = omit $wider "digest" -}}
{{- end -}}
{{- else if and (eq .key "securityContext") .narrower.capabilities -}}
{{- $_ := set $deeper "capabilities" (include "ray-serve-llm.overlay" (list $wider.capabilities .narrower.capabilities) | fromJson) -}}
{{- else if eq .key "resources" -}}
{{- /* A resource that is bounded here is bounded here alone: a wider request might be more than this limit. */ -}}
{{- $own := concat (keys (.narrower.requests | default dict)) (keys (.narrower.limits | default dict)) -}}
{{- range $bound := list "requests" "limits" -}}
{{- $kept := dict -}}
{{- range $resource, $quantity := get $wider $bound | default dict -}}
{{- if not (has $resource $own) -}}
{{- $_ := set $kept $resource $quantity -}}
{{- end -}}
{{- end -}}
{{- $_ := set $deeper $bound (include "ray-serve-llm.overlay" (list $kept (get $.narrower $bound)) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- include "ray-serve-llm.overlay" (list $wider .narrower $deeper) -}}
{{- end -}}

{{- /*
Takes a list of pod settings, the widest first (the chart's defaults, `pods`, a group). Gives, as JSON, the settings
of that group's pods: maps merge by key, everything else is replaced by the narrower one where it is given (0 is
given; an empty string or list is not).
*/ -}}
{{- define "ray-serve-llm.settings" -}}
{{- $settings := dict -}}
{{- range . -}}
{{- range $key, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $_ := set $settings $key (include "ray-serve-llm.narrowed" (dict
  "key" $key
  "wider" (get $settings $key | default dict)
  "narrower" $value) | fromJson) -}}
{{- else if or $value (not (or (kindIs "string" $value) (kindIs "slice" $value) (kindIs "invalid" $value))) -}}
{{- $_ := set $settings $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $settings -}}
{{- end -}}

{{- /* Takes the root. Gives, as JSON, what every pod has unless the values say otherwise: the image, and settings
that the restricted Pod Security Standard asks for, with the user of Ray's images. */ -}}
{{- define "ray-serve-llm.podDefaults" -}}
{{- dict
  "image" .Values.image
  "podSecurityContext" (dict
    "runAsNonRoot" true
    "runAsUser" 1000
    "runAsGroup" 100
    "fsGroup" 100
    "fsGroupChangePolicy" "OnRootMismatch"
    "seccompProfile" (dict "type" "RuntimeDefault"))
  "securityContext" (dict
    "allowPrivilegeEscalation" false
    "capabilities" (dict "drop" (list "ALL")))
  | toJson -}}
{{- end -}}

{{- /* Takes the root. Gives, as JSON, the settings of the head's pod. */ -}}
{{- define "ray-serve-llm.headSettings" -}}
{{- $defaults := dict "resources" (dict
  "requests" (dict "cpu" "2" "memory" "8Gi")
  "limits" (dict "cpu" "4" "memory" "16Gi")) -}}
{{- include "ray-serve-llm.settings" (list (include "ray-serve-llm.podDefaults" . | fromJson) .Values.pods $defaults .Values.head) -}}
{{- end -}}

{{- /* Takes the root. Gives, as JSON, the settings of the ingress workers' pods. */ -}}
{{- define "ray-serve-llm.ingressSettings" -}}
{{- $size := dict "cpu" "1" "memory" "6Gi" -}}
{{- $defaults := dict
  "resources" (dict "requests" $size "limits" $size)
  "rayResources" (dict (include "ray-serve-llm.ingressGroup" .) 1) -}}
{{- include "ray-serve-llm.settings" (list (include "ray-serve-llm.podDefaults" . | fromJson) .Values.pods $defaults .Values.ingressWorkers) -}}
{{- end -}}

{{- /*
Takes root, name and group (one of `workerGroups`). Gives, as JSON, the settings of its pods. Unless told otherwise
a worker has 6 CPUs and 24Gi for each GPU. /dev/shm has 10Gi: Ray's object store moves to the disk when it is smaller
than 10 GB (ray/_private/services.py), and it counts as the pod's memory only as far as it is used.
*/ -}}
{{- define "ray-serve-llm.workerSettings" -}}
{{- $gpus := .group.gpusPerWorker | default 0 | int -}}
{{- $units := max 1 $gpus -}}
{{- $gpuResource := .group.gpuResourceName | default "nvidia.com/gpu" -}}
{{- $defaults := dict "gpusPerWorker" $gpus "gpuResourceName" $gpuResource "minReplicas" 0 "maxReplicas" 1 -}}
{{- if $gpus -}}
{{- $_ := set $defaults "sharedMemory" "10Gi" -}}
{{- end -}}
{{- $size := dict "cpu" (mul 6 $units | toString) "memory" (printf "%dGi" (mul 24 $units)) -}}
{{- $_ := set $defaults "resources" (dict "requests" $size "limits" $size) -}}
{{- if not .group.rayResources -}}
{{- $_ := set $defaults "rayResources" (dict .name $units) -}}
{{- end -}}
{{- $settings := include "ray-serve-llm.settings" (list (include "ray-serve-llm.podDefaults" .root | fromJson) $defaults .root.Values.pods .group) | fromJson -}}
{{- if $gpus -}}
{{- range $bound := list "requests" "limits" -}}
{{- $_ := set $settings.resources $bound (include "ray-serve-llm.overlay" (list (get $settings.resources $bound) (dict $gpuResource $gpus)) | fromJson) -}}
{{- end -}}
{{- /* Vendors taint their nodes with `<domain>/gpu`. */ -}}
{{- $taint := printf "%s/gpu" (splitList "/" $gpuResource | first) -}}
{{- $_ := set $settings "tolerations" (append ($settings.tolerations | default list) (dict "key" $taint "operator" "Exists" "effect" "NoSchedule")) -}}
{{- end -}}
{{- toJson $settings -}}
{{- end -}}
