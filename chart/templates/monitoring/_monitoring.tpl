{{- /* What the objects that watch a release share. */ -}}

{{- /*
Takes root, of (`podMonitor` or `prometheusRule` of the values) and, where it is not the RayService's, name. Gives the metadata
of an object that a watcher finds by the labels that it says.
*/ -}}
{{- define "ray-serve-llm.monitoringMetadata" -}}
{{- $name := .name | default (include "ray-serve-llm.name" .root) -}}
{{- $metadata := include "ray-serve-llm.metadata" (dict "root" .root "name" $name "annotations" .of.annotations) | fromYaml -}}
{{- $labels := include "ray-serve-llm.overlay" (list .of.labels $metadata.labels) | fromJson -}}
{{- include "ray-serve-llm.overlayYaml" (list $metadata (dict "labels" $labels)) -}}
{{- end -}}

{{- /*
Takes root, rule (`prometheusRule` of the values), name (of the alert), severity and summary, in Prometheus' own templates. Gives
an alert's labels and annotations.
*/ -}}
{{- define "ray-serve-llm.alert" -}}
{{- $labels := dict "severity" .severity "namespace" .root.Release.Namespace "ray_service" (include "ray-serve-llm.name" .root) -}}
labels:
  {{- include "ray-serve-llm.overlayYaml" (list .rule.alertLabels $labels) | nindent 2 }}
annotations:
  summary: {{ .summary | quote }}
  {{- with .rule.runbookUrl }}
  runbook_url: {{ printf "%s%s" . (lower $.name) | quote }}
  {{- end }}
{{- end -}}
