{{- /* The pods that run Ray. Their settings come from _settings.tpl; here they become a pod template. */ -}}

{{- /*
Takes context (below) and role (head, ingress or worker). Gives, as JSON, the environment that the chart sets.
*/ -}}
{{- define "ray-serve-llm.env" -}}
{{- $values := .context.root.Values -}}
{{- $env := dict -}}
{{- if eq $values.serving.path "throughput" -}}
{{- range list "RAY_SERVE_ENABLE_HA_PROXY" "RAY_SERVE_THROUGHPUT_OPTIMIZED" "RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING" -}}
{{- $_ := set $env . "1" -}}
{{- end -}}
{{- if .context.routedByBody -}}
{{- $_ := set $env "RAY_SERVE_INGRESS_REQUEST_ROUTER_FORWARD_BODY" "1" -}}
{{- end -}}
{{- end -}}
{{- if eq (get (merge (dict) $env ($values.pods.env | default dict)) "RAY_SERVE_ENABLE_HA_PROXY" | toString) "1" -}}
{{- /* With every replica that comes or goes a new HAProxy takes over, and the old one has until then to end its streams. */ -}}
{{- $drain := include "ray-serve-llm.drainSeconds" .context.root | float64 | ceil | int -}}
{{- $_ := set $env "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S" (max 120 $drain | toString) -}}
{{- end -}}
{{- if and .context.release.tokenAuth (not .context.tokenAuth) -}}
{{- $_ := set $env "RAY_AUTH_MODE" "disabled" -}}
{{- end -}}
{{- if eq .role "worker" -}}
{{- $env = include "ray-serve-llm.overlay" (list $env (include "ray-serve-llm.hubEnv" .context.root | fromJson)) | fromJson -}}
{{- end -}}
{{- toJson $env -}}
{{- end -}}

{{- /* Takes the root. Gives, as JSON, the environment of a pod that downloads models: where they go, and the token. */ -}}
{{- define "ray-serve-llm.hubEnv" -}}
{{- $env := dict "HF_HOME" .Values.modelCache.mountPath -}}
{{- if .Values.huggingFace.existingSecret -}}
{{- $reference := dict "name" .Values.huggingFace.existingSecret "key" .Values.huggingFace.key -}}
{{- $_ := set $env "HF_TOKEN" (dict "valueFrom" (dict "secretKeyRef" $reference)) -}}
{{- end -}}
{{- toJson $env -}}
{{- end -}}

{{- /* Takes a map of variables, each a value or a reference. Gives the `env` of a container. */ -}}
{{- define "ray-serve-llm.envList" -}}
{{- range $name, $value := . }}
- name: {{ $name | quote }}
  {{- if kindIs "map" $value }}
  {{- toYaml $value | nindent 2 }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* Takes volumes by name, as `ray-serve-llm.volumes` gives them. Gives the `volumeMounts` of a container. */ -}}
{{- define "ray-serve-llm.mounts" -}}
{{- range $name, $volume := . }}
- name: {{ $name | quote }}
  mountPath: {{ $volume.mountPath | quote }}
  {{- if $volume.readOnly }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end -}}

{{- /* Takes the same. Gives the `volumes` of a pod. */ -}}
{{- define "ray-serve-llm.volumeList" -}}
{{- range $name, $volume := . }}
- name: {{ $name | quote }}
  {{- omit $volume "mountPath" "readOnly" | toYaml | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Takes the root. Gives, as JSON, the volume in which downloaded models lie, as in `pods.volumes`. */ -}}
{{- define "ray-serve-llm.modelCache" -}}
{{- $cache := .Values.modelCache -}}
{{- $source := dict -}}
{{- if eq $cache.type "persistentVolumeClaim" -}}
{{- $_ := set $source "claimName" $cache.claimName -}}
{{- else if eq $cache.type "hostPath" -}}
{{- $_ := set $source "path" $cache.hostPath -}}
{{- else if $cache.sizeLimit -}}
{{- $_ := set $source "sizeLimit" $cache.sizeLimit -}}
{{- end -}}
{{- dict "mountPath" $cache.mountPath $cache.type $source | toJson -}}
{{- end -}}

{{- /*
Takes context, role and settings. Gives, as JSON, the volumes of a pod by name, each with its mountPath and source, as
in `pods.volumes`: the chart's, and the values' own over them. Every pod has the files of every family and app: Ray
reads them wherever it builds an application. Who mounts something of their own at /dev/shm gets that alone.
*/ -}}
{{- define "ray-serve-llm.volumes" -}}
{{- $values := .context.root.Values -}}
{{- $volumes := dict -}}
{{- $sharedMemory := .settings.sharedMemory -}}
{{- range .settings.volumes -}}
{{- if eq (trimSuffix "/" .mountPath) "/dev/shm" -}}
{{- $sharedMemory = "" -}}
{{- end -}}
{{- end -}}
{{- range .context.families -}}
{{- $_ := set $volumes (printf "family-%s" .) (dict
  "mountPath" (printf "%s/%s" $values.serving.modelsPath .)
  "readOnly" true
  "configMap" (dict "name" (include "ray-serve-llm.familyConfigMap" .))) -}}
{{- end -}}
{{- range $app, $configMap := .context.apps -}}
{{- $_ := set $volumes (printf "app-%s" $app) (dict
  "mountPath" (printf "%s/%s" $values.serving.appsPath $app)
  "readOnly" true
  "configMap" (dict "name" $configMap)) -}}
{{- end -}}
{{- with $sharedMemory -}}
{{- $_ := set $volumes "shared-memory" (dict "mountPath" "/dev/shm" "emptyDir" (dict "medium" "Memory" "sizeLimit" .)) -}}
{{- end -}}
{{- if eq .role "worker" -}}
{{- $_ := set $volumes "model-cache" (include "ray-serve-llm.modelCache" .context.root | fromJson) -}}
{{- end -}}
{{- include "ray-serve-llm.overlay" (list $volumes .settings.volumes) -}}
{{- end -}}

{{- /*
Takes settings, role and port. Gives the `ports` of a Ray container. KubeRay finds Serve's port by the name `serve`:
on the head for the Service, on a worker for its readiness.
*/ -}}
{{- define "ray-serve-llm.ports" -}}
{{- if eq .role "head" }}
- name: gcs-server
  containerPort: 6379
- name: dashboard
  containerPort: 8265
- name: client
  containerPort: 10001
{{- end }}
- name: serve
  containerPort: {{ .port }}
- name: metrics
  containerPort: 8080
{{- end -}}

{{- /*
Takes port. Gives the readiness of a pod that may answer requests: its Serve proxy does. KubeRay's own check is the same
but for its patience: it takes a pod out of the Service where one check takes over two seconds, and where that is the only
pod, clients are refused on a busy node that serves.
*/ -}}
{{- define "ray-serve-llm.readiness" -}}
exec:
  command: [bash, -c, "wget --tries 1 -T 6 -q -O- http://localhost:{{ .port }}/-/healthz | grep success"]
initialDelaySeconds: 10
periodSeconds: 5
timeoutSeconds: 7
failureThreshold: 2
{{- end -}}

{{- /*
Takes settings (merged), role (head, ingress or worker) and context: root, release (facts), tokenAuth, routedByBody, families,
apps (ConfigMaps by app), checksums (of the files, by annotation) and port, all worked out once for the release. Gives a
pod template.
*/ -}}
{{- define "ray-serve-llm.podTemplate" -}}
{{- $settings := .settings -}}
{{- $root := .context.root -}}
{{- $env := include "ray-serve-llm.overlay" (list (include "ray-serve-llm.env" . | fromJson) $settings.env) | fromJson -}}
{{- $volumes := include "ray-serve-llm.volumes" . | fromJson -}}
metadata:
  labels:
    {{- include "ray-serve-llm.overlayYaml" (list
      $settings.podLabels
      (include "ray-serve-llm.selectorLabels" $root | fromYaml)
      (dict "app.kubernetes.io/component" .role)) | nindent 4 }}
  {{- /* A changed file gives a new cluster, since Ray does not read a file again. */}}
  {{- with include "ray-serve-llm.annotations" (list $settings.podAnnotations .context.checksums) }}{{ . | nindent 2 }}{{ end }}
spec:
  {{- with include "ray-serve-llm.serviceAccountName" $root }}
  serviceAccountName: {{ . | quote }}
  {{- end }}
  # Only the head talks to Kubernetes: its autoscaler makes and removes workers.
  automountServiceAccountToken: {{ eq .role "head" }}
  {{- range $key := list "runtimeClassName" "schedulerName" "priorityClassName" "terminationGracePeriodSeconds" }}
  {{- if hasKey $settings $key }}
  {{ $key }}: {{ get $settings $key | toJson }}
  {{- end }}
  {{- end }}
  {{- with include "ray-serve-llm.pullSecrets" $settings.image }}{{ . | nindent 2 }}{{ end }}
  securityContext:
    {{- toYaml $settings.podSecurityContext | nindent 4 }}
  containers:
    - name: ray-{{ ternary "head" "worker" (eq .role "head") }}
      image: {{ include "ray-serve-llm.image" (dict "root" $root "image" $settings.image) | quote }}
      imagePullPolicy: {{ $settings.image.pullPolicy }}
      securityContext:
        {{- toYaml $settings.securityContext | nindent 8 }}
      {{- with $env }}
      env:
        {{- include "ray-serve-llm.envList" . | trim | nindent 8 }}
      {{- end }}
      ports:
        {{- include "ray-serve-llm.ports" (dict "role" .role "port" .context.port) | trim | nindent 8 }}
      {{- if ne .role "head" }}
      readinessProbe:
        {{- include "ray-serve-llm.readiness" (dict "port" .context.port) | nindent 8 }}
      {{- end }}
      resources:
        {{- toYaml $settings.resources | nindent 8 }}
      {{- with $volumes }}
      volumeMounts:
        {{- include "ray-serve-llm.mounts" . | trim | nindent 8 }}
      {{- end }}
  {{- with $volumes }}
  volumes:
    {{- include "ray-serve-llm.volumeList" . | trim | nindent 4 }}
  {{- end }}
  {{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
  {{- with get $settings $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}
