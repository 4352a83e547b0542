{{- /* `helm test`: what its pod is told. The pod is in pod.yaml, what it may read in rbac.yaml. */ -}}

{{- /* Takes the root. Gives the name of the test's objects. */ -}}
{{- define "ray-serve-llm.testName" -}}
{{- include "ray-serve-llm.name" . -}}-helm-test
{{- end -}}

{{- /* Takes the root. Gives, as JSON, how models are reached and asked, in the words of files/helm_test.py. */ -}}
{{- define "ray-serve-llm.testConfig" -}}
{{- $name := include "ray-serve-llm.name" . -}}
{{- $unified := eq .Values.serving.routing "unified" -}}
{{- $served := include "ray-serve-llm.servedNames" . | fromJson -}}
{{- $names := dict -}}
{{- $asked := dict -}}
{{- range $id, $model := .Values.models -}}
{{- if ne (get $served $id) $id -}}
{{- $_ := set $names $id (get $served $id) -}}
{{- end -}}
{{- if ne ($model.test | default "auto") "auto" -}}
{{- $_ := set $asked $id $model.test -}}
{{- end -}}
{{- end -}}
{{- dict
  "url" (printf "http://%s-serve-svc.%s:%s" $name .Release.Namespace (include "ray-serve-llm.httpPort" .))
  "route" (include "ray-serve-llm.modelRoute" (dict "root" . "id" "{model}"))
  "application" (ternary "models" "{model}" $unified)
  "names" $names
  "asked" $asked
  "questions" (.Files.Get "files/questions.yaml" | fromYamlArray)
  "applications" (keys (.Values.apps | default dict) | sortAlpha)
  "rayService" (printf "/apis/ray.io/v1/namespaces/%s/rayservices/%s" .Release.Namespace $name)
  "pod" (printf "/api/v1/namespaces/%s/pods/%s" .Release.Namespace (include "ray-serve-llm.testName" .))
  "serviceAccount" (ternary "/var/run/secrets/kubernetes.io/serviceaccount" "" .Values.serviceAccount.create)
  "asksForKey" (ne .Values.auth.apiKey.existingSecret "")
  "timeoutSeconds" 3540
  "pauseSeconds" 2
  "graceSeconds" 30
  "hidden" (.Files.Get "files/secrets.yaml" | fromYaml).hidden
  | toJson -}}
{{- end -}}
