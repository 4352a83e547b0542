{{- /*
Every LLMConfig of a release, wherever it is written: a check, a count or a name that holds for one holds for all of them.

A model has one, or one for each half of prefill/decode disaggregation. An app has those in `args` of a builder of Ray's
(`ray.serve.llm:build_openai_app` and its kin); one that it names by a path cannot be seen here.
*/ -}}

{{- /*
Takes the root. Gives, as a JSON list, every LLMConfig with what is known of it:

  who, of      the path of what it belongs to in the values (`models.x`, `models.x.prefill`), and its own
  id           of its model: the name that clients ask for, Ray's `model_id`
  application  that it is part of: its name
  deployment   that Ray makes of it: its name
  builder      of Ray's that builds the application, and key, where in `args` it is
  gang         replicas that start and end together, in Ray's word: the ranks of a data parallel group, else 1
  config       itself
  model        of `models`: its key; with its family, in whose ConfigMap it is, and file, as which
*/ -}}
{{- define "ray-serve-llm.llmConfigs" -}}
{{- $release := include "ray-serve-llm.rayRelease" . | fromYaml -}}
{{- $unified := eq .Values.serving.routing "unified" -}}
{{- $found := list -}}
{{- range $id, $model := .Values.models -}}
{{- $builder := include "ray-serve-llm.builder" (dict "model" $model "release" $release) -}}
{{- range $half := include "ray-serve-llm.halves" (dict "model" $model "builder" $builder) | fromJsonArray -}}
{{- $who := printf "models.%s" $id | list $half.name | reverse | compact | join "." -}}
{{- $found = append $found (include "ray-serve-llm.llmConfigOf" (dict
  "who" $who
  "of" (printf "%s.llmConfig" $who)
  "id" (dig "model_loading_config" "model_id" "" $half.config | default $id)
  "model" $id
  "application" (ternary "models" $id $unified)
  "builder" $builder
  "key" $half.key
  "family" $model.family
  "file" (printf "%s%s.yaml" (ternary (printf "%s-" (title $half.name)) "" (ne $half.name "")) $id)
  "release" $release
  "config" $half.config) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- range $name, $app := .Values.apps -}}
{{- range include "ray-serve-llm.llmConfigsOfApp" (dict "name" $name "application" $app.application "release" $release) | fromJsonArray -}}
{{- $found = append $found . -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- /* Takes the root. Gives, as JSON, the names that clients ask for, by the models' keys. */ -}}
{{- define "ray-serve-llm.servedNames" -}}
{{- $names := dict -}}
{{- range include "ray-serve-llm.llmConfigs" . | fromJsonArray -}}
{{- if .model -}}
{{- $_ := set $names .model .id -}}
{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{- /* Takes model and release. Gives the builder of Ray's that builds it; one that the release may lack, of which a check tells. */ -}}
{{- define "ray-serve-llm.builder" -}}
{{- if or .model.prefill .model.decode -}}
build_pd_openai_app
{{- else if gt (include "ray-serve-llm.dataParallel" (.model.llmConfig | default dict) | int) 1 -}}
build_dp_openai_app
{{- else -}}
build_openai_app
{{- end -}}
{{- end -}}

{{- /* Takes an LLMConfig. Gives its data parallel size. */ -}}
{{- define "ray-serve-llm.dataParallel" -}}
{{- (.engine_kwargs | default dict).data_parallel_size | default 1 | int64 -}}
{{- end -}}

{{- /*
Takes model and builder. Gives, as a JSON list, its LLMConfigs: name (`prefill`, `decode`, or nothing for the whole), key (of
the builder's `args`) and config.
*/ -}}
{{- define "ray-serve-llm.halves" -}}
{{- if eq .builder "build_pd_openai_app" -}}
{{- $halves := list -}}
{{- range $name := list "prefill" "decode" -}}
{{- with get $.model $name -}}
{{- $halves = append $halves (dict "name" $name "key" (printf "%s_config" $name) "config" (.llmConfig | default dict)) -}}
{{- end -}}
{{- end -}}
{{- toJson $halves -}}
{{- else -}}
{{- $key := ternary "llm_config" "llm_configs" (eq .builder "build_dp_openai_app") -}}
{{- list (dict "name" "" "key" $key "config" (.model.llmConfig | default dict)) | toJson -}}
{{- end -}}
{{- end -}}

{{- /* Takes name (of an app), application and release. Gives, as a JSON list, the LLMConfigs that are written in its `args`. */ -}}
{{- define "ray-serve-llm.llmConfigsOfApp" -}}
{{- $application := .application -}}
{{- $release := .release -}}
{{- $name := .name -}}
{{- $found := list -}}
{{- $builder := include "ray-serve-llm.builderOfApp" . -}}
{{- range $key, $_ := (get $release.builders $builder | default dict).configs -}}
{{- $where := printf "apps.%s.application.args.%s" $name $key -}}
{{- $given := get ($application.args | default dict) $key -}}
{{- $several := kindIs "slice" $given -}}
{{- range $number, $config := ternary $given (list $given) $several -}}
{{- if kindIs "map" $config -}}
{{- $of := ternary (printf "%s[%d]" $where $number) $where $several -}}
{{- $found = append $found (include "ray-serve-llm.llmConfigOf" (dict
  "who" $of
  "of" $of
  "id" ((($config.model_loading_config | default dict).model_id) | default "")
  "application" $name
  "builder" $builder
  "key" $key
  "release" $release
  "config" $config) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- /*
Takes application and release. Gives the builder of Ray's that an app's import_path names, `module:name` or `module.name`;
nothing for code of one's own.
*/ -}}
{{- define "ray-serve-llm.builderOfApp" -}}
{{- $path := .application.import_path | toString -}}
{{- range $name, $builder := .release.builders -}}
{{- range $builder.modules -}}
{{- if has $path (list (printf "%s:%s" . $name) (printf "%s.%s" . $name)) -}}
{{- $name -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Takes all of an entry but deployment and gang, and release. Gives the entry, as JSON. */ -}}
{{- define "ray-serve-llm.llmConfigOf" -}}
{{- $builder := get .release.builders .builder | default dict -}}
{{- $prefix := get ($builder.configs | default dict) .key -}}
{{- if and (eq .builder "build_openai_app") .config.server_cls -}}
{{- $prefix = regexReplaceAll "^.*[.:]" (toString .config.server_cls) "" | printf "%s:" -}}
{{- end -}}
{{- $deployment := .id -}}
{{- range $from, $to := .release.modelDeployment.replace -}}
{{- $deployment = replace $from $to $deployment -}}
{{- end -}}
{{- $gang := ternary (include "ray-serve-llm.dataParallel" .config | int64) 1 (eq true $builder.dataParallel) -}}
{{- set (omit . "release") "deployment" (print $prefix $deployment) | merge (dict "gang" $gang) | toJson -}}
{{- end -}}
