{{- /* Checks of `extraObjects`: files/extra-objects.yaml says which are refused, and what to do. */ -}}

{{- define "ray-serve-llm.checkExtraObjects" -}}
{{- $root := .root -}}
{{- $kinds := $root.Files.Get "files/extra-objects.yaml" | fromYaml -}}
{{- $own := include "ray-serve-llm.ownObjects" $root | fromJsonArray -}}
{{- $seen := dict -}}
{{- range $key, $object := include "ray-serve-llm.extraObjects" $root | fromJson }}
{{- $where := printf "extraObjects.%s" $key }}
{{- with get $kinds $object.kind }}
{{- if include "ray-serve-llm.isRefusedObject" (dict "row" . "object" $object) }}
{{ $where }}: {{ .why }}. {{ .instead }}.
{{- end }}
{{- end }}
{{- if ne $object.metadata.namespace $root.Release.Namespace }}
{{ $where }}.metadata.namespace: it is {{ $object.metadata.namespace }}, and the release is in {{ $root.Release.Namespace }}. Remove it, or make the object apart.
{{- end }}
{{- $called := printf "%s %s" $object.kind $object.metadata.name }}
{{- if has $called $own }}
{{ $where }}: the release has a {{ $called }} of its own. Give it another name (metadata.name).
{{- end }}
{{- with get $seen $called }}
{{ $where }}: {{ . }} is a {{ $called }} too. Give one of them another name (metadata.name).
{{- end }}
{{- $_ := set $seen $called $where }}
{{- end }}
{{- end -}}

{{- /* Takes row (of the table) and object. Gives `true` where it is of that API and has one of the keys that make it what is refused. */ -}}
{{- define "ray-serve-llm.isRefusedObject" -}}
{{- $is := hasPrefix .row.api .object.apiVersion -}}
{{- if .row.keys -}}
{{- $said := include "ray-serve-llm.overlay" (list .object.spec .object) | fromJson -}}
{{- $has := false -}}
{{- range .row.keys -}}
{{- $has = or $has (not (empty (get $said .))) -}}
{{- end -}}
{{- $is = and $is $has -}}
{{- end -}}
{{- ternary "true" "" $is -}}
{{- end -}}
