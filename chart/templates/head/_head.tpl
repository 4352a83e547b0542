{{- /* The head: its pod's settings, and its group. It takes no work. */ -}}

{{- /* Takes the root. Gives, as JSON, the settings of the head's pod. */ -}}
{{- define "ray-serve-llm.headSettings" -}}
{{- $defaults := dict "resources" (dict
  "requests" (dict "cpu" "2" "memory" "8Gi")
  "limits" (dict "cpu" "4" "memory" "16Gi")) -}}
{{- include "ray-serve-llm.settings" (list (include "ray-serve-llm.podDefaults" . | fromJson) .Values.pods $defaults .Values.head) -}}
{{- end -}}

{{- /*
Gives the volume with which the autoscaler speaks to Kubernetes, as an entry of the head's `volumes`: what Kubernetes itself
would mount into every container of the pod. It is mounted by `ray-serve-llm.kubernetesMount` alone: who has this token
may change RayClusters, and so run pods of any kind in the namespace. 3607 is how Kubernetes asks for its own.
*/ -}}
{{- define "ray-serve-llm.kubernetesVolume" -}}
- name: {{ include "ray-serve-llm.kubernetesVolumeName" . }}
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
      - downwardAPI:
          items: [{path: namespace, fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}]
{{- end -}}

{{- define "ray-serve-llm.kubernetesVolumeName" -}}
kubernetes-api
{{- end -}}

{{- /* Gives its mount, where Ray's autoscaler looks for it, as an entry of `autoscalerOptions.volumeMounts`. */ -}}
{{- define "ray-serve-llm.kubernetesMount" -}}
- name: {{ include "ray-serve-llm.kubernetesVolumeName" . }}
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end -}}

{{- /* Takes settings (of the head) and context, as a pod template does. Gives `headGroupSpec`. */ -}}
{{- define "ray-serve-llm.headGroup" -}}
rayStartParams:
  # The head takes no work: what runs there would go with it.
  {{- include "ray-serve-llm.overlayYaml" (list (dict "num-cpus" "0") .settings.rayStartParams) | nindent 2 }}
template:
  {{- include "ray-serve-llm.podTemplate" (dict "settings" .settings "role" "head" "context" .context) | nindent 2 }}
{{- end -}}
