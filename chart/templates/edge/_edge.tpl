{{- /* How requests get in from outside: what of the release an HTTPRoute or an Ingress lets through. */ -}}

{{- /* Takes the root. Gives the name of the Service that KubeRay makes over every pod that answers. */ -}}
{{- define "ray-serve-llm.serveService" -}}
{{- include "ray-serve-llm.name" . -}}-serve-svc
{{- end -}}

{{- /*
Takes root and paths (of the values). Gives, as JSON, the list of path prefixes that get in: /v1 and `paths` below the route
of each model, and the route of each app.
*/ -}}
{{- define "ray-serve-llm.openPaths" -}}
{{- $root := .root -}}
{{- $paths := prepend .paths "/v1" | uniq -}}
{{- $routes := list -}}
{{- range $id := keys .root.Values.models | sortAlpha -}}
{{- $routes = append $routes (include "ray-serve-llm.modelRoute" (dict "root" $root "id" $id)) -}}
{{- end -}}
{{- $open := list -}}
{{- range $route := uniq $routes -}}
{{- range $paths -}}
{{- $open = append $open (print $route .) -}}
{{- end -}}
{{- end -}}
{{- range $name := keys .root.Values.apps | sortAlpha -}}
{{- $open = append $open (include "ray-serve-llm.appRoute" (dict "root" $root "name" $name "app" (get $root.Values.apps $name))) -}}
{{- end -}}
{{- uniq $open | toJson -}}
{{- end -}}
