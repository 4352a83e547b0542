{{- /* Checks of the pods: worker groups, what `ray start` is told, volumes. */ -}}

{{- /* Each worker group, and the ingress workers where the standard path has them. */ -}}
{{- define "ray-serve-llm.checkWorkerGroups" -}}
{{- $values := .root.Values -}}
{{- $groups := dict -}}
{{- range $name, $group := $values.workerGroups -}}
{{- $_ := set $groups (printf "workerGroups.%s" $name) $group -}}
{{- end -}}
{{- if eq $values.serving.path "standard" -}}
{{- $ingress := include "ray-serve-llm.ingressGroup" .root -}}
{{- if hasKey $values.workerGroups $ingress }}
workerGroups.{{ $ingress }}: that is the name of the ingress workers' group. Rename it, or say what you want of them in ingressWorkers.
{{- end }}
{{- $_ := set $groups "ingressWorkers" $values.ingressWorkers -}}
{{- end -}}
{{- if hasKey $values.workerGroups "headgroup" }}
workerGroups.headgroup: that is KubeRay's name for the head. Rename it.
{{- end }}
{{- range $where, $group := $groups }}
{{- $min := $group.minReplicas | default 0 | int }}
{{- $max := $group.maxReplicas | default 1 | int }}
{{- if gt $min $max }}
{{ $where }}.minReplicas: {{ $min }} is more than maxReplicas, {{ $max }}. Raise maxReplicas, or lower minReplicas.
{{- end }}
{{- $params := $group.rayStartParams | default dict }}
{{- if hasKey $params "resources" }}
{{ $where }}.rayStartParams.resources: the chart writes it from rayResources. Say it there.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Every pod's mounts: Kubernetes refuses a pod with two at one path. */ -}}
{{- define "ray-serve-llm.checkMounts" -}}
{{- $root := .root -}}
{{- $context := dict "root" $root "families" (include "ray-serve-llm.families" $root | fromJsonArray) -}}
{{- $pods := dict "head" (dict "role" "head" "settings" (include "ray-serve-llm.headSettings" $root | fromJson)) -}}
{{- if eq $root.Values.serving.path "standard" -}}
{{- $_ := set $pods "ingressWorkers" (dict "role" "ingress" "settings" (include "ray-serve-llm.ingressSettings" $root | fromJson)) -}}
{{- end -}}
{{- range $name, $group := $root.Values.workerGroups -}}
{{- $settings := include "ray-serve-llm.workerSettings" (dict "root" $root "name" $name "group" $group) | fromJson -}}
{{- $_ := set $pods (printf "workerGroups.%s" $name) (dict "role" "worker" "settings" $settings) -}}
{{- end -}}
{{- range $where, $pod := $pods }}
{{- $paths := dict }}
{{- range $name, $volume := include "ray-serve-llm.volumes" (set $pod "context" $context) | fromJson }}
{{- $path := trimSuffix "/" $volume.mountPath }}
{{- with get $paths $path }}
{{ $where }}.volumes: "{{ . }}" and "{{ $name }}" are both mounted at {{ $path }}. Give one of them another mountPath, or name yours as the chart's to take its place.
{{- end }}
{{- $_ := set $paths $path $name }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Volumes that need a name which only the values can give. */ -}}
{{- define "ray-serve-llm.checkVolumes" -}}
{{- $cache := .root.Values.modelCache -}}
{{- if and (eq $cache.type "persistentVolumeClaim") (not $cache.claimName) }}
modelCache.claimName: it is empty. Name an existing PersistentVolumeClaim, or set modelCache.type to emptyDir.
{{- end }}
{{- if and (eq $cache.type "hostPath") (not $cache.hostPath) }}
modelCache.hostPath: it is empty. Name a folder of the nodes, or set modelCache.type to emptyDir.
{{- end }}
{{- end -}}
