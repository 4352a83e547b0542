{{- /*
Checks of where engines that hand their cache over listen for each other: one that finds its port taken in its pod waits for
ever. Each replica has a port of its own, counted from the LLMConfig's first one (generator/data/disaggregation.yaml); a
variable of the engine gives all of them one.
*/ -}}

{{- /* Every LLMConfig with the connector: against itself, and against those before it. */ -}}
{{- define "ray-serve-llm.checkTransferPorts" -}}
{{- $workers := .workers -}}
{{- $facts := .release.transferPorts -}}
{{- $told := dict "next" 0 -}}
{{- $listening := list -}}
{{- if $facts -}}
{{- range .llmConfigs -}}
{{- if include "ray-serve-llm.handsOver" (dict "config" .config "connector" $facts.connector) -}}
{{- $one := include "ray-serve-llm.listening" (dict "llmConfig" . "check" $) | fromJson -}}
{{- $listening = append $listening $one -}}
{{- $_ := set $told "next" (max $told.next (add $one.last $facts.ports | int)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $number, $one := $listening }}
{{- $own := include "ray-serve-llm.shareAPod" (dict "pieces" (list $one.piece $one.piece) "workers" $workers) }}
{{- if and $own $one.fixed (gt (int $one.replicas) 1) }}
{{ $one.at }}: every replica would listen at port {{ int $one.first }}, and two of them may come to one pod, where the second would wait for ever. Remove the variable: Ray gives each replica a port of its own, from experimental_configs.{{ $facts.option }} on.
{{- end }}
{{- range $other := slice $listening 0 $number }}
{{- if and (le (int $one.first) (int $other.last)) (le (int $other.first) (int $one.last)) }}
{{- if include "ray-serve-llm.shareAPod" (dict "pieces" (list $one.piece $other.piece) "workers" $workers) }}
{{- $port := max $one.first $other.first | int }}
{{- $free := mul $facts.ports (div $told.next $facts.ports) }}
{{- $_ := set $told "next" (add $free $facts.ports) }}
{{ $one.at }}: an engine of it and one of {{ $other.who }} may come to one pod, and both would listen at port {{ $port }}, where the second would wait for ever. {{ if $one.fixed }}Remove the variable, and set {{ $one.of }}.experimental_configs.{{ $facts.option }} to {{ $free }}{{ else }}Set it to {{ $free }}{{ end }}, or give them other worker groups.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes config (an LLMConfig) and connector. Gives `true` where its engine has that one, alone or of several. */ -}}
{{- define "ray-serve-llm.handsOver" -}}
{{- $transfer := (.config.engine_kwargs | default dict).kv_transfer_config -}}
{{- if kindIs "map" $transfer -}}
{{- $all := list $transfer -}}
{{- if eq "MultiConnector" (toString $transfer.kv_connector) -}}
{{- $all = list -}}
{{- if kindIs "map" $transfer.kv_connector_extra_config -}}
{{- $all = get $transfer.kv_connector_extra_config "connectors" -}}
{{- end -}}
{{- end -}}
{{- if kindIs "slice" $all -}}
{{- range $all -}}
{{- if and (kindIs "map" .) (eq $.connector (toString (get . "kv_connector"))) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
Takes llmConfig (an entry of ray-serve-llm.llmConfigs) and check. Gives, as JSON: who and of (its own), at (where its ports are
said, or would be), first and last (of them), fixed (by a variable), replicas (the most) and piece (what comes to a pod with its
engine).
*/ -}}
{{- define "ray-serve-llm.listening" -}}
{{- $config := .llmConfig.config -}}
{{- $facts := .check.release.transferPorts -}}
{{- $piece := include "ray-serve-llm.onOneWorker" (dict "llmConfig" .llmConfig "check" .check) | fromJson -}}
{{- $deployment := $config.deployment_config | default dict -}}
{{- $replicas := ($deployment.autoscaling_config | default dict).max_replicas | default (ternary $deployment.num_replicas 1 (has (kindOf $deployment.num_replicas) (list "float64" "int64" "int"))) | int -}}
{{- $at := printf "%s.experimental_configs.%s" .llmConfig.of $facts.option -}}
{{- $first := ternary $facts.first.decode $facts.first.prefill (eq .llmConfig.key "decode_config") -}}
{{- $first = get ($config.experimental_configs | default dict) $facts.option | default $first | int -}}
{{- /* Ranks of a group count by twos: Ray adds a rank's number, and vLLM adds it again. */ -}}
{{- $last := add $first (ternary (mul 2 (sub (int .llmConfig.gang) 1)) (mul (sub $replicas 1) (include "ray-serve-llm.ranks" $config | int)) (gt (int .llmConfig.gang) 1)) -}}
{{- $variable := include "ray-serve-llm.transferVariable" (dict "llmConfig" .llmConfig "piece" $piece "check" .check) | fromJson -}}
{{- with $variable.port -}}
{{- $at = $variable.at -}}
{{- $first = int . -}}
{{- $last = add $first (sub (int $.llmConfig.gang) 1) -}}
{{- end -}}
{{- dict "who" .llmConfig.who "of" .llmConfig.of "at" $at "first" $first "last" $last "fixed" (hasKey $variable "port") "replicas" $replicas "piece" $piece | toJson -}}
{{- end -}}

{{- /*
Takes llmConfig, piece and check. Gives, as JSON, the variable that fixes its engines' port: at (a path of the values) and port;
nothing where there is none, or where its value is kept elsewhere. The engine's own wins over its pod's.
*/ -}}
{{- define "ray-serve-llm.transferVariable" -}}
{{- $name := .check.release.transferPorts.variable -}}
{{- $found := dict -}}
{{- $asked := include "ray-serve-llm.offeredOf" (dict "piece" .piece "workers" .check.workers) | fromJson -}}
{{- range $group := include "ray-serve-llm.homes" (dict "asked" $asked "workers" .check.workers) | fromJsonArray -}}
{{- $of := printf "workerGroups.%s" $group -}}
{{- with get ((get $.check.pods $of).settings.env | default dict) $name -}}
{{- $found = dict "at" (printf "%s.env.%s" (ternary "pods" $of (hasKey ($.check.root.Values.pods.env | default dict) $name)) $name) "port" . -}}
{{- end -}}
{{- end -}}
{{- with get ((.llmConfig.config.runtime_env | default dict).env_vars | default dict) $name -}}
{{- $found = dict "at" (printf "%s.runtime_env.env_vars.%s" $.llmConfig.of $name) "port" . -}}
{{- end -}}
{{- if regexMatch "^[0-9]+$" (toString $found.port) -}}
{{- toJson $found -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{- /*
Takes llmConfig and check. Gives, as JSON, what of a replica, or of a group of ranks, Ray packs into one worker, {resource: amount}:
all of it, or as much as a worker holds. Spread, it is the first piece.
*/ -}}
{{- define "ray-serve-llm.onOneWorker" -}}
{{- $check := .check -}}
{{- $pieces := include "ray-serve-llm.pieces" (dict "config" .llmConfig.config "gang" .llmConfig.gang "release" $check.release) | fromJsonArray -}}
{{- $sum := first $pieces -}}
{{- $more := not (contains "SPREAD" ((.llmConfig.config.placement_group_config | default dict).strategy | default "")) -}}
{{- range $rank := until (int .llmConfig.gang) -}}
{{- range $number, $piece := $pieces -}}
{{- if and $more (gt (add $rank $number) 0) -}}
{{- $more = include "ray-serve-llm.shareAPod" (dict "pieces" (list $sum $piece) "workers" $check.workers) -}}
{{- if $more -}}
{{- $sum = include "ray-serve-llm.sum" (list $sum $piece) | fromJson -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $sum -}}
{{- end -}}

{{- /* Takes pieces (each {resource: amount}) and workers. Gives `true` where one worker holds all of them. */ -}}
{{- define "ray-serve-llm.shareAPod" -}}
{{- $sum := include "ray-serve-llm.sum" .pieces | fromJson -}}
{{- $asked := include "ray-serve-llm.offeredOf" (dict "piece" $sum "workers" .workers) | fromJson -}}
{{- if include "ray-serve-llm.homes" (dict "asked" $asked "workers" .workers) | fromJsonArray -}}
true
{{- end -}}
{{- end -}}
