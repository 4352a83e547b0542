{{- /* The volumes of pods, and how they are mounted. */ -}}

{{- /* Takes the root. Gives the name of the claim for downloaded models that the chart makes where `modelCache.create` says so. */ -}}
{{- define "ray-serve-llm.cacheClaim" -}}
{{- include "ray-serve-llm.name" . -}}-model-cache
{{- end -}}

{{- /* Takes the root. Gives, as JSON, the volume in which downloaded models lie, as in `pods.volumes`. */ -}}
{{- define "ray-serve-llm.modelCache" -}}
{{- $cache := .Values.modelCache -}}
{{- $source := dict -}}
{{- if eq $cache.type "persistentVolumeClaim" -}}
{{- $_ := set $source "claimName" (ternary (include "ray-serve-llm.cacheClaim" .) $cache.claimName (not (empty $cache.create))) -}}
{{- else if eq $cache.type "hostPath" -}}
{{- $_ := set $source "path" $cache.hostPath -}}
{{- else if $cache.sizeLimit -}}
{{- $_ := set $source "sizeLimit" $cache.sizeLimit -}}
{{- end -}}
{{- dict "mountPath" $cache.mountPath $cache.type $source | toJson -}}
{{- end -}}

{{- /*
Takes context, role and settings. Gives, as JSON, the volumes of a pod by name, each with its mountPath and source, as
in `pods.volumes`: the chart's, and the values' own over them. Every pod has the files of every family and app: Ray
reads them wherever it builds an application. Who mounts something of their own at /dev/shm gets that alone.
*/ -}}
{{- define "ray-serve-llm.volumes" -}}
{{- $values := .context.root.Values -}}
{{- $volumes := dict -}}
{{- $sharedMemory := .settings.sharedMemory -}}
{{- range .settings.volumes -}}
{{- if eq (trimSuffix "/" (.mountPath | default "")) "/dev/shm" -}}
{{- $sharedMemory = "" -}}
{{- end -}}
{{- end -}}
{{- range .context.families -}}
{{- $_ := set $volumes (printf "family-%s" .) (dict
  "mountPath" (printf "%s/%s" $values.serving.modelsPath .)
  "readOnly" true
  "configMap" (dict "name" (include "ray-serve-llm.familyConfigMap" .))) -}}
{{- end -}}
{{- with .context.schedules -}}
{{- $_ := set $volumes "schedules" (dict
  "mountPath" (include "ray-serve-llm.schedulesPath" $.context.root)
  "readOnly" true
  "configMap" (dict "name" .)) -}}
{{- end -}}
{{- range $app, $configMap := .context.apps -}}
{{- $_ := set $volumes (printf "app-%s" $app) (dict
  "mountPath" (printf "%s/%s" $values.serving.appsPath $app)
  "readOnly" true
  "configMap" (dict "name" $configMap)) -}}
{{- end -}}
{{- with $sharedMemory -}}
{{- $_ := set $volumes "shared-memory" (dict "mountPath" "/dev/shm" "emptyDir" (dict "medium" "Memory" "sizeLimit" .)) -}}
{{- end -}}
{{- if eq .role "worker" -}}
{{- $_ := set $volumes "model-cache" (include "ray-serve-llm.modelCache" .context.root | fromJson) -}}
{{- end -}}
{{- include "ray-serve-llm.overlay" (list $volumes .settings.volumes) -}}
{{- end -}}

{{- /*
Takes volumes (by name, as `ray-serve-llm.volumes` gives them) and, where there are, more (`volumeMounts` of the values). Gives, as
JSON, the `volumeMounts` of Ray's container. A volume without a mountPath is for other containers.
*/ -}}
{{- define "ray-serve-llm.mounts" -}}
{{- $mounts := list -}}
{{- range $name, $volume := .volumes -}}
{{- if $volume.mountPath -}}
{{- $how := pick $volume "mountPath" "readOnly" "subPath" "subPathExpr" "mountPropagation" "recursiveReadOnly" -}}
{{- $mounts = append $mounts (include "ray-serve-llm.said" (set $how "name" $name) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- concat $mounts (include "ray-serve-llm.named" .more | fromJsonArray) | toJson -}}
{{- end -}}

{{- /* Takes volumes by name, as `ray-serve-llm.volumes` gives them. Gives the `volumes` of a pod. */ -}}
{{- define "ray-serve-llm.volumeList" -}}
{{- range $name, $volume := . }}
- name: {{ $name | quote }}
  {{- omit $volume "mountPath" "readOnly" "subPath" "subPathExpr" "mountPropagation" "recursiveReadOnly" | toYaml | nindent 2 }}
{{- end }}
{{- end -}}
