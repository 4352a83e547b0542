{{- /*
What Helm's schema cannot see: values that contradict each other, that another release would take, or that leave a
replica pending forever with nothing but a line in Ray's log. Each message says where, what, and what to do.

A check takes `root` and `release` (the facts of the Ray release) and prints one line for each problem, or nothing.
*/ -}}

{{- /* Takes the root. Gives nothing, or fails with every problem that the checks found. */ -}}
{{- define "ray-serve-llm.check" -}}
{{- $check := dict "root" . "release" (include "ray-serve-llm.rayRelease" . | fromYaml) -}}
{{- $found := list
  (include "ray-serve-llm.checkName" $check)
  (include "ray-serve-llm.checkServing" $check)
  (include "ray-serve-llm.checkModels" $check)
  (include "ray-serve-llm.checkWorkerGroups" $check)
  (include "ray-serve-llm.checkIngressCapacity" $check)
  (include "ray-serve-llm.checkVolumes" $check) -}}
{{- $problems := join "\n" $found | splitList "\n" -}}
{{- $lines := list -}}
{{- range $problems -}}
{{- if trim . -}}
{{- $lines = append $lines (printf "- %s" (trim .)) -}}
{{- end -}}
{{- end -}}
{{- if $lines -}}
{{- fail (printf "\n%s" (join "\n" $lines)) -}}
{{- end -}}
{{- end -}}

{{- /* KubeRay makes the cluster's name, and from it pods' and Services' names, of the RayService's. */ -}}
{{- define "ray-serve-llm.checkName" -}}
{{- $name := include "ray-serve-llm.name" .root -}}
{{- if gt (len $name) 47 -}}
fullnameOverride: the RayService's name "{{ $name }}" has {{ len $name }} characters and KubeRay takes 47. Choose a shorter release name, or set fullnameOverride.
{{- else if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
fullnameOverride: the RayService's name "{{ $name }}" must be lower-case letters, digits and '-', and start with a letter. Choose another release name, or set fullnameOverride.
{{- end -}}
{{- end -}}

{{- /* The ways of serving, and the releases that have them. */ -}}
{{- define "ray-serve-llm.checkServing" -}}
{{- $values := .root.Values -}}
{{- $version := $values.ray.version -}}
{{- if eq $values.serving.path "throughput" }}
{{- if not .release.throughputPath }}
serving.path: Ray {{ $version }} has no throughput path. Set serving.path to standard, or ray.version to a release that has it.
{{- end }}
{{- if and (eq $values.serving.routing "unified") (gt (len $values.models) 1) }}
serving.routing: the throughput path serves one model for each application, and unified would put {{ len $values.models }} into one. Set serving.routing to perModel, or serving.path to standard.
{{- end }}
{{- if $values.serving.ingress }}
serving.ingress: the throughput path has no ingress deployment to set options of. Remove serving.ingress, or set serving.path to standard.
{{- end }}
{{- end }}
{{- if hasKey $values.serving.config "applications" }}
serving.config.applications: the chart writes the applications from `models`. Remove it.
{{- end }}
{{- if and (eq $values.auth.mode "token") (not .release.tokenAuth) }}
auth.mode: Ray {{ $version }} has no token authentication. Set auth.mode to auto or disabled, or ray.version to a release that has it.
{{- end }}
{{- end -}}

{{- /* Each model: its id, its placement in the words of the release, and resources that some worker group has. */ -}}
{{- define "ray-serve-llm.checkModels" -}}
{{- $values := .root.Values -}}
{{- $placementField := .release.placementField -}}
{{- $ray := list "CPU" "GPU" "TPU" "memory" "object_store_memory" -}}
{{- $groupResources := dict -}}
{{- $gpus := 0 -}}
{{- range $name, $group := $values.workerGroups -}}
{{- $gpus = max $gpus ($group.gpusPerWorker | default 0 | int) -}}
{{- range $resource, $_ := $group.rayResources | default (dict $name 1) -}}
{{- $_ := set $groupResources $resource true -}}
{{- end -}}
{{- end -}}
{{- $known := keys $groupResources | sortAlpha | join ", " | default "none" -}}
{{- $deployments := dict -}}
{{- if not $values.models }}
models: there is none. Add one, or give a values file that has some (-f values/<environment>/<family>.yaml).
{{- end }}
{{- range $id, $model := $values.models }}
{{- $config := $model.llmConfig }}
{{- $givenId := ($config.model_loading_config | default dict).model_id | default $id }}
{{- if ne $givenId $id }}
models.{{ $id }}.llmConfig.model_loading_config.model_id: it is "{{ $givenId }}", and the key is the id. Remove it, or rename the key.
{{- end }}
{{- range list "placement_group_config" "resources_per_bundle" }}
{{- if and (hasKey $config .) (ne . $placementField) }}
models.{{ $id }}.llmConfig.{{ . }}: Ray {{ $values.ray.version }} does not take it. Say it in {{ $placementField }}, or set ray.version to the release it was written for.
{{- end }}
{{- end }}
{{- $deployment := $config.deployment_config | default dict }}
{{- $placement := $config.placement_group_config | default dict }}
{{- $bundles := concat
  (list $placement.bundle_per_worker $config.resources_per_bundle)
  ($placement.bundles | default list)
  ($deployment.placement_group_bundles | default list) | compact }}
{{- $asked := dict }}
{{- range append $bundles (($deployment.ray_actor_options | default dict).resources | default dict) }}
{{- range $resource, $amount := . }}
{{- if $amount }}
{{- $_ := set $asked $resource true }}
{{- end }}
{{- end }}
{{- end }}
{{- range $resource, $_ := $asked }}
{{- if not (or (has $resource $ray) (hasKey $groupResources $resource) (hasPrefix "accelerator_type:" $resource)) }}
models.{{ $id }}: it asks for the resource "{{ $resource }}", which no worker group has, so it would stay pending forever. Did you mean one of: {{ $known }}? Else add workerGroups.{{ $resource }}.
{{- end }}
{{- end }}
{{- $onGpus := or (hasKey $asked "GPU") (not (or $bundles (eq ($config.accelerator_config | default dict).kind "cpu"))) }}
{{- if and $onGpus (not $gpus) }}
models.{{ $id }}: it asks for a GPU and no worker group has one, so it would stay pending forever. Set workerGroups.<name>.gpusPerWorker, or place the model on CPUs.
{{- end }}
{{- if eq $values.serving.routing "unified" }}
{{- $name := replace "." "_" $id }}
{{- with get $deployments $name }}
models.{{ $id }}: behind one route, Ray would give it the deployment name of models.{{ . }} (LLMServer:{{ $name }}). Rename one of them, or set serving.routing to perModel.
{{- end }}
{{- $_ := set $deployments $name $id }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Each worker group, and the ingress workers where the standard path has them. */ -}}
{{- define "ray-serve-llm.checkWorkerGroups" -}}
{{- $values := .root.Values -}}
{{- $groups := dict -}}
{{- range $name, $group := $values.workerGroups -}}
{{- $_ := set $groups (printf "workerGroups.%s" $name) $group -}}
{{- end -}}
{{- if eq $values.serving.path "standard" -}}
{{- $ingress := include "ray-serve-llm.ingressGroup" .root -}}
{{- if hasKey $values.workerGroups $ingress }}
workerGroups.{{ $ingress }}: that is the name of the ingress workers' group. Rename it, or say what you want of them in ingressWorkers.
{{- end }}
{{- $_ := set $groups "ingressWorkers" $values.ingressWorkers -}}
{{- end -}}
{{- if hasKey $values.workerGroups "headgroup" }}
workerGroups.headgroup: that is KubeRay's name for the head. Rename it.
{{- end }}
{{- range $where, $group := $groups }}
{{- $min := $group.minReplicas | default 0 | int }}
{{- $max := $group.maxReplicas | default 1 | int }}
{{- if gt $min $max }}
{{ $where }}.minReplicas: {{ $min }} is more than maxReplicas, {{ $max }}. Raise maxReplicas, or lower minReplicas.
{{- end }}
{{- $params := $group.rayStartParams | default dict }}
{{- if hasKey $params "resources" }}
{{ $where }}.rayStartParams.resources: the chart writes it from rayResources. Say it there.
{{- end }}
{{- with $group.resources }}
{{- $cpu := coalesce (.limits | default dict).cpu (.requests | default dict).cpu (get $params "num-cpus") }}
{{- if not $cpu }}
{{ $where }}.resources: without a CPU limit or request Ray's autoscaler cannot tell how many CPUs a worker has. Set resources.limits.cpu or resources.requests.cpu.
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /*
The ingress of every application must find its CPUs among the ingress workers, else the application never runs. Ray
counts a worker's CPUs in whole ones, rounded up.
*/ -}}
{{- define "ray-serve-llm.checkIngressCapacity" -}}
{{- $values := .root.Values -}}
{{- if eq $values.serving.path "standard" -}}
{{- $group := include "ray-serve-llm.ingressSettings" .root | fromJson -}}
{{- $options := include "ray-serve-llm.ingressOptions" .root | fromYaml -}}
{{- $cpus := coalesce (get ($group.rayStartParams | default dict) "num-cpus") ($group.resources.limits | default dict).cpu ($group.resources.requests | default dict).cpu | default "0" | toString -}}
{{- if hasSuffix "m" $cpus -}}
{{- $cpus = divf (trimSuffix "m" $cpus | float64) 1000 -}}
{{- end -}}
{{- $cpus = float64 $cpus | ceil -}}
{{- $each := dig "num_cpus" 1 $options.ray_actor_options | float64 -}}
{{- $applications := ternary 1 (len $values.models) (eq $values.serving.routing "unified") -}}
{{- $perWorker := 1.0 -}}
{{- if and $each (ge $each 0.0001) -}}
{{- $perWorker = divf $cpus $each | floor -}}
{{- if lt $perWorker 1.0 }}
serving.ingress.ray_actor_options.num_cpus: an ingress asks for {{ $each }} CPUs and an ingress worker has {{ $cpus }}. Lower it, or raise ingressWorkers.resources.
{{- else if gt (divf $applications $perWorker | ceil) (float64 $group.maxReplicas) }}
ingressWorkers.maxReplicas: {{ $applications }} applications have an ingress each, {{ $perWorker }} of them fit a worker, and {{ int $group.maxReplicas }} workers are too few. Set it to {{ divf $applications $perWorker | ceil }} or more.
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Volumes that need a name which only the values can give. */ -}}
{{- define "ray-serve-llm.checkVolumes" -}}
{{- $cache := .root.Values.modelCache -}}
{{- if and (eq $cache.type "persistentVolumeClaim") (not $cache.claimName) }}
modelCache.claimName: it is empty. Name an existing PersistentVolumeClaim, or set modelCache.type to emptyDir.
{{- end }}
{{- if and (eq $cache.type "hostPath") (not $cache.hostPath) }}
modelCache.hostPath: it is empty. Name a folder of the nodes, or set modelCache.type to emptyDir.
{{- end }}
{{- end -}}

{{- /* Takes family and bytes, the size of its files. Gives nothing, or fails: etcd takes no larger ConfigMap. */ -}}
{{- define "ray-serve-llm.checkFamilySize" -}}
{{- if gt .bytes 1048576 -}}
{{- fail (printf "\n- models: the files of family %q have %d bytes, and a ConfigMap holds 1048576. Split the family, or set serving.delivery to inline." .family .bytes) -}}
{{- end -}}
{{- end -}}
