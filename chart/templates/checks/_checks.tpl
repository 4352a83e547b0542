{{- /*
What Helm's schema cannot see: values that contradict each other, that another release would take, or that leave a
replica pending forever with nothing but a line in Ray's log. Each message says where, what, and what to do.

A check takes `root`, `release` (the facts of the Ray release), `llmConfigs` (every one, wherever it is written), `workers`
(what there is to land on) and `pods` (every kind of pod), all worked out once, and prints one line for each problem, or
nothing.
*/ -}}

{{- /* Takes the root. Gives nothing, or fails with every problem that the checks found. */ -}}
{{- define "ray-serve-llm.check" -}}
{{- include "ray-serve-llm.refuseSecrets" . -}}
{{- $check := dict
  "root" .
  "release" (include "ray-serve-llm.rayRelease" . | fromYaml)
  "llmConfigs" (include "ray-serve-llm.llmConfigs" . | fromJsonArray)
  "workers" (include "ray-serve-llm.workers" . | fromJson)
  "pods" (include "ray-serve-llm.kindsOfPods" . | fromJson) -}}
{{- $found := list
  (include "ray-serve-llm.checkName" $check)
  (include "ray-serve-llm.checkServing" $check)
  (include "ray-serve-llm.checkServeOptions" $check)
  (include "ray-serve-llm.checkServeSwitches" $check)
  (include "ray-serve-llm.checkBuilders" $check)
  (include "ray-serve-llm.checkModels" $check)
  (include "ray-serve-llm.checkScalingWays" $check)
  (include "ray-serve-llm.checkSchedulesPath" $check)
  (include "ray-serve-llm.checkAdapters" $check)
  (include "ray-serve-llm.checkRouters" $check)
  (include "ray-serve-llm.checkKvOffload" $check)
  (include "ray-serve-llm.checkTransferPorts" $check)
  (include "ray-serve-llm.checkApps" $check)
  (include "ray-serve-llm.checkImages" $check)
  (include "ray-serve-llm.checkEngines" $check)
  (include "ray-serve-llm.checkWorkerGroups" $check)
  (include "ray-serve-llm.checkIngress" $check)
  (include "ray-serve-llm.checkHead" $check)
  (include "ray-serve-llm.checkCpus" $check)
  (include "ray-serve-llm.checkQuantities" $check)
  (include "ray-serve-llm.checkLeastMemory" $check)
  (include "ray-serve-llm.checkMounts" $check)
  (include "ray-serve-llm.checkVolumes" $check)
  (include "ray-serve-llm.checkContainers" $check)
  (include "ray-serve-llm.checkNetworkOfPods" $check)
  (include "ray-serve-llm.checkVariables" $check)
  (include "ray-serve-llm.checkPrefixes" $check)
  (include "ray-serve-llm.checkEngineArguments" $check)
  (include "ray-serve-llm.checkFrontend" $check)
  (include "ray-serve-llm.checkOrders" $check)
  (include "ray-serve-llm.checkLlmConfigRules" $check)
  (include "ray-serve-llm.checkPlacementGroups" $check)
  (include "ray-serve-llm.checkStartFlags" $check)
  (include "ray-serve-llm.checkKubernetesVolume" $check)
  (include "ray-serve-llm.checkKubernetes" $check)
  (include "ray-serve-llm.checkNetworkPolicy" $check)
  (include "ray-serve-llm.checkEdge" $check)
  (include "ray-serve-llm.checkExtraObjects" $check)
  (include "ray-serve-llm.checkBudgets" $check)
  (include "ray-serve-llm.checkRedis" $check)
  (include "ray-serve-llm.checkUpgradeStrategy" $check) -}}
{{- $problems := join "\n" $found | splitList "\n" -}}
{{- $lines := list -}}
{{- range $problems -}}
{{- if trim . -}}
{{- $lines = append $lines (printf "- %s" (trim .)) -}}
{{- end -}}
{{- end -}}
{{- /* What is counted is counted of what is right otherwise. */ -}}
{{- if not $lines -}}
{{- range include "ray-serve-llm.checkCapacity" $check | splitList "\n" -}}
{{- if trim . -}}
{{- $lines = append $lines (printf "- %s" (trim .)) -}}
{{- end -}}
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

{{- /*
Takes of (whose files, "they" or by name), bytes and fix. Gives nothing, or fails: etcd takes no larger ConfigMap.
*/ -}}
{{- define "ray-serve-llm.checkSize" -}}
{{- if gt .bytes 1048576 -}}
{{- fail (printf "\n- %s have %d bytes, and a ConfigMap holds 1048576. %s" .of .bytes .fix) -}}
{{- end -}}
{{- end -}}
