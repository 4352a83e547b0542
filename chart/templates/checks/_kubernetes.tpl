{{- /*
Checks of what Kubernetes refuses of a pod or of a NetworkPolicy though each word of it is right. A RayService is taken
as it is, and its pods never come: the operator alone is told why.

generator/formats/contradictions.py says the same of a file that is no whole release.
*/ -}}

{{- /* Takes the root. Gives, as JSON, what the values say of pods, by where: `pods`, and each group's own over it. */ -}}
{{- define "ray-serve-llm.podBlocks" -}}
{{- $blocks := dict "pods" .Values.pods "head" .Values.head "ingressWorkers" .Values.ingressWorkers -}}
{{- range $name, $group := .Values.workerGroups -}}
{{- $_ := set $blocks (printf "workerGroups.%s" $name) $group -}}
{{- end -}}
{{- toJson $blocks -}}
{{- end -}}

{{- /* Every block of pod settings, and the resources of the autoscaler beside the head. */ -}}
{{- define "ray-serve-llm.checkKubernetes" -}}
{{- $reserved := .root.Files.Get "files/reserved-keys.yaml" | fromYaml -}}
{{- range $where, $block := include "ray-serve-llm.podBlocks" .root | fromJson }}
{{- include "ray-serve-llm.checkResourceNames" (dict "of" (printf "%s.resources" $where) "resources" $block.resources) }}
{{- include "ray-serve-llm.checkTolerations" (dict "of" (printf "%s.tolerations" $where) "tolerations" $block.tolerations) }}
{{- include "ray-serve-llm.checkSpread" (dict "of" (printf "%s.topologySpreadConstraints" $where) "constraints" $block.topologySpreadConstraints) }}
{{- include "ray-serve-llm.checkRequirements" (dict "of" (printf "%s.affinity" $where) "in" $block.affinity) }}
{{- include "ray-serve-llm.checkRequirements" (dict "of" (printf "%s.topologySpreadConstraints" $where) "in" $block.topologySpreadConstraints) }}
{{- with $block.securityContext }}
{{- if and .privileged (not .allowPrivilegeEscalation) }}
{{ $where }}.securityContext.privileged: Kubernetes refuses a privileged container without allowPrivilegeEscalation, and the chart's default is false. Remove privileged, or set allowPrivilegeEscalation to true beside it.
{{- end }}
{{- end }}
{{- range $name, $volume := $block.volumes }}
{{- include "ray-serve-llm.checkMountOptions" (dict "of" (printf "%s.volumes.%s" $where $name) "volume" $volume) }}
{{- end }}
{{- range $key := list "podLabels" "podAnnotations" }}
{{- include "ray-serve-llm.checkReserved" (dict "of" (printf "%s.%s" $where $key) "names" (get $block $key | default dict) "rows" (get $reserved $key)) }}
{{- end }}
{{- end }}
{{- include "ray-serve-llm.checkUsers" . }}
{{- include "ray-serve-llm.checkTokenFolder" . }}
{{- include "ray-serve-llm.checkReserved" (dict "of" "commonAnnotations" "names" .root.Values.commonAnnotations "rows" $reserved.commonAnnotations) }}
{{- include "ray-serve-llm.checkResourceNames" (dict "of" "autoscalerOptions.resources" "resources" .root.Values.autoscalerOptions.resources) }}
{{- end -}}

{{- /*
Every pod's user, of the container or else of the pod: the kubelet starts no container as root where runAsNonRoot is true
(pkg/kubelet/kuberuntime/security_context_others.go of Kubernetes). One line for each place that says 0.
*/ -}}
{{- define "ray-serve-llm.checkUsers" -}}
{{- $blocks := include "ray-serve-llm.podBlocks" .root | fromJson -}}
{{- $told := dict -}}
{{- range $where, $pod := .pods }}
{{- $key := ternary "securityContext" "podSecurityContext" (hasKey $pod.settings.securityContext "runAsUser") }}
{{- $user := get (get $pod.settings $key) "runAsUser" }}
{{- $nonRoot := $pod.settings.podSecurityContext.runAsNonRoot }}
{{- if hasKey $pod.settings.securityContext "runAsNonRoot" }}
{{- $nonRoot = $pod.settings.securityContext.runAsNonRoot }}
{{- end }}
{{- $own := get (get $blocks $where) $key | default dict }}
{{- $place := printf "%s.%s" (ternary $where "pods" (hasKey $own "runAsUser")) $key }}
{{- if and (eq (toString $user) "0") $nonRoot (not (hasKey $told $place)) }}
{{- $_ := set $told $place true }}
{{ $place }}.runAsUser: 0 is root, and runAsNonRoot is true, as it is unless something else is said, so that no pod would start. Set runAsNonRoot to false beside it (a restricted namespace refuses such pods), or remove runAsUser.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Every mount: Kubernetes has the token of its API in one folder, and no container that runs Ray has it. */ -}}
{{- define "ray-serve-llm.checkTokenFolder" -}}
{{- $values := .root.Values -}}
{{- $mounts := dict "modelCache.mountPath" $values.modelCache.mountPath "serving.modelsPath" $values.serving.modelsPath "serving.appsPath" $values.serving.appsPath -}}
{{- range $where, $block := include "ray-serve-llm.podBlocks" .root | fromJson -}}
{{- range $key := list "volumes" "volumeMounts" -}}
{{- range $name, $volume := get $block $key | default dict -}}
{{- $_ := set $mounts (printf "%s.%s.%s.mountPath" $where $key $name) ($volume.mountPath | default "") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $where, $path := $mounts }}
{{- if regexMatch "^(/var)?/run/secrets/kubernetes\\.io(/|$)" $path }}
{{ $where }}: programs take what is in {{ $path }} for a token of Kubernetes, and no container that runs Ray has one. Choose another folder.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (a path of the values) and volume. */ -}}
{{- define "ray-serve-llm.checkMountOptions" -}}
{{- if and .volume.subPath .volume.subPathExpr }}
{{ .of }}: Kubernetes takes subPath or subPathExpr. Remove one of them.
{{- end }}
{{- $of := .of -}}
{{- if not .volume.mountPath }}
{{- range $option, $_ := pick .volume "readOnly" "subPath" "subPathExpr" "mountPropagation" "recursiveReadOnly" }}
{{ $of }}.{{ $option }}: it says how Ray's container has the volume, which it has not without mountPath. Add mountPath, or remove it.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (a path of the values), names (labels or annotations) and rows (of files/reserved-keys.yaml). */ -}}
{{- define "ray-serve-llm.checkReserved" -}}
{{- range $name, $_ := .names }}
{{- range $known, $row := $.rows }}
{{- if or (eq $name $known) (and (hasSuffix "*" $known) (hasPrefix (trimSuffix "*" $known) $name)) }}
{{ $.of }}.{{ $name }}: {{ $row.why }}. {{ $row.instead }}.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (a path of the values) and resources. What has no domain is Kubernetes' own. */ -}}
{{- define "ray-serve-llm.checkResourceNames" -}}
{{- $resources := .resources | default dict -}}
{{- range $bound := list "requests" "limits" }}
{{- range $name, $_ := get $resources $bound | default dict }}
{{- if not (or (has $name (list "cpu" "memory" "ephemeral-storage")) (hasPrefix "hugepages-" $name)) }}
{{- if or (not (contains "/" $name)) (contains "kubernetes.io/" $name) (hasPrefix "requests." $name) }}
{{ $.of }}.{{ $bound }}.{{ $name }}: a container has no such resource in Kubernetes. It is cpu, memory, ephemeral-storage, hugepages-<size>, or a device with its vendor's domain (nvidia.com/gpu).
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (a path of the values) and tolerations. */ -}}
{{- define "ray-serve-llm.checkTolerations" -}}
{{- range $number, $toleration := .tolerations }}
{{- $where := printf "%s[%d]" $.of $number }}
{{- if and (eq (toString .operator) "Exists") .value }}
{{ $where }}: with operator Exists there is no value. Remove the value, or set operator to Equal.
{{- end }}
{{- if not (or .key (eq (toString .operator) "Exists")) }}
{{ $where }}: without a key the operator is Exists. Name the taint's key, or set operator to Exists to bear every taint.
{{- end }}
{{- if and (not (kindIs "invalid" .tolerationSeconds)) (ne (toString .effect) "NoExecute") }}
{{ $where }}: tolerationSeconds is for the effect NoExecute alone. Set effect to NoExecute, or remove tolerationSeconds.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (a path of the values) and constraints. */ -}}
{{- define "ray-serve-llm.checkSpread" -}}
{{- $seen := dict -}}
{{- range $number, $constraint := .constraints }}
{{- $where := printf "%s[%d]" $.of $number }}
{{- if and .minDomains (ne .whenUnsatisfiable "DoNotSchedule") }}
{{ $where }}.minDomains: it is for whenUnsatisfiable DoNotSchedule alone. Set that, or remove minDomains.
{{- end }}
{{- $kind := printf "%s, %s" .topologyKey .whenUnsatisfiable }}
{{- if hasKey $seen $kind }}
{{ $where }}: another constraint has {{ $kind }} already, and Kubernetes takes one. Remove one of them.
{{- end }}
{{- $_ := set $seen $kind true }}
{{- end }}
{{- end -}}

{{- /* Takes of (a path of the values) and in (whatever stands there). Every matchExpressions below: operators and their values. */ -}}
{{- define "ray-serve-llm.checkRequirements" -}}
{{- if kindIs "map" .in }}
{{- range $key, $value := .in }}
{{- if eq $key "matchExpressions" }}
{{- range $value }}
{{- include "ray-serve-llm.checkRequirement" (dict "of" $.of "requirement" .) }}
{{- end }}
{{- else }}
{{- include "ray-serve-llm.checkRequirements" (dict "of" (printf "%s.%s" $.of $key) "in" $value) }}
{{- end }}
{{- end }}
{{- else if kindIs "slice" .in }}
{{- range $number, $value := .in }}
{{- include "ray-serve-llm.checkRequirements" (dict "of" (printf "%s[%d]" $.of $number) "in" $value) }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (where its list is) and requirement. Only nodes are compared by Gt and Lt. */ -}}
{{- define "ray-serve-llm.checkRequirement" -}}
{{- $count := len (.requirement.values | default list) -}}
{{- $operator := .requirement.operator -}}
{{- $where := printf "%s.matchExpressions (%s)" .of .requirement.key -}}
{{- if and (has $operator (list "In" "NotIn")) (eq $count 0) }}
{{ $where }}: operator {{ $operator }} needs values. List them.
{{- else if and (has $operator (list "Exists" "DoesNotExist")) $count }}
{{ $where }}: with operator {{ $operator }} there are no values. Remove them, or set operator to {{ ternary "In" "NotIn" (eq $operator "Exists") }}.
{{- else if has $operator (list "Gt" "Lt") }}
{{- if not (contains "nodeAffinity" .of) }}
{{ $where }}: {{ $operator }} is for labels of nodes alone. Use In, NotIn, Exists or DoesNotExist.
{{- else if ne $count 1 }}
{{ $where }}: operator {{ $operator }} needs one value, a number. Give one.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (a path of the values) and block (an ipBlock). Of IPv6 only the length is compared: the API server does the rest. */ -}}
{{- define "ray-serve-llm.checkIpBlock" -}}
{{- $outer := include "ray-serve-llm.cidr" .block.cidr | fromJson -}}
{{- if not $outer }}
{{ .of }}.cidr: "{{ .block.cidr }}" is no range of addresses. Write an address and how many bits of it count, as 10.0.0.0/8 or fd00::/8.
{{- end }}
{{- range $number, $except := .block.except }}
{{- $where := printf "%s.except[%d]" $.of $number }}
{{- $inner := include "ray-serve-llm.cidr" $except | fromJson }}
{{- if not $inner }}
{{ $where }}: "{{ $except }}" is no range of addresses. Write an address and how many bits of it count, as 10.0.0.0/8 or fd00::/8.
{{- else if $outer }}
{{- if or (ne $inner.family $outer.family) (le $inner.bits $outer.bits) (not (include "ray-serve-llm.inside" (dict "inner" $inner "outer" $outer))) }}
{{ $where }}: {{ $except }} is not inside {{ $.block.cidr }}, from which it is taken out. Name a smaller range of it, or remove it.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes a CIDR. Gives, as JSON, its family (4 or 6), bits and, of IPv4, its address as a number; nothing where it is none. */ -}}
{{- define "ray-serve-llm.cidr" -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" -}}
{{- $parts := splitList "/" . -}}
{{- $bits := last $parts | int -}}
{{- if regexMatch (printf "^(%s\\.){3}%s/([0-9]|[12][0-9]|3[0-2])$" $octet $octet) . -}}
{{- $address := 0 -}}
{{- range splitList "." (first $parts) -}}
{{- $address = add (mul $address 256) (int64 .) -}}
{{- end -}}
{{- dict "family" 4 "bits" $bits "address" $address | toJson -}}
{{- else if regexMatch "^[0-9a-fA-F:]*:[0-9a-fA-F:.]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8])$" . -}}
{{- dict "family" 6 "bits" $bits | toJson -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{- /* Takes inner and outer (as above, of one family). Gives `true` when the outer range has the inner's address, or it is not known. */ -}}
{{- define "ray-serve-llm.inside" -}}
{{- if eq (int .outer.family) 6 -}}
true
{{- else -}}
{{- $size := 1 -}}
{{- range until (int (sub 32 (int .outer.bits))) -}}
{{- $size = mul $size 2 -}}
{{- end -}}
{{- if eq (div (int64 .inner.address) $size) (div (int64 .outer.address) $size) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Takes of (a path of the values) and port (of a NetworkPolicy's rule). */ -}}
{{- define "ray-serve-llm.checkPortRange" -}}
{{- if not (kindIs "invalid" .port.endPort) }}
{{- if not (has (kindOf .port.port) (list "float64" "int64" "int")) }}
{{ .of }}.endPort: it ends a range that begins with the number in port. Set port to a number, or remove endPort.
{{- else if lt (float64 .port.endPort) (float64 .port.port) }}
{{ .of }}.endPort: {{ .port.endPort }} is less than port, {{ .port.port }}. Set it to {{ .port.port }} or more, or remove it.
{{- end }}
{{- end }}
{{- end -}}
