{{- /* The head: its pod's settings, and its group. It takes no work. */ -}}

{{- /* Takes the root. Gives, as JSON, the settings of the head's pod. */ -}}
{{- define "ray-serve-llm.headSettings" -}}
{{- $defaults := dict "resources" (dict
  "requests" (dict "cpu" "2" "memory" "8Gi")
  "limits" (dict "cpu" "4" "memory" "16Gi")) -}}
{{- include "ray-serve-llm.settings" (list (include "ray-serve-llm.podDefaults" . | fromJson) .Values.pods $defaults .Values.head) -}}
{{- end -}}

{{- /* Takes settings (of the head) and context, as a pod template does. Gives `headGroupSpec`. */ -}}
{{- define "ray-serve-llm.headGroup" -}}
rayStartParams:
  # The head takes no work: what runs there would go with it.
  {{- include "ray-serve-llm.overlayYaml" (list (dict "num-cpus" "0") .settings.rayStartParams) | nindent 2 }}
template:
  {{- include "ray-serve-llm.podTemplate" (dict "settings" .settings "role" "head" "context" .context) | nindent 2 }}
{{- end -}}
