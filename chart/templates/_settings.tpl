{{- /*
Takes a list of maps, the widest first. Gives, as JSON, one map with the entries of all; the last one wins.
*/ -}}
{{- define "ray-serve-llm.overlay" -}}
{{- $all := dict -}}
{{- range . -}}
{{- range $key, $value := . | default dict -}}
{{- $_ := set $all $key $value -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- /*
Takes a list of pod settings, the widest first (the chart's defaults, `pods`, a group). Gives, as JSON, the settings
of that group's pods: maps merge by key, everything else is replaced by the narrower one where it is given (0 is
given; an empty string or list is not). A tag set for a narrower group takes the place of a wider digest.
*/ -}}
{{- define "ray-serve-llm.settings" -}}
{{- $settings := dict -}}
{{- range . -}}
{{- range $key, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $wider := get $settings $key | default dict -}}
{{- if and (eq $key "image") $value.tag -}}
{{- $wider = omit $wider "digest" -}}
{{- end -}}
{{- $_ := set $settings $key (include "ray-serve-llm.overlay" (list $wider $value) | fromJson) -}}
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
{{- $head := .Values.head -}}
{{- $defaults := dict -}}
{{- if not $head.resources -}}
{{- $_ := set $defaults "resources" (dict
  "requests" (dict "cpu" "2" "memory" "8Gi")
  "limits" (dict "cpu" "4" "memory" "16Gi")) -}}
{{- end -}}
{{- include "ray-serve-llm.settings" (list (include "ray-serve-llm.podDefaults" . | fromJson) .Values.pods $defaults $head) -}}
{{- end -}}

{{- /* Takes the root. Gives, as JSON, the settings of the ingress workers' pods. */ -}}
{{- define "ray-serve-llm.ingressSettings" -}}
{{- $group := .Values.ingressWorkers -}}
{{- $defaults := dict -}}
{{- if not $group.resources -}}
{{- $size := dict "cpu" "1" "memory" "6Gi" -}}
{{- $_ := set $defaults "resources" (dict "requests" $size "limits" $size) -}}
{{- end -}}
{{- $_ := set $defaults "rayResources" (dict (include "ray-serve-llm.ingressGroup" .) 1) -}}
{{- include "ray-serve-llm.settings" (list (include "ray-serve-llm.podDefaults" . | fromJson) .Values.pods $defaults $group) -}}
{{- end -}}

{{- /*
Takes root, name and group (one of `workerGroups`). Gives, as JSON, the settings of its pods. Without resources a
worker has 6 CPUs and 24Gi for each GPU. /dev/shm has 10Gi: Ray's object store moves to the disk when it is smaller
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
{{- if not .group.resources -}}
{{- $size := dict "cpu" (mul 6 $units | toString) "memory" (printf "%dGi" (mul 24 $units)) -}}
{{- $_ := set $defaults "resources" (dict "requests" $size "limits" $size) -}}
{{- end -}}
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
