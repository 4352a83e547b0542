"""The chart's values: what `chart/values.schema.json` is made from, and what `values.py` builds.

Everything that repeats is a mapping keyed by name, because Helm merges mappings and replaces lists: so the family
files of one environment compose in any order. Words are Ray's (snake_case, below `llmConfig` and `serving.config`)
and KubeRay's or Kubernetes' (camelCase, everywhere else).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from generator.documents.merge import JsonObject
from generator.formats import versions
from generator.formats.availability import GcsFaultTolerance, PodDisruptionBudget, UpgradeStrategy
from generator.formats.bounds import Devices, Pods, PodsPositive, PositiveSeconds, RayAmount, Seconds
from generator.formats.containers import (
    Container,
    ContainerResources,
    DnsConfig,
    EnvFrom,
    ExtraObject,
    HostAlias,
    InitContainer,
    Lifecycle,
    LivenessProbe,
    ResourceClaim,
)
from generator.formats.edge import HttpRoute, Ingress, Service
from generator.formats.fields import (
    AbsolutePath,
    AppName,
    BytesQuantity,
    Closed,
    DataKey,
    DeviceName,
    DnsLabel,
    EnvName,
    FamilyName,
    FileName,
    ModelId,
    ObjectName,
    OptionalDnsLabel,
    OptionalPath,
    WorkerGroupName,
)
from generator.formats.kubernetes import (
    Affinity,
    Annotations,
    EnvVar,
    Labels,
    NetworkPolicyEgressRule,
    NetworkPolicyPeer,
    PodSecurityContext,
    ResourceRequirements,
    SecurityContext,
    Toleration,
    TopologySpreadConstraint,
)
from generator.formats.monitoring import Monitoring
from generator.formats.scaling import ChartScaling
from generator.formats.texts import text
from generator.formats.volumes import AccessMode, Volume, VolumeMount

# KubeRay makes `ray start --<flag>=<value>` of them, a line of the shell: plain words, or text in whole quotes.
RayStartFlag = Annotated[
    str, text(r"^[a-z][a-z0-9-]*$", "a flag of ray start without its dashes, such as object-store-memory")
]
RayStartValue = Annotated[
    str,
    text(
        r"""^([A-Za-z0-9_.,:/@%+=-]*|'[^'\n]*'|"([^"\\$`\n]|\\["\\])*")$""",
        "letters, digits and any of _ . , : / @ % + = -, or text in quotation marks of its own for the shell",
    ),
]
# Custom resources are JSON in single quotes on that line, and Ray's autoscaler parses it too.
RayResourceName = Annotated[
    str,
    text(
        r"^[A-Za-z_][A-Za-z0-9_.:/-]*$",
        "the name of a resource: letters, digits and any of _ . : / -, a letter first, such as fast-disk",
        longest=253,
    ),
]
# Ray counts these by flags of its own, and does not start with them among the custom ones: parameter.py:437 in
# ray/_private, and the last in resource_and_label_spec.py:252.
_RAYS_OWN = {
    "enum": ["CPU", "GPU", "memory", "object_store_memory", "node:__internal_head__"],
    "description": "Ray counts it itself: say CPUs and memory in `resources`, GPUs in `gpusPerWorker`.",
}
RayResources = Annotated[
    dict[RayResourceName, RayAmount], Field(json_schema_extra={"propertyNames": {"not": _RAYS_OWN, "maxLength": 253}})
]
# Reference grammar of github.com/distribution/reference: a registry with its port, and a path in small letters.
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"({_LABEL}(\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(:[0-9]{{1,5}})?"
_PATH = r"[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*"
Repository = Annotated[
    str,
    text(
        rf"^(({_HOST}/)?{_PATH}(/{_PATH})*)?$",
        "empty, or an image without login and tag, small letters behind its registry, such as example.com:5000/ray",
        longest=255,
    ),
]
Tag = Annotated[
    str,
    text(
        r"^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$",
        "empty, or a tag: letters, digits, _, dots and - (at most 128 characters), such as 2.60.0-py311",
    ),
]
Digest = Annotated[
    str, text(r"^(sha256:[0-9a-f]{64})?$", "empty, or a digest: sha256: and 64 characters of 0-9 and a-f")
]
RoutePrefix = Annotated[
    str,
    text(
        r"^((/[a-z0-9._-]+)+)?$",
        "empty, or a route: / and small letters, digits, dots, _ and -, no / last, such as /inference",
    ),
]
ReleaseName = Annotated[
    str,
    text(
        r"^([a-z]([a-z0-9-]{0,45}[a-z0-9])?)?$",
        "empty, or a name of small letters, digits and - (at most 47 characters, a letter first, no - last)",
    ),
]


class Ray(Closed):
    version: str
    """The Ray release: one of the chart's `files/releases.yaml`. It decides the image and the accepted arguments."""
    vllm: str = ""
    """The vLLM of the image, where that is another than the Ray release's; it decides the engine's arguments then."""


class Image(Closed):
    repository: Repository = ""
    """Empty: the image of the Ray release."""
    tag: Tag = ""
    """Empty: the tag of the Ray release."""
    digest: Digest = ""
    """`sha256:…`; wins over the tag."""
    pullPolicy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pullSecrets: list[ObjectName] = []
    """Names of Secrets of type kubernetes.io/dockerconfigjson in the release's namespace."""


class Half(Closed):
    """Prefill or decode, where they run apart."""

    llmConfig: JsonObject
    """Ray's LLMConfig of that half, complete as a model's, with a `kv_transfer_config`."""


class Model(Closed):
    """One served model: its key is a file, a part of the URL, and its name for clients unless it says a `model_id`. It
    has `llmConfig`, or `prefill` and `decode`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["llmConfig"]}, {"required": ["prefill", "decode"]}]}
    )

    family: FamilyName
    """Models of a family share the ConfigMap `<family>-family-config`."""
    test: Literal[
        "auto", "completions", "chat", "embeddings", "score", "classify", "transcriptions", "pooling", "models"
    ] = "auto"
    """What `helm test` asks it, by the endpoint's name. `auto` finds out; `models` only looks for it in the list."""
    llmConfig: JsonObject = {}
    """Ray's LLMConfig, complete. `model_loading_config.model_id` is what clients name the model; left out: the key."""
    prefill: Half | None = None
    """In place of `llmConfig`: replicas that read prompts (prefill/decode disaggregation, `build_pd_openai_app`)."""
    decode: Half | None = None
    """And those that answer. Requests go to these, and they ask prefill for the cache of the prompt."""
    scaling: ChartScaling | None = None
    """What decides how many replicas there are, beside requests: a schedule, or a program of one's own."""


class App(Closed):
    """Code of one's own on Ray Serve, beside the models or alone: its key is the name of Ray's application."""

    files: dict[FileName, str] = {}
    """Its code, text by file name: the ConfigMap `<name>-app-files`. A change makes a new cluster."""
    configMap: ObjectName = ""
    """Or an existing ConfigMap with the code; a change of that one is not seen. Neither: the code is in the image."""
    application: JsonObject
    """One application of serveConfigV2, complete, except `name`, which the key says. Without a `route_prefix` it is at
    `<serving.routePrefix>/<name>`."""


class Serving(Closed):
    path: Literal["standard", "throughput"] = "standard"
    """`throughput` answers through HAProxy and direct streaming: one model for each application, Ray 2.56 or later."""
    routing: Literal["perModel", "unified"] = "perModel"
    """`perModel`: `<routePrefix>/<model>/v1`; `unified`: every model of the release behind one `<routePrefix>/v1`."""
    delivery: Literal["configMap", "inline"] = "configMap"
    """`configMap`: a change makes a new cluster; `inline`: a change rolls only that model, in place."""
    routePrefix: RoutePrefix = ""
    """What routes begin with. Empty: `/inference`, and nothing for the one route of `unified`."""
    modelsPath: AbsolutePath = "/home/ray/models"
    """The family ConfigMaps are mounted at `<modelsPath>/<family>` on the head and on every worker."""
    appsPath: AbsolutePath = "/home/ray/apps"
    """The apps' files are mounted at `<appsPath>/<app>` on the head and on every worker, and are on its PYTHONPATH."""
    config: JsonObject = {}
    """The top-level keys of serveConfigV2 in Ray's words: `proxy_location`, `http_options`, `logging_config`, …"""
    ingress: JsonObject = {}
    """Options of the OpenAI ingress deployment of every application (standard path), in Ray's words."""


class PodSettings(Closed):
    """What can be set on every pod (`pods`) and on those of one group, which wins."""

    image: Image | None = None
    env: dict[EnvName, str | EnvVar] = {}
    """Environment by name: a string, or `{valueFrom: …}`."""
    envFrom: dict[DnsLabel, EnvFrom] = {}
    """Secrets and ConfigMaps whose keys are variables, each below a name of your own."""
    volumes: dict[DnsLabel, Volume] = {}
    """More volumes by name, each with its `mountPath` and one source."""
    volumeMounts: dict[DnsLabel, VolumeMount] = {}
    """More mounts of those volumes in Ray's container."""
    initContainers: dict[DnsLabel, InitContainer] = {}
    """Containers that end before Ray's starts, in the order of their names."""
    extraContainers: dict[DnsLabel, Container] = {}
    """Containers beside Ray's, by name."""
    lifecycle: Lifecycle | None = None
    """Of Ray's container."""
    startupProbe: LivenessProbe | None = None
    """Of Ray's container; the other probes are KubeRay's and the chart's."""
    resourceClaims: dict[DnsLabel, ResourceClaim] = {}
    """Devices of dynamic resource allocation by name, for `resources.claims`."""
    hostNetwork: bool | None = None
    dnsPolicy: Literal["ClusterFirst", "ClusterFirstWithHostNet", "None"] | None = None
    dnsConfig: DnsConfig | None = None
    hostAliases: list[HostAlias] = []
    podLabels: Labels = {}
    podAnnotations: Annotations = {}
    nodeSelector: Labels = {}
    tolerations: list[Toleration] = []
    affinity: Affinity | None = None
    topologySpreadConstraints: list[TopologySpreadConstraint] = []
    priorityClassName: ObjectName = ""
    runtimeClassName: ObjectName = ""
    schedulerName: ObjectName = ""
    terminationGracePeriodSeconds: Seconds | None = None
    podDisruptionBudget: PodDisruptionBudget | None = None
    podSecurityContext: PodSecurityContext | None = None
    securityContext: SecurityContext | None = None
    sharedMemory: BytesQuantity | None = None
    """Size of the memory-backed /dev/shm: Ray's object store and vLLM's worker processes share data there."""


class RayGroup(PodSettings):
    """Pods that run Ray."""

    resources: ContainerResources | None = None
    """The container's requests and limits. Ray reads its logical CPUs and memory from the limits."""
    rayStartParams: dict[RayStartFlag, RayStartValue] = {}
    """Flags of `ray start` by name, as KubeRay takes them: every value is a string, plain words or in quotes."""


class ScaledGroup(RayGroup):
    minReplicas: Pods = 0
    maxReplicas: PodsPositive = 1
    idleTimeoutSeconds: PositiveSeconds | None = None
    """Seconds without work after which the autoscaler removes a worker; unset: `autoscalerOptions` decides."""
    rayResources: RayResources = {}
    """Custom Ray resources of one worker; Ray's autoscaler takes whole numbers only. Empty: the group's own name, once
    for each GPU (once without GPUs)."""


class IngressWorkers(ScaledGroup):
    minReplicas: PodsPositive = 1
    """At least one, since a running ingress is what takes the request that wakes a model at zero replicas."""
    maxReplicas: PodsPositive = 100
    """A bound, not a plan: workers are added as ingresses need them, four to a worker of one CPU."""


class WorkerGroup(ScaledGroup):
    """One KubeRay worker group. Its name is a custom Ray resource, so a bundle that asks for it lands here."""

    gpusPerWorker: Devices = 0
    """GPUs of one worker pod; 0 makes a CPU group."""
    gpuResourceName: DeviceName = "nvidia.com/gpu"
    gpuClaim: OptionalDnsLabel = ""
    """One of `resourceClaims` that has the GPUs, in place of `gpuResourceName`: dynamic resource allocation."""
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    """Of groups whose new workers would do alike, the autoscaler brings those of the group with the highest."""


class AutoscalerOptions(Closed):
    """KubeRay's `autoscalerOptions` (in-tree autoscaler, version 2)."""

    idleTimeoutSeconds: PositiveSeconds = 300
    upscalingMode: Literal["Default", "Aggressive", "Conservative"] = "Default"
    resources: ResourceRequirements | None = None


class HuggingFace(Closed):
    existingSecret: ObjectName = ""
    """Name of a Secret with the hub token; empty: no token. The chart never takes the token itself."""
    key: DataKey = "token"


class NewClaim(Closed):
    """A PersistentVolumeClaim that the chart makes, and that stays when the release goes."""

    size: BytesQuantity
    storageClassName: ObjectName = ""
    """Empty: the cluster's default."""
    accessModes: Annotated[list[AccessMode], Field(min_length=1)] = ["ReadWriteMany"]


class ModelCache(Closed):
    """Where downloaded weights lie (HF_HOME)."""

    type: Literal["emptyDir", "persistentVolumeClaim", "hostPath"] = "emptyDir"
    mountPath: AbsolutePath = "/home/ray/huggingface"
    """Not below a folder that the image lacks: the mount would make it root's, and no other cache could be written."""
    sizeLimit: BytesQuantity | None = None
    """Of the emptyDir."""
    claimName: ObjectName = ""
    """Of the persistentVolumeClaim: an existing one, ReadWriteMany where workers run on several nodes."""
    create: NewClaim | None = None
    """Of the persistentVolumeClaim, in place of `claimName`: one that the chart makes."""
    hostPath: OptionalPath = ""
    """Of the hostPath: a folder on every GPU node, writable by group 100 (refused by restricted namespaces)."""
    prefetch: bool = False
    """Download the hub's models into the persistentVolumeClaim before an installation or upgrade makes anything."""


class ServiceAccount(Closed):
    create: bool = True
    name: ObjectName = ""
    annotations: Annotations = {}


class NetworkPolicy(Closed):
    enabled: bool = False
    """Only pods of the release reach Ray's own ports; the Serve port stays open to `clients`."""
    operatorNamespace: OptionalDnsLabel = ""
    """Namespace of the KubeRay operator, which must reach the dashboard. Needed where `enabled`."""
    clients: list[NetworkPolicyPeer] = []
    """Who may reach the Serve port; empty: everyone."""
    metricsClients: list[NetworkPolicyPeer] = []
    """Who may read metrics, Ray's and HAProxy's; empty: everyone."""
    egress: list[NetworkPolicyEgressRule] = []
    """Where pods may connect to, beside each other and DNS; empty: anywhere."""


class ApiKey(Closed):
    """The key that every model asks its clients for, on the throughput path."""

    existingSecret: ObjectName = ""
    """Name of a Secret with the key; empty: none is asked for. The chart never takes the key itself."""
    key: DataKey = "api-key"


class Auth(Closed):
    mode: Literal["auto", "token", "disabled"] = "auto"
    """Ray's own API (dashboard, jobs, client) asks for a token. `auto`: where the Ray release can."""
    apiKey: ApiKey = ApiKey()


GeneratorVersion = Annotated[str, text(versions.READABLE, versions.WORDS)]


class Values(Closed):
    """Values of the ray-serve-llm chart."""

    generatorVersion: GeneratorVersion = ""
    """The version of the generator that wrote these values; empty: they are written by hand."""
    fullnameOverride: ReleaseName = ""
    """Name of the RayService; empty: the release's name. KubeRay takes at most 47 characters."""
    commonLabels: Labels = {}
    commonAnnotations: Annotations = {}
    enabled: bool | None = None
    """Helm's, for the `condition` of a parent chart; the chart does not read it."""
    ray: Ray
    image: Image = Image()
    serving: Serving = Serving()
    models: dict[ModelId, Model] = {}
    apps: dict[AppName, App] = {}
    """Applications of one's own code, served beside the models or alone."""
    pods: PodSettings = PodSettings()
    """Settings of every pod; those of a group win."""
    head: RayGroup = RayGroup()
    ingressWorkers: IngressWorkers = IngressWorkers()
    """The small CPU pods of the OpenAI ingress (standard path), so that GPU pods hold models only."""
    workerGroups: dict[WorkerGroupName, WorkerGroup] = {}
    autoscalerOptions: AutoscalerOptions = AutoscalerOptions()
    upgradeStrategy: UpgradeStrategy = UpgradeStrategy()
    rayClusterDeletionDelaySeconds: Seconds | None = None
    """Seconds that the old cluster stays after a cut-over, for requests under way. Unset: KubeRay's own 60. KubeRay 1.4
    does not have it."""
    gcsFaultTolerance: GcsFaultTolerance = GcsFaultTolerance()
    prePullImages: bool = False
    """Keep the workers' image on every node on which one may run, by DaemonSets of pods that sleep."""
    huggingFace: HuggingFace = HuggingFace()
    modelCache: ModelCache = ModelCache()
    extraObjects: dict[DnsLabel, ExtraObject] = {}
    """Objects of one's own in the release: manifests, with Helm's templates in their texts."""
    serviceAccount: ServiceAccount = ServiceAccount()
    httpRoute: HttpRoute = HttpRoute()
    """Lets requests in from outside through a Gateway: the API of models, and apps."""
    ingress: Ingress = Ingress()
    """The same by an Ingress."""
    service: Service = Service()
    """The Service of all pods that answer; a load balancer of its own lets every path in."""
    networkPolicy: NetworkPolicy = NetworkPolicy()
    monitoring: Monitoring = Monitoring()
    auth: Auth = Auth()
    notSecrets: dict[str, Annotated[str, StringConstraints(min_length=10)]] = {}
    """Keys whose text looks like a secret and is none, each with the reason. Others are refused: values, objects and
    ConfigMaps are readable in the cluster."""
    global_: Annotated[JsonObject, Field(alias="global")] = {}
    """Helm's own; the chart does not read it."""
