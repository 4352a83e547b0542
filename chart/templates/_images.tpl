{{- /*
Takes root and image (one pod's merged image settings). Gives the reference, `repository:tag` or `repository@digest`;
what is not set comes from the Ray release.
*/ -}}
{{- define "ray-serve-llm.image" -}}
{{- $default := (include "ray-serve-llm.rayRelease" .root | fromYaml).image -}}
{{- $repository := .image.repository | default $default.repository -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.image.tag | default $default.tag) -}}
{{- end -}}
{{- end -}}

{{- /* Takes one pod's merged image settings. Gives its `imagePullSecrets`; nothing where there are none. */ -}}
{{- define "ray-serve-llm.pullSecrets" -}}
{{- with .pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end -}}
{{- end -}}
