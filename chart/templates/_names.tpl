{{- /*
How these templates are made.

The chart prints, checks and wires. There is a folder for each component:

  serve/       the RayService, what Ray Serve runs on it, and what its replicas ask for
  head/        the head's pod
  workers/     groups of workers, what each holds, how many come up beside the head, and images that are pulled ahead
  edge/        how requests get in from outside: an HTTPRoute, an Ingress, the type of the Service
  configmaps/  the files of models and of apps
  jobs/        what runs once, before an installation or an upgrade: the download of models
  monitoring/  what watches a release: what Prometheus collects, alerts, dashboards
  tests/       what `helm test` runs
  checks/      everything that would fail later or hang forever, told now: what, where, what to do

What components share, and the objects of the whole release, are beside this file. There are two kinds of file:

  <object>.yaml   prints one kind of Kubernetes object and reads like the manifest it makes
  _<subject>.tpl  small helpers of one subject

Rules that keep them readable:

- Arithmetic and choices are the values' (people's or the generator's). A default that the chart adds is a literal in
  one helper, described in values.yaml.
- A helper takes the chart's root context (`.`) or a `dict` with named entries, as its comment says. It prints YAML or
  JSON; a caller that needs the object parses it back with `fromYaml` or `fromJson`. Two cost nothing to tell apart:
  JSON comes from helpers whose result is only ever parsed.
- Nothing changes `.Values`: Helm hands the same object to every template, in no promised order. `set` and the `merge`
  functions are only called on a `dict` made on the spot.
- What a Ray release can do is read from files/releases.yaml (`ray-serve-llm.rayRelease`); no template compares
  versions.
- What depends on every model (the checksum, the list of families) is worked out once for a release and handed to the
  pods, so that a thousand models cost no more than printing them.
- Pod templates carry nothing that changes without need, such as the chart's version: KubeRay answers any change of a
  pod template with a whole new cluster, and that takes double the GPUs for a while.
*/ -}}

{{- /* Takes the root. Gives the name of the RayService; KubeRay derives the names of the Services and pods from it. */ -}}
{{- define "ray-serve-llm.name" -}}
{{- .Values.fullnameOverride | default .Release.Name -}}
{{- end -}}

{{- /* Takes the root. Gives the ServiceAccount of the pods; nothing when the chart makes none and none is named. */ -}}
{{- define "ray-serve-llm.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "ray-serve-llm.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /*
Takes the root. Gives the labels by which one release's pods are selected. Not app.kubernetes.io/name: KubeRay sets it
on its pods and selects its head Service by it.
*/ -}}
{{- define "ray-serve-llm.selectorLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
{{- end -}}

{{- /* Takes root, name and, where the object has its own, annotations. Gives the metadata of an object of the release. */ -}}
{{- define "ray-serve-llm.metadata" -}}
{{- $labels := dict
  "app.kubernetes.io/name" .root.Chart.Name
  "app.kubernetes.io/version" .root.Values.ray.version
  "app.kubernetes.io/managed-by" .root.Release.Service
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
name: {{ .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "ray-serve-llm.overlayYaml" (list .root.Values.commonLabels $labels (include "ray-serve-llm.selectorLabels" .root | fromYaml)) | nindent 2 }}
{{- with include "ray-serve-llm.annotations" (list .root.Values.commonAnnotations .annotations) }}
{{ . }}
{{- end }}
{{- end -}}
