{{- /* Checks of how requests get in from outside: a way that leads here, to what is said and nothing more. */ -}}

{{- /* httpRoute, ingress, service and the key that models ask for. */ -}}
{{- define "ray-serve-llm.checkEdge" -}}
{{- $values := .root.Values -}}
{{- $open := list -}}
{{- range list "httpRoute" "ingress" -}}
{{- if (get $values .).enabled -}}
{{- $open = append $open . -}}
{{- end -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) }}
httpRoute.parentRefs: it names no Gateway, so nothing would come in. Name one, as `kubectl get gateways -A` shows them: parentRefs: [{name: public, namespace: gateways}].
{{- end }}
{{- range $number, $filter := $values.httpRoute.filters }}
{{- $key := printf "%s%s" (substr 0 1 $filter.type | lower) (substr 1 -1 $filter.type) }}
{{- if not (hasKey $filter $key) }}
httpRoute.filters[{{ $number }}]: a filter of type {{ $filter.type }} says what it does in `{{ $key }}`. Write it, or another type.
{{- end }}
{{- end }}
{{- range $where := $open }}
{{- include "ray-serve-llm.checkOpenRoutes" (dict "root" $.root "where" $where) }}
{{- end }}
{{- if eq $values.upgradeStrategy.type "NewClusterWithIncrementalUpgrade" }}
{{- range $where := ternary $open (append $open "service") (and (eq $values.service.type "ClusterIP") (empty $values.service.annotations)) }}
{{ $where }}: with upgradeStrategy.type NewClusterWithIncrementalUpgrade KubeRay makes a Gateway and routes of its own and no Service for Serve, so nothing would come in here. Remove it, or set the type to NewCluster.
{{- end }}
{{- end }}
{{- include "ray-serve-llm.checkService" .root }}
{{- if and $values.auth.apiKey.existingSecret (ne $values.serving.path "throughput") }}
auth.apiKey.existingSecret: on the standard path Ray's ingress answers, and it asks nobody for a key. {{ if .release.throughputPath }}Set serving.path to throughput{{ else }}Let a gateway in front ask for it{{ end }}, and remove {{ if .release.throughputPath }}what that path lacks{{ else }}the name here{{ end }}.
{{- end }}
{{- end -}}

{{- /* Takes root and where (httpRoute or ingress). Apps get in as a whole, so none may stand above a model. */ -}}
{{- define "ray-serve-llm.checkOpenRoutes" -}}
{{- $root := .root -}}
{{- range $name, $app := .root.Values.apps }}
{{- $route := include "ray-serve-llm.appRoute" (dict "root" $root "name" $name "app" $app) }}
{{- if or (not (regexMatch `^/([A-Za-z0-9._~!$&'()*+,;=:@-]+(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*)?$` $route)) (regexMatch `/\.\.?(/|$)` $route) }}
{{ $.where }}: apps.{{ $name }} is at {{ $route }}, which no {{ ternary "HTTPRoute" "Ingress" (eq $.where "httpRoute") }} can say. Give it a route_prefix of letters, digits, - and _.
{{- end }}
{{- range $id := keys $root.Values.models | sortAlpha }}
{{- $model := include "ray-serve-llm.modelRoute" (dict "root" $root "id" $id) }}
{{- if hasPrefix (printf "%s/" (trimSuffix "/" $route)) (printf "%s/" $model) }}
{{ $.where }}: apps.{{ $name }} is at {{ $route }} and gets in as a whole, and with it everything of {{ ternary "the models" (printf "models.%s" $id) (eq $root.Values.serving.routing "unified") }} below it (/metrics, /docs). Give the app a route_prefix beside the models.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes the root. KubeRay would try in vain to make a Service that the API server refuses, and say so in its log alone. */ -}}
{{- define "ray-serve-llm.checkService" -}}
{{- $service := .Values.service -}}
{{- range list "loadBalancerClass" "loadBalancerSourceRanges" }}
{{- if and (get $service .) (ne $service.type "LoadBalancer") }}
service.{{ . }}: the Service is of type {{ $service.type }}, and only a LoadBalancer has it. Set service.type to LoadBalancer, or remove it.
{{- end }}
{{- end }}
{{- if and $service.externalTrafficPolicy (eq $service.type "ClusterIP") }}
service.externalTrafficPolicy: nothing comes from outside to a Service of type ClusterIP. Set service.type to LoadBalancer or NodePort, or remove it.
{{- end }}
{{- range $number, $range := $service.loadBalancerSourceRanges }}
{{- include "ray-serve-llm.checkIpBlock" (dict "of" (printf "service.loadBalancerSourceRanges[%d]" $number) "block" (dict "cidr" $range)) }}
{{- end }}
{{- end -}}
