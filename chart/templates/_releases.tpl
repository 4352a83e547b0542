{{- /*
Takes the root. Gives the facts of the Ray release as YAML: vllm, image, placementField, ingressDeployment {name,
options}, maxSurgePercent, throughputPath, tokenAuth, transferPorts and more. Fails for a release that files/releases.yaml does not know.
*/ -}}
{{- define "ray-serve-llm.rayRelease" -}}
{{- $releases := .Files.Get "files/releases.yaml" | fromYaml -}}
{{- $version := .Values.ray.version -}}
{{- if not (hasKey $releases $version) -}}
{{- fail (printf "\nray.version: this chart does not know Ray %s. Set one that it knows: %s." $version (keys $releases | sortAlpha | join ", ")) -}}
{{- end -}}
{{- get $releases $version | toYaml -}}
{{- end -}}

{{- /* Takes the root. Gives `true` when Ray's own API asks for a token, else nothing. */ -}}
{{- define "ray-serve-llm.tokenAuth" -}}
{{- $possible := (include "ray-serve-llm.rayRelease" . | fromYaml).tokenAuth -}}
{{- if or (eq .Values.auth.mode "token") (and (eq .Values.auth.mode "auto") $possible) -}}
true
{{- end -}}
{{- end -}}
