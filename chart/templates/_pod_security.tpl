{{- /* What of the pods the restricted Pod Security Standard refuses, so that the namespace has to allow another level. */ -}}

{{- /* Takes the root. Gives, as JSON, the level that takes each place: {place: baseline or privileged}. */ -}}
{{- define "ray-serve-llm.beyondRestricted" -}}
{{- $facts := .Files.Get "files/pod-security.yaml" | fromYaml -}}
{{- $found := dict -}}
{{- range $where, $block := include "ray-serve-llm.podBlocks" . | fromJson -}}
{{- if $block.hostNetwork -}}
{{- $_ := set $found (printf "%s.hostNetwork" $where) "privileged" -}}
{{- end -}}
{{- range $name, $volume := $block.volumes -}}
{{- range $source, $_ := omit $volume "mountPath" "readOnly" "subPath" "subPathExpr" "mountPropagation" "recursiveReadOnly" -}}
{{- if not (has $source $facts.restrictedVolumes) -}}
{{- $_ := set $found (printf "%s.volumes.%s.%s" $where $name $source) (ternary "privileged" "baseline" (eq $source "hostPath")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $contexts := dict (printf "%s.podSecurityContext" $where) $block.podSecurityContext (printf "%s.securityContext" $where) $block.securityContext -}}
{{- range $key := list "extraContainers" "initContainers" -}}
{{- range $name, $container := get $block $key | default dict -}}
{{- $_ := set $contexts (printf "%s.%s.%s.securityContext" $where $key $name) $container.securityContext -}}
{{- range $port, $said := $container.ports -}}
{{- if $said.hostPort -}}
{{- $_ := set $found (printf "%s.%s.%s.ports.%s.hostPort" $where $key $name $port) "privileged" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $place, $context := $contexts -}}
{{- range $key, $level := include "ray-serve-llm.contextBeyond" (dict "context" ($context | default dict) "facts" $facts) | fromJson -}}
{{- $_ := set $found (printf "%s.%s" $place $key) $level -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.modelCache.type "hostPath" -}}
{{- $_ := set $found "modelCache.hostPath" "privileged" -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- /* Takes context (a security context of the values) and facts. Gives the same of its keys. */ -}}
{{- define "ray-serve-llm.contextBeyond" -}}
{{- $context := .context -}}
{{- $found := dict -}}
{{- if $context.privileged -}}
{{- $_ := set $found "privileged" "privileged" -}}
{{- end -}}
{{- if eq (dig "type" "" ($context.seccompProfile | default dict)) "Unconfined" -}}
{{- $_ := set $found "seccompProfile" "privileged" -}}
{{- end -}}
{{- if eq (toString $context.runAsNonRoot) "false" -}}
{{- $_ := set $found "runAsNonRoot" "baseline" -}}
{{- end -}}
{{- if eq (toString $context.runAsUser) "0" -}}
{{- $_ := set $found "runAsUser" "baseline" -}}
{{- end -}}
{{- if $context.allowPrivilegeEscalation -}}
{{- $_ := set $found "allowPrivilegeEscalation" "baseline" -}}
{{- end -}}
{{- range ($context.capabilities | default dict).add -}}
{{- if not (has . $.facts.restrictedCapabilities) -}}
{{- $_ := set $found (printf "capabilities.add (%s)" .) (ternary "baseline" "privileged" (has . $.facts.baselineCapabilities)) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}
