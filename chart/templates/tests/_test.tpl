{{- /* `helm test`: what its pod is told. The pod is in pod.yaml, what it may read in rbac.yaml. */ -}}

{{- /* Takes the root. Gives the name of the test's objects. */ -}}
{{- define "ray-serve-llm.testName" -}}
{{- include "ray-serve-llm.name" . -}}-helm-test
{{- end -}}

{{- /*
Takes the root. Gives, as JSON, how models are reached and asked, in the words of files/helm_test.py. A model completes
text unless its engine is told to pool: then it is asked for an embedding, or, where it gives none, only listed.
*/ -}}
{{- define "ray-serve-llm.testConfig" -}}
{{- $name := include "ray-serve-llm.name" . -}}
{{- $unified := eq .Values.serving.routing "unified" -}}
{{- $embeddings := list -}}
{{- $listed := list -}}
{{- range $id, $model := .Values.models -}}
{{- $engine := $model.llmConfig.engine_kwargs | default dict -}}
{{- $task := $engine.task | default "auto" -}}
{{- $convert := $engine.convert | default "auto" -}}
{{- if or (has $task (list "embed" "embedding")) (eq $convert "embed") (and (eq $engine.runner "pooling") (eq $convert "auto")) -}}
{{- $embeddings = append $embeddings $id -}}
{{- else if or (not (has $task (list "auto" "generate"))) (eq $engine.runner "pooling") (eq $convert "classify") -}}
{{- $listed = append $listed $id -}}
{{- end -}}
{{- end -}}
{{- dict
  "url" (printf "http://%s-serve-svc.%s:%s" $name .Release.Namespace (include "ray-serve-llm.httpPort" .))
  "route" (include "ray-serve-llm.modelRoute" (dict "root" . "id" "{model}"))
  "application" (ternary "models" "{model}" $unified)
  "embeddings" $embeddings
  "listed" $listed
  "applications" (keys (.Values.apps | default dict) | sortAlpha)
  "rayService" (printf "/apis/ray.io/v1/namespaces/%s/rayservices/%s" .Release.Namespace $name)
  "pod" (printf "/api/v1/namespaces/%s/pods/%s" .Release.Namespace (include "ray-serve-llm.testName" .))
  "serviceAccount" (ternary "/var/run/secrets/kubernetes.io/serviceaccount" "" .Values.serviceAccount.create)
  "timeoutSeconds" 3540
  "pauseSeconds" 2
  "graceSeconds" 30
  "hidden" (.Files.Get "files/secrets.yaml" | fromYaml).hidden
  | toJson -}}
{{- end -}}
