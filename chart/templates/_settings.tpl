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

{{- /*
Takes settings. Gives, as YAML, the security context of a container of the chart's own, which is not Ray's: nothing of it
writes to the image's file system. Ray does (/tmp/ray, the home folder), so its containers may.
*/ -}}
{{- define "ray-serve-llm.readOnlySecurityContext" -}}
{{- include "ray-serve-llm.overlayYaml" (list (dict "readOnlyRootFilesystem" true) .securityContext) -}}
{{- end -}}
