{{- /* Checks of who may reach what: nothing may open by the back door what a value says is shut. */ -}}

{{- /*
Takes the root. Gives, as JSON, every map of environment variables in the values that has some, by where it is: the
pods', and those that Ray gives to replicas and ingresses.
*/ -}}
{{- define "ray-serve-llm.variables" -}}
{{- $found := dict -}}
{{- range $where, $block := include "ray-serve-llm.podBlocks" . | fromJson -}}
{{- $_ := set $found (printf "%s.env" $where) $block.env -}}
{{- range $key := list "extraContainers" "initContainers" -}}
{{- range $name, $container := get $block $key | default dict -}}
{{- $_ := set $found (printf "%s.%s.%s.env" $where $key $name) $container.env -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $environments := dict -}}
{{- $ingress := .Values.serving.ingress.ray_actor_options | default dict -}}
{{- $_ := set $environments "serving.ingress.ray_actor_options.runtime_env" $ingress.runtime_env -}}
{{- range include "ray-serve-llm.llmConfigs" . | fromJsonArray -}}
{{- $actor := (.config.deployment_config | default dict).ray_actor_options | default dict -}}
{{- $_ := set $environments (printf "%s.runtime_env" .of) .config.runtime_env -}}
{{- $_ := set $environments (printf "%s.deployment_config.ray_actor_options.runtime_env" .of) $actor.runtime_env -}}
{{- end -}}
{{- range $name, $app := .Values.apps -}}
{{- $_ := set $environments (printf "apps.%s.application.runtime_env" $name) $app.application.runtime_env -}}
{{- range $app.application.deployments -}}
{{- $actor := .ray_actor_options | default dict -}}
{{- $_ := set $environments (printf "apps.%s.application.deployments (%s).ray_actor_options.runtime_env" $name .name) $actor.runtime_env -}}
{{- end -}}
{{- end -}}
{{- range $where, $environment := $environments -}}
{{- $_ := set $found (printf "%s.env_vars" $where) ($environment | default dict).env_vars -}}
{{- end -}}
{{- $some := dict -}}
{{- range $where, $variables := $found -}}
{{- if $variables -}}
{{- $_ := set $some $where $variables -}}
{{- end -}}
{{- end -}}
{{- toJson $some -}}
{{- end -}}

{{- /* Variables that undo what other values say, or open routes to every client: files/refused-variables.yaml. */ -}}
{{- define "ray-serve-llm.checkVariables" -}}
{{- $refused := .root.Files.Get "files/refused-variables.yaml" | fromYaml -}}
{{- range $where, $variables := include "ray-serve-llm.variables" .root | fromJson }}
{{- range $name, $value := $variables }}
{{- if kindIs "map" $value }}
{{- $value = $value.value }}
{{- end }}
{{- range $known, $row := $refused }}
{{- $is := or (eq $name $known) (and (hasSuffix "*" $known) (hasPrefix (trimSuffix "*" $known) $name)) }}
{{- if and $is (not (has (toString $value) $row.harmless)) }}
{{ $where }}.{{ $name }}: {{ $row.why }}. {{ $row.instead }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /*
Prefixes of `envFrom`: what the keys are called is the cluster's to know, but where every name would begin as refused ones do, each
of them is. preflight looks at the keys.
*/ -}}
{{- define "ray-serve-llm.checkPrefixes" -}}
{{- $refused := .root.Files.Get "files/refused-variables.yaml" | fromYaml -}}
{{- $sources := dict -}}
{{- range $where, $block := include "ray-serve-llm.podBlocks" .root | fromJson -}}
{{- $_ := set $sources $where $block.envFrom -}}
{{- range $key := list "extraContainers" "initContainers" -}}
{{- range $name, $container := get $block $key | default dict -}}
{{- $_ := set $sources (printf "%s.%s.%s" $where $key $name) $container.envFrom -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $where, $from := $sources }}
{{- range $name, $source := $from }}
{{- range $known, $row := $refused }}
{{- if and (hasSuffix "*" $known) (hasPrefix (trimSuffix "*" $known) ($source.prefix | default "")) }}
{{ $where }}.envFrom.{{ $name }}.prefix: every variable would begin with {{ trimSuffix "*" $known }}, and {{ $row.why }}. {{ $row.instead }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Engine arguments that open routes or files to every client: files/refused-arguments.yaml. */ -}}
{{- define "ray-serve-llm.checkEngineArguments" -}}
{{- $refused := .root.Files.Get "files/refused-arguments.yaml" | fromYaml -}}
{{- range .llmConfigs }}
{{- $of := .of }}
{{- $engine := .config.engine_kwargs | default dict }}
{{- range $name, $row := $refused }}
{{- with get $engine $name }}
{{- if or (not $row.folders) (include "ray-serve-llm.mayReach" (dict "folder" (toString .) "kept" $row.folders)) }}
{{ $of }}.engine_kwargs.{{ $name }}: {{ $row.why }}. {{ $row.instead }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /*
Takes folder (a path) and kept (folders). Gives `true` where it is at, above or below one of them, or where that is not
known: a relative path, and one with a step . or .., lead wherever the container's folders and links do.
*/ -}}
{{- define "ray-serve-llm.mayReach" -}}
{{- $steps := splitList "/" .folder | compact -}}
{{- $path := printf "%s/" (prepend $steps "" | join "/") -}}
{{- $may := or (not (hasPrefix "/" .folder)) (has "." $steps) (has ".." $steps) -}}
{{- range .kept -}}
{{- $may = or $may (hasPrefix (printf "%s/" .) $path) (hasPrefix $path (printf "%s/" .)) -}}
{{- end -}}
{{- ternary "true" "" $may -}}
{{- end -}}

{{- /* Flags of `ray start`: those that a pod may be given, by files/ray-start-flags.yaml, and no GPUs that it lacks. */ -}}
{{- define "ray-serve-llm.checkStartFlags" -}}
{{- $flags := .root.Files.Get "files/ray-start-flags.yaml" | fromYaml -}}
{{- range $where, $pod := .pods }}
{{- range $flag, $value := $pod.settings.rayStartParams | default dict }}
{{- $row := get $flags.refused $flag }}
{{- if and $row $row.freeOnHead (eq $where "head") }}
{{- else if $row }}
{{ $where }}.rayStartParams.{{ $flag }}: {{ $row.why }}. {{ $row.instead }}.
{{- else if not (has $flag $flags.free) }}
{{ $where }}.rayStartParams.{{ $flag }}: `ray start` has no such flag, and every pod would end. There are: {{ join ", " $flags.free }}.
{{- else if and (eq $flag "num-gpus") (gt ($value | trimAll "\"'" | int) ($pod.settings.gpusPerWorker | default 0 | int)) }}
{{ $where }}.rayStartParams.num-gpus: Ray would count {{ $value }} GPUs, and the pod has {{ $pod.settings.gpusPerWorker | default 0 }}. Remove it.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The head's volume with the token of Kubernetes: another of its name would be mounted into Ray's container too. */ -}}
{{- define "ray-serve-llm.checkKubernetesVolume" -}}
{{- $name := include "ray-serve-llm.kubernetesVolumeName" . -}}
{{- if hasKey (.pods.head.settings.volumes | default dict) $name }}
head.volumes.{{ $name }}: the head has a volume of that name for its autoscaler. Rename yours (here or in pods.volumes).
{{- end }}
{{- end -}}

{{- /* The NetworkPolicy: the operator is named, and every peer is one that Kubernetes takes: files/network-policy.yaml. */ -}}
{{- define "ray-serve-llm.checkNetworkPolicy" -}}
{{- $policy := .root.Values.networkPolicy -}}
{{- $rules := .root.Files.Get "files/network-policy.yaml" | fromYaml -}}
{{- if and $policy.enabled (not $policy.operatorNamespace) }}
networkPolicy.operatorNamespace: {{ $rules.operatorNamespace.why }}. {{ $rules.operatorNamespace.instead }}.
{{- end }}
{{- $lists := dict "clients" $policy.clients "metricsClients" $policy.metricsClients -}}
{{- range $number, $rule := $policy.egress -}}
{{- $_ := set $lists (printf "egress[%d].to" $number) $rule.to -}}
{{- range $index, $port := $rule.ports }}
{{- include "ray-serve-llm.checkPortRange" (dict "of" (printf "networkPolicy.egress[%d].ports[%d]" $number $index) "port" $port) }}
{{- end }}
{{- end -}}
{{- range $where, $peers := $lists }}
{{- range $number, $peer := $peers }}
{{- if and $peer.ipBlock (or (hasKey $peer "podSelector") (hasKey $peer "namespaceSelector")) }}
networkPolicy.{{ $where }}[{{ $number }}]: {{ $rules.ipBlock.why }}. {{ $rules.ipBlock.instead }}.
{{- else if not (or $peer.ipBlock (kindIs "map" $peer.podSelector) (kindIs "map" $peer.namespaceSelector)) }}
networkPolicy.{{ $where }}[{{ $number }}]: {{ $rules.nobody.why }}. {{ $rules.nobody.instead }}.
{{- end }}
{{- with $peer.ipBlock }}
{{- include "ray-serve-llm.checkIpBlock" (dict "of" (printf "networkPolicy.%s[%d].ipBlock" $where $number) "block" .) }}
{{- end }}
{{- include "ray-serve-llm.checkRequirements" (dict "of" (printf "networkPolicy.%s[%d]" $where $number) "in" $peer) }}
{{- end }}
{{- end }}
{{- end -}}
