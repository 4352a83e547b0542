{{- /* The pods that run Ray. Their settings come from _settings.tpl; here they become a pod template. */ -}}

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
Takes settings. Gives, as JSON, what a pod has of the network. In the node's own, Kubernetes finds Services only where dnsPolicy
says so, and a worker finds the head by its Service.
*/ -}}
{{- define "ray-serve-llm.network" -}}
{{- $network := pick . "hostNetwork" "dnsPolicy" "dnsConfig" "hostAliases" -}}
{{- if and .hostNetwork (not .dnsPolicy) -}}
{{- $_ := set $network "dnsPolicy" "ClusterFirstWithHostNet" -}}
{{- end -}}
{{- toJson $network -}}
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
  # No container that runs Ray, and so models' and apps' code, has a token of the Kubernetes API.
  automountServiceAccountToken: false
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
      {{- with include "ray-serve-llm.envFrom" $settings.envFrom | fromJsonArray }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- include "ray-serve-llm.ports" (dict "role" .role "port" .context.port) | trim | nindent 8 }}
      {{- if ne .role "head" }}
      readinessProbe:
        {{- include "ray-serve-llm.readiness" (dict "port" .context.port) | nindent 8 }}
      {{- end }}
      {{- range $key := list "startupProbe" "lifecycle" }}
      {{- with get $settings $key }}
      {{ $key }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      resources:
        {{- include "ray-serve-llm.resources" $settings.resources | fromJson | toYaml | nindent 8 }}
      {{- with include "ray-serve-llm.mounts" (dict "volumes" $volumes "more" $settings.volumeMounts) | fromJsonArray }}
      volumeMounts:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- /* After Ray's: KubeRay takes the first for it. */}}
    {{- with $settings.extraContainers }}
    {{- include "ray-serve-llm.addedContainers" (dict "root" $root "settings" $settings "containers" .) | nindent 4 }}
    {{- end }}
  {{- with $settings.initContainers }}
  initContainers:
    {{- include "ray-serve-llm.addedContainers" (dict "root" $root "settings" $settings "containers" .) | nindent 4 }}
  {{- end }}
  {{- if or $volumes (eq .role "head") }}
  volumes:
    {{- with $volumes }}
    {{- include "ray-serve-llm.volumeList" . | trim | nindent 4 }}
    {{- end }}
    {{- if eq .role "head" }}
    {{- include "ray-serve-llm.kubernetesVolume" . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- with include "ray-serve-llm.named" $settings.resourceClaims | fromJsonArray }}
  resourceClaims:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "ray-serve-llm.network" $settings | fromJson }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
  {{- with get $settings $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}
