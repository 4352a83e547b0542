{{- /* Checks of images: that of the Ray release has one Ray, and is for one kind of GPU and of processor. */ -}}

{{- /* Every kind of pod. What an image of one's own has cannot be seen here. */ -}}
{{- define "ray-serve-llm.checkImages" -}}
{{- $official := .release.image -}}
{{- $version := .root.Values.ray.version -}}
{{- $devices := .root.Files.Get "files/accelerators.yaml" | fromYaml -}}
{{- $told := dict -}}
{{- range $where, $pod := .pods }}
{{- $image := $pod.settings.image }}
{{- $tag := $image.tag | default $official.tag }}
{{- if eq $official.repository (trimPrefix "docker.io/" ($image.repository | default $official.repository)) }}
{{- if not (or $image.digest (regexMatch (printf "^%s([.-]|$)" (regexQuoteMeta $version)) $tag) (hasKey $told $tag)) }}
{{- $_ := set $told $tag true }}
{{ include "ray-serve-llm.imagePlace" (dict "root" $.root "where" $where "key" "tag" "value" $tag) }}: {{ $official.repository }}:{{ $tag }} is not known to have Ray {{ $version }}, by whose words everything here is checked. Remove it for {{ $official.tag }}, take another tag that begins with {{ $version }}, or set ray.version to the image's, if this chart knows it.
{{- end }}
{{- if $pod.settings.gpusPerWorker }}
{{- with include "ray-serve-llm.ofDevice" (dict "rows" $devices.otherGpus "device" $pod.settings.gpuResourceName) | fromJson }}
{{ $where }}.image: its workers have {{ $pod.settings.gpuResourceName }}, and {{ $official.repository }} is for NVIDIA's GPUs. Name an image of your own with Ray {{ $version }}, vLLM and {{ .needs }}.
{{- end }}
{{- end }}
{{- $architecture := get ($pod.settings.nodeSelector | default dict) "kubernetes.io/arch" | default $official.architecture }}
{{- if not (or (eq $architecture $official.architecture) (hasSuffix "-aarch64" $tag)) }}
{{ $where }}.image: its nodes are {{ $architecture }}, and {{ $official.repository }} is for {{ $official.architecture }}. Name an image of your own for {{ $architecture }}.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /*
Takes root, where (the pods, as a path of the values), key (tag or repository) and value (theirs). Gives where the values
say it.
*/ -}}
{{- define "ray-serve-llm.imagePlace" -}}
{{- $values := .root.Values -}}
{{- if eq .value (get ($values.image | default dict) .key | default "") -}}
image.{{ .key }}
{{- else if eq .value (get ($values.pods.image | default dict) .key | default "") -}}
pods.image.{{ .key }}
{{- else -}}
{{ .where }}.image.{{ .key }}
{{- end -}}
{{- end -}}
