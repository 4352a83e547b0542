{{- /* The files of models and apps that pods mount. */ -}}

{{- /* Takes a family's name. Gives the name of its ConfigMap. */ -}}
{{- define "ray-serve-llm.familyConfigMap" -}}
{{- printf "%s-family-config" . -}}
{{- end -}}

{{- /* Takes name and app. Gives the ConfigMap with the app's files: its own, or the one it names; nothing for code in the image. */ -}}
{{- define "ray-serve-llm.appConfigMap" -}}
{{- if .app.files -}}
{{- printf "%s-app-files" .name -}}
{{- else -}}
{{- .app.configMap | default "" -}}
{{- end -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, the names of the families whose models' configuration is in files; none when it is
delivered inline.
*/ -}}
{{- define "ray-serve-llm.families" -}}
{{- $families := dict -}}
{{- if eq .Values.serving.delivery "configMap" -}}
{{- range .Values.models -}}
{{- $_ := set $families .family true -}}
{{- end -}}
{{- end -}}
{{- keys $families | sortAlpha | toJson -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, the ConfigMap of every app whose code is in one, by the app's name. Ray builds an
application wherever it likes, so every pod mounts them.
*/ -}}
{{- define "ray-serve-llm.appConfigMaps" -}}
{{- $configMaps := dict -}}
{{- range $name, $app := .Values.apps -}}
{{- with include "ray-serve-llm.appConfigMap" (dict "name" $name "app" $app) -}}
{{- $_ := set $configMaps $name . -}}
{{- end -}}
{{- end -}}
{{- toJson $configMaps -}}
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, the checksums of the files by annotation; none where there are no files. A family's files
are made from the models and nothing else; how many replicas these have is not in them.
*/ -}}
{{- define "ray-serve-llm.checksums" -}}
{{- $checksums := dict -}}
{{- if include "ray-serve-llm.families" . | fromJsonArray -}}
{{- $models := dict -}}
{{- range include "ray-serve-llm.llmConfigs" . | fromJsonArray -}}
{{- if .model -}}
{{- $_ := set $models (printf "%s/%s" .family .file) (list .id (include "ray-serve-llm.withoutScaling" .config)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $checksums "checksum/families" (toJson $models | sha256sum) -}}
{{- end -}}
{{- $files := dict -}}
{{- range $name, $app := .Values.apps -}}
{{- if $app.files -}}
{{- $_ := set $files $name $app.files -}}
{{- end -}}
{{- end -}}
{{- if $files -}}
{{- $_ := set $checksums "checksum/apps" (toJson $files | sha256sum) -}}
{{- end -}}
{{- toJson $checksums -}}
{{- end -}}
