{{- /* Checks of KV offload to the host's memory: an engine does not start where its pod has too little. */ -}}

{{- /*
Each LLMConfig with kv_offloading_size, on every group that may hold it: /dev/shm has room for it, and the pod's memory
for that and files/host-memory.yaml's rest of a replica. LMCache's memory is in variables of its own.
*/ -}}
{{- define "ray-serve-llm.checkKvOffload" -}}
{{- $root := .root -}}
{{- $workers := .workers -}}
{{- $pods := .pods -}}
{{- $facts := .root.Files.Get "files/host-memory.yaml" | fromYaml -}}
{{- range .llmConfigs }}
{{- $engine := .config.engine_kwargs | default dict }}
{{- if and $engine.kv_offloading_size (ne "lmcache" (toString $engine.kv_offloading_backend)) }}
{{- $of := printf "%s.engine_kwargs.kv_offloading_size" .of }}
{{- $piece := include "ray-serve-llm.pieces" (dict "config" .config "gang" .gang "release" $.release) | fromJsonArray | first }}
{{- $asked := include "ray-serve-llm.offeredOf" (dict "piece" $piece "workers" $workers) | fromJson }}
{{- range $group := include "ray-serve-llm.homes" (dict "asked" $asked "workers" $workers) | fromJsonArray }}
{{- $settings := (get $pods (printf "workerGroups.%s" $group)).settings }}
{{- $gib := float64 $engine.kv_offloading_size }}
{{- $memory := include "ray-serve-llm.gib" (($settings.resources | default dict).limits | default dict).memory }}
{{- $shared := include "ray-serve-llm.gib" $settings.sharedMemory }}
{{- if and $memory (gt (addf $gib $facts.besideGiB) (float64 $memory)) }}
{{ $of }}: {{ $gib }} GiB of the host's memory are asked for, and workerGroups.{{ $group }} has {{ $settings.resources.limits.memory }} in a pod, of which a replica needs {{ $facts.besideGiB }}Gi for all else. Lower it, or raise workerGroups.{{ $group }}.resources.
{{- else if and $shared (gt $gib (float64 $shared)) }}
{{ $of }}: {{ $gib }} GiB lie in /dev/shm, which has {{ $settings.sharedMemory }} in workerGroups.{{ $group }}, so the engine would not start. Set workerGroups.{{ $group }}.sharedMemory to {{ addf $gib $facts.sharedMemoryGiB | ceil }}Gi for each such replica of a pod.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Takes a quantity of bytes, or nothing. Gives it in GiB; nothing where there is none. */ -}}
{{- define "ray-serve-llm.gib" -}}
{{- with . -}}
{{- divf (include "ray-serve-llm.quantity" . | float64) 1073741824 -}}
{{- end -}}
{{- end -}}
