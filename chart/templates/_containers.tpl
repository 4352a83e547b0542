{{- /* Containers beside Ray's, and what is a map by name in the values and a list in Kubernetes. */ -}}

{{- /* Takes maps by name. Gives, as JSON, the list that Kubernetes has in their place: each with its `name`, its own or the key. */ -}}
{{- define "ray-serve-llm.named" -}}
{{- $list := list -}}
{{- range $name, $each := . -}}
{{- $list = append $list (include "ray-serve-llm.overlay" (list (dict "name" $name) $each) | fromJson) -}}
{{- end -}}
{{- toJson $list -}}
{{- end -}}

{{- /* Takes `envFrom` of the values. Gives, as JSON, that of a container: the keys of the values are for merging alone. */ -}}
{{- define "ray-serve-llm.envFrom" -}}
{{- $list := list -}}
{{- range . -}}
{{- $list = append $list . -}}
{{- end -}}
{{- toJson $list -}}
{{- end -}}

{{- /* Takes `resources` of the values. Gives, as JSON, those of a container. */ -}}
{{- define "ray-serve-llm.resources" -}}
{{- $claims := dict -}}
{{- with .claims -}}
{{- $claims = dict "claims" (include "ray-serve-llm.named" . | fromJsonArray) -}}
{{- end -}}
{{- include "ray-serve-llm.overlay" (list . $claims) -}}
{{- end -}}

{{- /* Takes a map. Gives it as JSON without what is null, empty text, or an empty map or list. */ -}}
{{- define "ray-serve-llm.said" -}}
{{- $said := dict -}}
{{- range $key, $value := . -}}
{{- if or (kindIs "bool" $value) (kindIs "float64" $value) $value -}}
{{- $_ := set $said $key $value -}}
{{- end -}}
{{- end -}}
{{- toJson $said -}}
{{- end -}}

{{- /*
Takes root, settings (of the pod) and containers (`extraContainers` or `initContainers`). Gives the entries of a pod's list.
A container without an image of its own has that of Ray's. On a GPU worker it is told that it has no device: an image may ask
for all of them by itself, as those made from CUDA's do, and the runtime would hand it the model's.
*/ -}}
{{- define "ray-serve-llm.addedContainers" -}}
{{- $made := list -}}
{{- range $name, $container := .containers -}}
{{- $entry := dict "name" $name -}}
{{- if not $container.image -}}
{{- $_ := set $entry "image" (include "ray-serve-llm.image" (dict "root" $.root "image" $.settings.image)) -}}
{{- $_ := set $entry "imagePullPolicy" $.settings.image.pullPolicy -}}
{{- end -}}
{{- $env := ternary (dict "NVIDIA_VISIBLE_DEVICES" "void") dict (gt (int $.settings.gpusPerWorker) 0) -}}
{{- $env = include "ray-serve-llm.overlay" (list $env $container.env) | fromJson -}}
{{- $kept := dict "allowPrivilegeEscalation" false "capabilities" (dict "drop" (list "ALL")) -}}
{{- $context := include "ray-serve-llm.narrowed" (dict
  "key" "securityContext"
  "wider" $kept
  "narrower" ($container.securityContext | default dict)) | fromJson -}}
{{- $lists := dict
  "env" (include "ray-serve-llm.envList" $env | fromYamlArray)
  "envFrom" (include "ray-serve-llm.envFrom" $container.envFrom | fromJsonArray)
  "ports" (include "ray-serve-llm.named" $container.ports | fromJsonArray)
  "volumeMounts" (include "ray-serve-llm.named" $container.volumeMounts | fromJsonArray)
  "securityContext" $context -}}
{{- $own := include "ray-serve-llm.said" $container | fromJson -}}
{{- $made = append $made (include "ray-serve-llm.said" (include "ray-serve-llm.overlay" (list $entry $own $lists) | fromJson) | fromJson) -}}
{{- end -}}
{{- toYaml $made -}}
{{- end -}}
