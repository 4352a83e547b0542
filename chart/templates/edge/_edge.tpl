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

{{- /*
Takes the root. Gives the template of that Service; nothing where KubeRay's own does. KubeRay gives it the name, the
selector and the port (controllers/ray/common/service.go:233-269 of 1.6.1), and reads the rest as it is.
*/ -}}
{{- define "ray-serve-llm.serveServiceTemplate" -}}
{{- $service := .Values.service -}}
{{- $spec := dict -}}
{{- range $key, $value := omit $service "annotations" -}}
{{- if and $value (ne (toString $value) "ClusterIP") -}}
{{- $_ := set $spec $key $value -}}
{{- end -}}
{{- end -}}
{{- with $service.annotations -}}
metadata:
  annotations:
    {{- toYaml . | nindent 4 }}
{{ end -}}
{{- with $spec -}}
spec:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- /* Takes the root. Gives the lines of NOTES that say where the release is from outside; nothing where it is not. */ -}}
{{- define "ray-serve-llm.outside" -}}
{{- $root := . -}}
{{- $example := first (include "ray-serve-llm.openPaths" (dict "root" . "paths" list) | fromJsonArray) | default "" -}}
{{- if .Values.ingress.enabled }}
{{- range .Values.ingress.hosts | default (list "<address of the ingress controller>") }}
  http{{ ternary "s" "" (not (empty $root.Values.ingress.tls)) }}://{{ . }}{{ $example }}
{{- end }}
{{- end }}
{{- if .Values.httpRoute.enabled }}
{{- range .Values.httpRoute.hostnames | default (list "<host>") }}
  https://{{ . }}{{ $example }}  (http:// where the Gateway's listener has no TLS)
{{- end }}
{{- end }}
{{- if eq .Values.service.type "LoadBalancer" }}
  http://<EXTERNAL-IP of `kubectl -n {{ .Release.Namespace }} get service {{ include "ray-serve-llm.serveService" . }}`>:{{ include "ray-serve-llm.httpPort" . }}{{ $example }}
{{- end }}
{{- end -}}

{{- /* Takes the root. Gives what of the release is open to more than people may think; nothing where nothing is. */ -}}
{{- define "ray-serve-llm.openWarning" -}}
{{- $service := .Values.service -}}
{{- $key := .Values.auth.apiKey.existingSecret -}}
{{- if and (ne $service.type "ClusterIP") (not $service.loadBalancerSourceRanges) -}}
everyone who reaches the {{ $service.type }} asks every model{{ if $key }} with the key{{ end }}, and reads /metrics and /docs without one. Say who may in
service.loadBalancerSourceRanges or networkPolicy.clients, or let only the API in by httpRoute or ingress.
{{- else if $key -}}
{{- $asked := list -}}
{{- range concat .Values.httpRoute.paths .Values.ingress.paths | uniq | sortAlpha -}}
{{- if not (regexMatch "^/(v1|v2|inference|cohere)" .) -}}
{{- $asked = append $asked . -}}
{{- end -}}
{{- end -}}
{{- with $asked -}}
{{ join ", " . }} of each model {{ ternary "is" "are" (eq (len .) 1) }} answered without a key: vLLM asks for one below /v1, /v2 and /inference alone.
{{- end -}}
{{- end -}}
{{- end -}}
