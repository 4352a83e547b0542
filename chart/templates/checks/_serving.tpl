{{- /* Checks of how requests reach the models: the path, Serve's own options, the ingress. */ -}}

{{- /* The ways of serving, and the releases that have them. */ -}}
{{- define "ray-serve-llm.checkServing" -}}
{{- $values := .root.Values -}}
{{- $version := $values.ray.version -}}
{{- if eq $values.serving.path "throughput" }}
{{- if not .release.throughputPath }}
serving.path: Ray {{ $version }} has no throughput path. Set serving.path to standard, or ray.version to a release that has it.
{{- end }}
{{- if and (eq $values.serving.routing "unified") (gt (len $values.models) 1) }}
serving.routing: the throughput path serves one model for each application, and unified would put {{ len $values.models }} into one. Set serving.routing to perModel, or serving.path to standard.
{{- end }}
{{- if $values.serving.ingress }}
serving.ingress: the throughput path has no ingress deployment to set options of. Remove serving.ingress, or set serving.path to standard.
{{- end }}
{{- end }}
{{- if and (eq $values.auth.mode "token") (not .release.tokenAuth) }}
auth.mode: Ray {{ $version }} has no token authentication. Set auth.mode to auto or disabled, or ray.version to a release that has it.
{{- end }}
{{- end -}}

{{- /* Serve's own options: what would leave the Service without a pod that is ready. */ -}}
{{- define "ray-serve-llm.checkServeOptions" -}}
{{- $values := .root.Values -}}
{{- $config := $values.serving.config -}}
{{- $http := $config.http_options | default dict -}}
{{- $proxies := $config.proxy_location | default "EveryNode" -}}
{{- if hasKey $config "applications" }}
serving.config.applications: the chart writes the applications from `models` and `apps`. Say it there.
{{- end }}
{{- if eq $proxies "Disabled" }}
serving.config.proxy_location: with Disabled nothing answers requests. Remove it.
{{- else if and (ne $proxies "EveryNode") (include "ray-serve-llm.ingress" .root) }}
serving.config.proxy_location: with {{ $proxies }} only the head has a proxy, and on the standard path the head is not in the Service, which would be without endpoints. Remove it.
{{- end }}
{{- range list "ssl_keyfile" "ssl_certfile" }}
{{- if get $http . }}
serving.config.http_options.{{ . }}: KubeRay asks the proxies for their health in plain HTTP, so with TLS no pod would be ready. Remove it, and end TLS in front of the Service.
{{- end }}
{{- end }}
{{- include "ray-serve-llm.checkPorts" . }}
{{- if and (hasKey $config "target_capacity") (not $config.target_capacity) (not (kindIs "invalid" $config.target_capacity)) }}
serving.config.target_capacity: with 0 no model and no ingress has a replica, so nothing would ever answer. Remove it, or set 1 to 100.
{{- end }}
{{- end -}}

{{- /* The ports on which Serve answers: none of Ray's own on the same pods. */ -}}
{{- define "ray-serve-llm.checkPorts" -}}
{{- $config := .root.Values.serving.config -}}
{{- $taken := .release.ports -}}
{{- if or (eq .root.Values.serving.path "throughput") (eq (get (.root.Values.pods.env | default dict) "RAY_SERVE_ENABLE_HA_PROXY" | toString) "1") -}}
{{- $taken = concat $taken .release.haproxyPorts -}}
{{- end -}}
{{- $ports := dict "http_options" (include "ray-serve-llm.httpPort" .root | int) -}}
{{- $grpc := $config.grpc_options | default dict -}}
{{- if $grpc.grpc_servicer_functions -}}
{{- $_ := set $ports "grpc_options" ($grpc.port | default 9000 | int) -}}
{{- end -}}
{{- range $options, $port := $ports }}
{{- range $taken }}
{{- if and (ge $port (int .first)) (le $port (int .last)) }}
serving.config.{{ $options }}.port: {{ $port }} is a port of Ray itself on the same pods ({{ .of }}). Choose another, or remove it for {{ ternary 8000 9000 (eq $options "http_options") }}.
{{- end }}
{{- end }}
{{- end }}
{{- if eq $ports.http_options (get $ports "grpc_options" | int) }}
serving.config.grpc_options.port: {{ $ports.http_options }} is the port of http_options. Choose another.
{{- end }}
{{- end -}}

{{- /* The ingress of every application: always one that runs, on workers that have what it asks for. */ -}}
{{- define "ray-serve-llm.checkIngress" -}}
{{- if include "ray-serve-llm.ingress" .root -}}
{{- $group := include "ray-serve-llm.ingressSettings" .root | fromJson -}}
{{- $options := include "ray-serve-llm.ingressOptions" .root | fromYaml -}}
{{- $given := .root.Values.serving.ingress -}}
{{- include "ray-serve-llm.checkFixedOrScaled" (dict "of" "serving.ingress" "options" $given) }}
{{- range $resource, $amount := $options.ray_actor_options.resources }}
{{- if and $amount (not (hasKey $group.rayResources $resource)) }}
serving.ingress.ray_actor_options.resources: the ingress asks for "{{ $resource }}", which the ingress workers do not have, so it would stay pending forever. Remove it, or add it to ingressWorkers.rayResources.
{{- end }}
{{- end }}
{{- if and (hasKey $given "num_replicas") (eq (toString $given.num_replicas) "0") }}
serving.ingress.num_replicas: without a running ingress nothing takes requests. Set it to 1 or more, or remove it.
{{- end }}
{{- with $options.autoscaling_config }}
{{- if lt (float64 .min_replicas) 1.0 }}
serving.ingress.autoscaling_config.min_replicas: without a running ingress nothing takes the request that would wake one, since the head is not in the Service. Set it to 1 or more, or remove it.
{{- end }}
{{- end }}
{{- include "ray-serve-llm.checkIngressCapacity" (dict "root" .root "group" $group "options" $options) -}}
{{- end -}}
{{- end -}}

{{- /*
Takes root, group (the ingress workers' settings) and options (the ingress's). Every ingress must find what it asks for,
else its application never runs. Ray counts a worker's CPUs in whole ones, rounded up.
*/ -}}
{{- define "ray-serve-llm.checkIngressCapacity" -}}
{{- $has := include "ray-serve-llm.workerHolds" .group | fromJson -}}
{{- $most := int .group.maxReplicas -}}
{{- $applications := ternary 1 (len .root.Values.models) (eq .root.Values.serving.routing "unified") -}}
{{- $each := include "ray-serve-llm.firstReplicas" (dict "options" .options "otherwise" 1) | int -}}
{{- range $resource, $amount := include "ray-serve-llm.actorResources" (dict "actor" .options.ray_actor_options "cpus" 1) | fromJson }}
{{- $what := get (dict "CPU" "CPUs" "GPU" "GPUs" "memory" "bytes of memory") $resource | default $resource }}
{{- $where := printf "serving.ingress.ray_actor_options.%s" (get (dict "CPU" "num_cpus" "GPU" "num_gpus" "memory" "memory") $resource | default "resources") }}
{{- $parts := include "ray-serve-llm.parts" (dict "resource" $resource "amount" $amount) | int64 }}
{{- $there := include "ray-serve-llm.parts" (dict "resource" $resource "amount" (get $has $resource)) | int64 }}
{{- if and $parts (or (hasKey $has $resource) (eq $resource "GPU")) }}
{{- $perWorker := div $there $parts }}
{{- if lt $perWorker 1 }}
{{ $where }}: an ingress asks for {{ toJson $amount }} {{ $what }} and an ingress worker has {{ get $has $resource | default 0 | toJson }}. Lower it, or raise ingressWorkers.{{ ternary "resources" "rayResources" (has $resource (list "CPU" "memory")) }}.
{{- else if gt (divf (mul $applications $each) $perWorker | ceil | int) $most }}
ingressWorkers.maxReplicas: {{ ternary "1 application has" (printf "%d applications have" $applications) (eq $applications 1) }} {{ ternary "an ingress" (printf "%d ingresses" $each) (le $each 1) }}{{ ternary "" " each" (eq $applications 1) }}, of which a worker holds {{ $perWorker }}, and there may be {{ $most }} of these workers. Set it to {{ divf (mul $applications $each) $perWorker | ceil }} or more.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /*
Ray Serve's switches of the request path. Controller, proxies and replicas read them where they run, so that they must be
the same on every pod; and `serving.path` decides what is rendered, so that they must not contradict it.
*/ -}}
{{- define "ray-serve-llm.checkServeSwitches" -}}
{{- include "ray-serve-llm.checkSwitchesOfOnePod" .root }}
{{- if eq .root.Values.serving.path "throughput" }}
{{ include "ray-serve-llm.checkThroughputSwitches" .root }}
{{- else if eq .root.Values.serving.path "standard" }}
{{ include "ray-serve-llm.checkStandardSwitches" .root }}
{{- end }}
{{- end -}}

{{- /* Takes the root. Switches that only some pods would have. */ -}}
{{- define "ray-serve-llm.checkSwitchesOfOnePod" -}}
{{- $values := .Values -}}
{{- $groups := dict "head" $values.head "ingressWorkers" $values.ingressWorkers -}}
{{- range $name, $group := $values.workerGroups -}}
{{- $_ := set $groups (printf "workerGroups.%s" $name) $group -}}
{{- end -}}
{{- range $where, $group := $groups }}
{{- range list "RAY_SERVE_ENABLE_HA_PROXY" "RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING" "RAY_SERVE_THROUGHPUT_OPTIMIZED" "RAY_SERVE_ENABLE_DIRECT_INGRESS" "RAY_SERVE_USE_GRPC_BY_DEFAULT" "RAY_SERVE_INGRESS_REQUEST_ROUTER_FORWARD_BODY" "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S" }}
{{- if hasKey ($group.env | default dict) . }}
{{ $where }}.env.{{ . }}: every pod must have the same, since Serve's parts run on all of them. Set it in pods.env.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes the root. What the throughput path does not work without. */ -}}
{{- define "ray-serve-llm.checkThroughputSwitches" -}}
{{- $env := .Values.pods.env | default dict -}}
{{- range list "RAY_SERVE_ENABLE_HA_PROXY" "RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING" }}
{{- if and (hasKey $env .) (ne (get $env . | toString) "1") }}
pods.env.{{ . }}: the throughput path is made of HAProxy and direct streaming, and Ray builds no application with one alone. Remove it, or set serving.path to standard.
{{- end }}
{{- end }}
{{- $body := "RAY_SERVE_INGRESS_REQUEST_ROUTER_FORWARD_BODY" }}
{{- $why := include "ray-serve-llm.routedByBody" . }}
{{- if and $why (hasKey $env $body) (ne (get $env $body | toString) "1") }}
pods.env.{{ $body }}: {{ $why }}, so that the router must see the request's body on the throughput path. Remove it, or set serving.path to standard.
{{- end }}
{{- end -}}

{{- /* Takes the root. What the standard path, whose ingress workers must have proxies, does not work with. */ -}}
{{- define "ray-serve-llm.checkStandardSwitches" -}}
{{- $env := .Values.pods.env | default dict -}}
{{- if eq (get $env "RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING" | toString) "1" }}
pods.env.RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING: the standard path has an OpenAI ingress, and Ray builds none with direct streaming. Set serving.path to throughput, and remove it.
{{- end }}
{{- if and (include "ray-serve-llm.ingress" .) (ne (get $env "RAY_SERVE_ENABLE_HA_PROXY" | toString) "1") }}
{{- /* ray/serve/_private/constants.py: the one turns on the other unless it is told. */ -}}
{{- $optimized := eq (get $env "RAY_SERVE_THROUGHPUT_OPTIMIZED" | toString) "1" -}}
{{- $ingress := get $env "RAY_SERVE_ENABLE_DIRECT_INGRESS" | toString -}}
{{- $why := "leaves a proxy on the head alone, and the head is not in the Service, which would be without endpoints" }}
{{- if eq $ingress "1" }}
pods.env.RAY_SERVE_ENABLE_DIRECT_INGRESS: without HAProxy it {{ $why }}. Remove it, or set serving.path to throughput.
{{- else if and $optimized (ne $ingress "0") }}
pods.env.RAY_SERVE_THROUGHPUT_OPTIMIZED: without HAProxy it turns on direct ingress, which {{ $why }}. Set RAY_SERVE_ENABLE_DIRECT_INGRESS to "0" beside it, or serving.path to throughput.
{{- end }}
{{- end }}
{{- end -}}
