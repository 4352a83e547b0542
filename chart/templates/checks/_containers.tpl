{{- /* Checks of containers beside Ray's: they share its pod's address, name and volumes, and leave it the GPUs. */ -}}

{{- /*
Takes root, where (a kind of pod) and key (of its settings, a map) and name. Gives where the values say it: in the group's own
block, or in `pods`.
*/ -}}
{{- define "ray-serve-llm.podPlace" -}}
{{- $own := get (include "ray-serve-llm.podBlocks" .root | fromJson) .where | default dict -}}
{{- $of := get $own .key | default dict -}}
{{- printf "%s.%s.%s" (ternary .where "pods" (hasKey $of .name)) .key .name -}}
{{- end -}}

{{- /* Every added container of every kind of pod, each told once. */ -}}
{{- define "ray-serve-llm.checkContainers" -}}
{{- $told := dict -}}
{{- range $where, $pod := .pods -}}
{{- $ports := include "ray-serve-llm.takenPorts" (dict "root" $.root "release" $.release "role" $pod.role) | fromJsonArray -}}
{{- $volumes := include "ray-serve-llm.mountable" (dict "root" $.root "pod" $pod) | fromJsonArray -}}
{{- $here := dict -}}
{{- range $key := list "extraContainers" "initContainers" -}}
{{- range $name, $container := get $pod.settings $key | default dict -}}
{{- $place := include "ray-serve-llm.podPlace" (dict "root" $.root "where" $where "key" $key "name" $name) -}}
{{- $lines := list
  (include "ray-serve-llm.checkContainerName" (dict "name" $name "twice" (hasKey $pod.settings.extraContainers $name) "key" $key))
  (include "ray-serve-llm.checkContainerPorts" (dict "container" $container "taken" $ports "here" $here "of" $place))
  (include "ray-serve-llm.checkContainerDevices" (dict "container" $container "root" $.root "gpus" $pod.settings.gpuResourceName))
  (include "ray-serve-llm.checkContainerMounts" (dict "mounts" $container.volumeMounts "volumes" $volumes "settings" $pod.settings))
  (include "ray-serve-llm.checkContainerUser" (dict "container" $container "settings" $pod.settings))
  (include "ray-serve-llm.checkLifeOfContainer" (dict "container" $container "key" $key)) -}}
{{- range join "\n" $lines | splitList "\n" -}}
{{- if trim . -}}
{{- $_ := set $told (printf "%s%s" $place (trim .)) true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- keys $told | sortAlpha | join "\n" -}}
{{- end -}}

{{- /* Takes root, release and role (of a pod). Gives, as JSON, spans of ports that Ray and Serve have there: [first, last, what]. */ -}}
{{- define "ray-serve-llm.takenPorts" -}}
{{- $taken := list (list (include "ray-serve-llm.httpPort" .root | int) (include "ray-serve-llm.httpPort" .root | int) "Serve") -}}
{{- $spans := concat .release.ports (ternary (.release.haproxyPorts | default list) list (ne (include "ray-serve-llm.haproxy" .root) "")) -}}
{{- range $spans -}}
{{- $taken = append $taken (list (int .first) (int .last) (printf "Ray itself (%s)" .of)) -}}
{{- end -}}
{{- toJson $taken -}}
{{- end -}}

{{- /*
Takes root and pod (its role and settings). Gives, as JSON, the names of the volumes that a container may mount: the pod's, and what
KubeRay adds.
*/ -}}
{{- define "ray-serve-llm.mountable" -}}
{{- $context := dict
  "root" .root
  "families" (include "ray-serve-llm.families" .root | fromJsonArray)
  "apps" (include "ray-serve-llm.appConfigMaps" .root | fromJson)
  "schedules" (include "ray-serve-llm.schedules" .root) -}}
{{- $volumes := include "ray-serve-llm.volumes" (dict "context" $context "role" .pod.role "settings" .pod.settings) | fromJson -}}
{{- concat (keys $volumes) (list "shared-mem") (ternary (list "ray-logs") list (eq .pod.role "head")) | uniq | sortAlpha | toJson -}}
{{- end -}}

{{- /* Takes name, key and twice (whether extraContainers has the name). KubeRay goes by the names of its own. */ -}}
{{- define "ray-serve-llm.checkContainerName" -}}
{{- if has .name (list "ray-head" "ray-worker" "autoscaler" "wait-gcs-ready") }}
: that is the name of a container of KubeRay's. Choose another.
{{- else if and (eq .key "initContainers") .twice }}
: extraContainers has one of that name, and a pod takes each name once. Rename one of them.
{{- end }}
{{- end -}}

{{- /* Takes container, taken (spans), here (ports of the containers before, which is added to) and of (where it is said). */ -}}
{{- define "ray-serve-llm.checkContainerPorts" -}}
{{- range $name, $port := .container.ports }}
{{- $number := int $port.containerPort }}
{{- $spoken := printf "%d/%s" $number ($port.protocol | default "TCP") }}
{{- range $.taken }}
{{- if and (ge $number (index . 0 | int)) (le $number (index . 1 | int)) (eq ($port.protocol | default "TCP") "TCP") }}
.ports.{{ $name }}: {{ index . 2 }} has {{ ternary "that port" (printf "the ports from %d to %d" (index . 0 | int) (index . 1 | int)) (eq (index . 0 | int) (index . 1 | int)) }} on the same pods. Choose another than {{ $number }}.
{{- end }}
{{- end }}
{{- with get $.here $spoken }}
{{- if ne . $.of }}
.ports.{{ $name }}: {{ . }} has {{ $spoken }} in the same pods. Choose another.
{{- end }}
{{- end }}
{{- $_ := set $.here $spoken $.of }}
{{- end }}
{{- end -}}

{{- /* Takes container, root and gpus (the name of the group's). Every device of the pod is for Ray's container. */ -}}
{{- define "ray-serve-llm.checkContainerDevices" -}}
{{- $devices := .root.Files.Get "files/accelerators.yaml" | fromYaml -}}
{{- $resources := .container.resources | default dict -}}
{{- range $bound := list "requests" "limits" }}
{{- range $name, $amount := get $resources $bound | default dict }}
{{- if or (hasSuffix "gpu" $name) (contains "/mig-" $name) (eq $name ($.gpus | default "")) (include "ray-serve-llm.ofDevice" (dict "rows" $devices.notGpus "device" $name) | fromJson) }}
.resources.{{ $bound }}.{{ $name }}: a model would wait for a device that this container holds, and the plan counts none for it. Remove it.
{{- end }}
{{- end }}
{{- end }}
{{- include "ray-serve-llm.checkResourceNames" (dict "of" ".resources" "resources" $resources) }}
{{- end -}}

{{- /* Takes mounts (of a container), volumes (names that there are) and settings (of the pod). */ -}}
{{- define "ray-serve-llm.checkContainerMounts" -}}
{{- $paths := dict -}}
{{- range $key, $mount := .mounts }}
{{- $name := $mount.name | default $key }}
{{- if eq $name (include "ray-serve-llm.kubernetesVolumeName" .) }}
.volumeMounts.{{ $key }}: in that volume is the autoscaler's token of Kubernetes, by which pods of any kind can be run. Remove it.
{{- else if not (has $name $.volumes) }}
.volumeMounts.{{ $key }}: the pod has no volume {{ $name }}. Add it to volumes, or name one of: {{ join ", " $.volumes }}.
{{- end }}
{{- $path := trimSuffix "/" $mount.mountPath }}
{{- if regexMatch "^(/var)?/run/secrets/kubernetes\\.io(/|$)" $path }}
.volumeMounts.{{ $key }}.mountPath: programs take what is in {{ $path }} for a token of Kubernetes. Choose another folder.
{{- end }}
{{- if and $mount.subPath $mount.subPathExpr }}
.volumeMounts.{{ $key }}: Kubernetes takes subPath or subPathExpr. Remove one of them.
{{- end }}
{{- with get $paths $path }}
.volumeMounts.{{ $key }}: {{ . }} is mounted at {{ $path }} too. Give one of them another mountPath.
{{- end }}
{{- $_ := set $paths $path $key }}
{{- end }}
{{- end -}}

{{- /* Takes container and settings (of the pod). What Kubernetes and the kubelet refuse of a security context. */ -}}
{{- define "ray-serve-llm.checkContainerUser" -}}
{{- $own := .container.securityContext | default dict -}}
{{- $pod := .settings.podSecurityContext -}}
{{- if and $own.privileged (not $own.allowPrivilegeEscalation) }}
.securityContext.privileged: Kubernetes refuses a privileged container without allowPrivilegeEscalation, and the chart's default is false. Remove privileged, or set allowPrivilegeEscalation to true beside it.
{{- end }}
{{- $user := ternary $own.runAsUser $pod.runAsUser (hasKey $own "runAsUser") }}
{{- $nonRoot := ternary $own.runAsNonRoot $pod.runAsNonRoot (hasKey $own "runAsNonRoot") }}
{{- if and (eq (toString $user) "0") $nonRoot (hasKey $own "runAsUser") }}
.securityContext.runAsUser: 0 is root, and runAsNonRoot is true, as it is unless something else is said, so that no pod would start. Set runAsNonRoot to false beside it (a restricted namespace refuses such pods), or remove runAsUser.
{{- end }}
{{- end -}}

{{- /* Takes container and key. One that ends before Ray's starts has no life to watch. */ -}}
{{- define "ray-serve-llm.checkLifeOfContainer" -}}
{{- $container := .container -}}
{{- if and (eq .key "initContainers") (not .container.restartPolicy) }}
{{- range $watch := list "livenessProbe" "readinessProbe" "startupProbe" "lifecycle" }}
{{- if get $container $watch }}
.{{ $watch }}: a container that ends before Ray's starts takes none in Kubernetes. Remove it, or set restartPolicy to Always for one that stays.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Every kind of pod: its network, and devices that Ray's container asks for by claims. */ -}}
{{- define "ray-serve-llm.checkNetworkOfPods" -}}
{{- $policy := .root.Values.networkPolicy.enabled -}}
{{- range $where, $pod := .pods }}
{{- $settings := $pod.settings }}
{{- if and $settings.hostNetwork $policy }}
{{ $where }}.hostNetwork: no NetworkPolicy holds for pods on the node's own network, so networkPolicy.enabled would close nothing of them. Remove hostNetwork (here or in pods), or set networkPolicy.enabled to false.
{{- end }}
{{- if and $settings.hostNetwork (eq (toString $settings.dnsPolicy) "ClusterFirst") }}
{{ $where }}.dnsPolicy: with hostNetwork ClusterFirst asks the node's resolver, and workers find the head by its Service. Remove it for ClusterFirstWithHostNet.
{{- end }}
{{- if and (eq (toString $settings.dnsPolicy) "None") (not (dig "nameservers" list ($settings.dnsConfig | default dict))) }}
{{ $where }}.dnsPolicy: None needs dnsConfig.nameservers, of which one knows the cluster's Services. Name them, or remove dnsPolicy.
{{- end }}
{{- if and $settings.gpuClaim (not $settings.gpusPerWorker) }}
{{ $where }}.gpuClaim: how many GPUs it has Ray reads from gpusPerWorker, which is 0. Set that.
{{- end }}
{{- range $claim, $_ := ($settings.resources | default dict).claims }}
{{- if not (hasKey ($settings.resourceClaims | default dict) $claim) }}
{{ $where }}.resources.claims.{{ $claim }}: there is no resourceClaims.{{ $claim }}. Add it, here or in pods.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
