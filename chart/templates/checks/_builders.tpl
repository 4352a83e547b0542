{{- /* Checks of what Ray's builders make of LLMConfigs: which of them builds what, and what each takes. */ -}}

{{- /* Every model's ways to be built, every LLMConfig against its builder, and every app of a builder. */ -}}
{{- define "ray-serve-llm.checkBuilders" -}}
{{- $deployments := dict -}}
{{- $pairs := dict -}}
{{- range $id, $model := .root.Values.models }}
{{- include "ray-serve-llm.checkHalves" (dict "of" (printf "models.%s" $id) "model" $model) }}
{{- end }}
{{- range $one := .llmConfigs }}
{{- include "ray-serve-llm.checkBuilder" (dict "llmConfig" . "release" $.release "values" $.root.Values) }}
{{- $name := printf "%s %s" .application .deployment }}
{{- if hasKey $deployments $name }}
{{ .who }}: behind one route, Ray would give it the deployment name of {{ get $deployments $name }} ({{ .deployment }}). Rename one of them{{ ternary ", by its key or its model_id, or set serving.routing to perModel" " by its model_id" (hasKey . "model") }}.
{{- end }}
{{- $_ := set $deployments $name .who }}
{{- if eq .builder "build_pd_openai_app" }}
{{- with get $pairs .application }}
{{- if ne . $one.id }}
{{ $one.of }}.model_loading_config.model_id: it is "{{ $one.id }}", and that of the other half is "{{ . }}". Give both the same.
{{- end }}
{{- end }}
{{- $_ := set $pairs .application .id }}
{{- end }}
{{- end }}
{{- range $name, $app := .root.Values.apps }}
{{- with include "ray-serve-llm.builderOfApp" (dict "application" $app.application "release" $.release) }}
{{- include "ray-serve-llm.checkBuiltApp" (dict "name" $name "builder" . "application" $app.application "check" $) }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes of (a model, as a path of the values) and model. It is whole, or it has both halves. */ -}}
{{- define "ray-serve-llm.checkHalves" -}}
{{- $given := list -}}
{{- range list "llmConfig" "prefill" "decode" -}}
{{- if and (hasKey $.model .) (not (kindIs "invalid" (get $.model .))) -}}
{{- $given = append $given . -}}
{{- end -}}
{{- end -}}
{{- if not (has (join " " $given) (list "llmConfig" "prefill decode")) }}
{{ .of }}: it has {{ join " and " $given | default "no llmConfig" }}. Give llmConfig, or prefill and decode, each with an llmConfig of its own.
{{- end }}
{{- range without $given "llmConfig" }}
{{- if not (get $.model . | default dict).llmConfig }}
{{ $.of }}.{{ . }}.llmConfig: it is missing. Give the LLMConfig of that half.
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes llmConfig (an entry of ray-serve-llm.llmConfigs), release and values. */ -}}
{{- define "ray-serve-llm.checkBuilder" -}}
{{- $one := .llmConfig -}}
{{- $version := .values.ray.version -}}
{{- $builder := get .release.builders $one.builder | default dict -}}
{{- $size := include "ray-serve-llm.dataParallel" $one.config | int64 -}}
{{- $ofModel := hasKey $one "model" -}}
{{- if and $ofModel (eq $one.builder "build_pd_openai_app") (not .release.prefillDecode) }}
{{ $one.who }}: with Ray {{ $version }} the chart disaggregates no model. Say it in llmConfig, or set ray.version to a release with which it does.
{{- end }}
{{- if and (gt $size 1) (not $builder.dataParallel) }}
{{ $one.of }}.engine_kwargs.data_parallel_size: it is {{ $size }}, and {{ ternary (printf "Ray %s" $version) $one.builder $ofModel }} builds no data parallel group, so every replica would wait for ranks that never come. {{ ternary "Remove it, or set ray.version to a release that does" "Remove it, or set import_path to ray.serve.llm:build_dp_openai_app, where the Ray release has that" $ofModel }}.
{{- end }}
{{- with ($one.config.placement_group_config | default dict).strategy }}
{{- if and (gt (int64 $one.gang) 1) (ne . "PACK") }}
{{ $one.of }}.placement_group_config.strategy: it is {{ . }}, and Ray places the {{ int64 $one.gang }} ranks of a data parallel group as one, by PACK. Remove it.
{{- end }}
{{- end }}
{{- if and (eq $one.builder "build_pd_openai_app") (not ($one.config.engine_kwargs | default dict).kv_transfer_config) }}
{{ $one.of }}.engine_kwargs.kv_transfer_config: prefill hands its cache to decode by a connector, and none is named. Add one to both halves, as {kv_connector: NixlConnector, kv_role: {{ ternary "kv_producer" "kv_consumer" (eq $one.key "prefill_config") }}}.
{{- end }}
{{- if and $ofModel (ne $one.builder "build_openai_app") (eq .values.serving.routing "unified") (gt (len .values.models) 1) (eq .values.serving.path "standard") }}
{{ $one.who }}: Ray builds it an application of its own, which cannot be behind one route with other models. Set serving.routing to perModel.
{{- end }}
{{- if and $ofModel (eq false $builder.fixedIngress) (eq .values.serving.path "standard") (hasKey .values.serving.ingress "num_replicas") }}
serving.ingress.num_replicas: {{ $one.builder }}, which builds {{ $one.who }}, sets autoscaling_config beside it, and Ray takes one of them. Give autoscaling_config with min_replicas and max_replicas of {{ .values.serving.ingress.num_replicas }}.
{{- end }}
{{- end -}}

{{- /* Takes name (of the app), builder, application and check (what every check takes). */ -}}
{{- define "ray-serve-llm.checkBuiltApp" -}}
{{- $where := printf "apps.%s.application" .name -}}
{{- $arguments := .application.args | default dict -}}
{{- $row := get .check.release.builders .builder -}}
{{- $made := dict -}}
{{- range .check.llmConfigs -}}
{{- if and (eq .application $.name) (not .model) -}}
{{- $_ := set $made .deployment .of -}}
{{- end -}}
{{- end -}}
{{- if eq .check.root.Values.serving.path "throughput" }}
{{- if gt (len ($arguments.llm_configs | default list)) 1 }}
{{ $where }}.args.llm_configs: the throughput path serves one model for each application, and here are {{ len $arguments.llm_configs }}. Make an app of each, or set serving.path to standard.
{{- end }}
{{- range list "ingress_deployment_config" "ingress_cls_config" }}
{{- if get $arguments . }}
{{ $where }}.args.{{ . }}: the throughput path has no ingress deployment, and Ray would not build the application. Remove it, or set serving.path to standard.
{{- end }}
{{- end }}
{{- else if and (eq false $row.fixedIngress) (hasKey ($arguments.ingress_deployment_config | default dict) "num_replicas") }}
{{ $where }}.args.ingress_deployment_config.num_replicas: {{ .builder }} sets autoscaling_config beside it, and Ray takes one of them. Give autoscaling_config.
{{- end }}
{{- range .application.deployments }}
{{- with get $made .name }}
{{ $where }}.deployments: what it says would be written over what Ray makes of {{ . }}. Say it in {{ . }}.deployment_config.
{{- end }}
{{- end }}
{{- end -}}
