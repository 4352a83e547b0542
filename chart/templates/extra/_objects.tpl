{{- /* Objects of people's own in the release (`extraObjects`). */ -}}

{{- /*
Takes root and node (a value). Gives it as JSON, {at: …}, with Helm's templates in its texts worked out. Each text alone, so that what
a template prints is never read as YAML.
*/ -}}
{{- define "ray-serve-llm.templated" -}}
{{- $made := .node -}}
{{- if kindIs "map" .node -}}
{{- $made = dict -}}
{{- range $key, $value := .node -}}
{{- $_ := set $made $key (include "ray-serve-llm.templated" (dict "root" $.root "node" $value) | fromJson).at -}}
{{- end -}}
{{- else if kindIs "slice" .node -}}
{{- $made = list -}}
{{- range .node -}}
{{- $made = append $made (include "ray-serve-llm.templated" (dict "root" $.root "node" .) | fromJson).at -}}
{{- end -}}
{{- else if and (kindIs "string" .node) (contains "{{" .node) -}}
{{- $made = tpl .node .root -}}
{{- end -}}
{{- dict "at" $made | toJson -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, every object by its key in the values, as it is printed. Labels of its own win over the release's,
but for those by which Helm and the chart find what is theirs.
*/ -}}
{{- define "ray-serve-llm.extraObjects" -}}
{{- $objects := dict -}}
{{- range $key, $object := .Values.extraObjects -}}
{{- $made := (include "ray-serve-llm.templated" (dict "root" $ "node" $object) | fromJson).at -}}
{{- $own := $made.metadata | default dict -}}
{{- $metadata := include "ray-serve-llm.metadata" (dict
  "root" $
  "name" ($own.name | default $key)
  "annotations" ($own.annotations | default dict)) | fromYaml -}}
{{- $labels := include "ray-serve-llm.overlay" (list
  $metadata.labels
  $own.labels
  (dict "app.kubernetes.io/managed-by" $.Release.Service)
  (include "ray-serve-llm.selectorLabels" $ | fromYaml)) | fromJson -}}
{{- $metadata = include "ray-serve-llm.overlay" (list $own $metadata (pick $own "namespace") (dict "labels" $labels)) | fromJson -}}
{{- $_ := set $objects $key (include "ray-serve-llm.overlay" (list $made (dict "metadata" $metadata)) | fromJson) -}}
{{- end -}}
{{- toJson $objects -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, how the release's own objects are called, those that KubeRay makes for it too: `<kind> <name>`.
*/ -}}
{{- define "ray-serve-llm.ownObjects" -}}
{{- $name := include "ray-serve-llm.name" . -}}
{{- $test := include "ray-serve-llm.testName" . -}}
{{- $own := list
  (printf "RayService %s" $name)
  (printf "NetworkPolicy %s" $name)
  (printf "ServiceAccount %s" (include "ray-serve-llm.serviceAccountName" .))
  (printf "Job %s-prefetch" $name)
  (printf "PersistentVolumeClaim %s" (include "ray-serve-llm.cacheClaim" .))
  (printf "Service %s-serve-svc" $name)
  (printf "Service %s-head-svc" $name)
  (printf "ConfigMap %s" (include "ray-serve-llm.schedules" .)) -}}
{{- range list "Pod" "Role" "RoleBinding" "ServiceAccount" -}}
{{- $own = append $own (printf "%s %s" . $test) -}}
{{- end -}}
{{- range include "ray-serve-llm.families" . | fromJsonArray -}}
{{- $own = append $own (printf "ConfigMap %s" (include "ray-serve-llm.familyConfigMap" .)) -}}
{{- end -}}
{{- range $app, $said := .Values.apps -}}
{{- if $said.files -}}
{{- $own = append $own (printf "ConfigMap %s" (include "ray-serve-llm.appConfigMap" (dict "name" $app "app" $said))) -}}
{{- end -}}
{{- end -}}
{{- range $group, $_ := .Values.workerGroups -}}
{{- $own = append $own (printf "DaemonSet %s-image-%s" $name $group) -}}
{{- end -}}
{{- toJson $own -}}
{{- end -}}
