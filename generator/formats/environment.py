"""The environment: what GPUs there are, which Ray release runs on them, and what to serve. Edited by people."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from generator.documents.merge import JsonObject
from generator.formats.bounds import EXACT, Nodes, Pods, PodsPositive
from generator.formats.fields import (
    AppName,
    Closed,
    DnsLabel,
    FamilyName,
    MemoryQuantity,
    ModelId,
    ObjectName,
    PositiveInt,
    ServedModelName,
    Text,
    WorkerGroupName,
)
from generator.formats.kubernetes import Labels, Toleration
from generator.formats.scaling import Scaling
from generator.formats.serving_words import Adapters, KvOffload, RouterName
from generator.formats.texts import text


class Replicas(Closed):
    min: Pods = 1
    max: PodsPositive

    @model_validator(mode="after")
    def _ordered(self) -> Replicas:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")
        return self


PositiveFloat = Annotated[float, Field(gt=0, le=EXACT)]


class Expectation(Closed):
    """The load that a model will have: the plan makes replicas of it, and says what it assumes."""

    requestsPerSecond: PositiveFloat
    """On the average of a busy hour: what the minimum replicas serve."""
    peakRequestsPerSecond: PositiveFloat | None = None
    """What the most replicas serve; default twice the average."""
    promptTokens: PositiveInt
    """Of a usual request."""
    outputTokens: PositiveInt
    """Of a usual answer."""
    firstTokenSeconds: PositiveFloat | None = None
    """How long a request may wait for its first token."""
    secondsPerToken: PositiveFloat | None = None
    """How long each further token may take."""

    @model_validator(mode="after")
    def _peak_is_more(self) -> Expectation:
        if self.peakRequestsPerSecond is not None and self.peakRequestsPerSecond < self.requestsPerSecond:
            raise ValueError(
                f"peakRequestsPerSecond {self.peakRequestsPerSecond:g} is less than "
                f"requestsPerSecond {self.requestsPerSecond:g}"
            )
        return self

    @property
    def peak(self) -> float:
        return self.peakRequestsPerSecond or 2 * self.requestsPerSecond


_SHARES = (1, 0.5, 0.25, 0.125)


def _share(stated: Any) -> float:
    """One of the shares, as it is written there: pydantic would do it, but a Literal has no floats (PEP 586)."""
    for share in _SHARES:
        if stated == share:
            return share
    *smaller, last = map(str, _SHARES)
    raise PydanticCustomError(
        "literal_error", "Input should be {expected}", {"expected": f"{', '.join(smaller)} or {last}"}
    )


GpuShare = Annotated[float, PlainValidator(_share), WithJsonSchema({"enum": list(_SHARES)})]


def _listed(stated: Any) -> Any:
    if stated == []:
        raise ValueError("is an empty list; name a pool, or remove the key")
    if not stated or not isinstance(stated, (str, list)):
        raise ValueError("is neither the name of a pool nor a list of names")
    return [stated] if isinstance(stated, str) else stated


def _each_once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError(f"names a pool twice: {', '.join(names)}")
    return names


PoolChoice = Annotated[
    list[WorkerGroupName],
    Field(min_length=1),
    AfterValidator(_each_once),
    BeforeValidator(_listed, json_schema_input_type=WorkerGroupName | list[WorkerGroupName]),
]


class Overrides(Closed):
    """What an environment may decide itself; what it leaves out, the plan decides."""

    pool: PoolChoice | None = None
    """Where it goes. Several: each replica goes to the first that has room, so all must hold it as it is."""
    gpuShare: GpuShare | None = None
    """What the model takes of one GPU of a pool with `share: true`; left out: the least that does for it."""
    source: Text | None = None
    """Another place of the same checkpoint: a path in the image, a bucket."""
    context: PositiveInt | None = None
    sequences: PositiveInt | None = None
    replicas: Replicas | None = None
    expect: Expectation | None = None
    """The load, from which replicas follow where `replicas` does not say them. Of prefill and decode each takes
    its part."""
    router: RouterName | None = None
    """How a request's replica is chosen; left out: as the path does it, in turn or the less busy of two."""
    scaling: Scaling | None = None
    """What decides how many replicas there are, beside requests: a schedule, a policy of one's own, or someone else."""
    kvOffload: KvOffload | None = None
    """Memory of the host for cached keys and values."""
    llmConfig: JsonObject = {}
    """Merged last over the planned LLMConfig, in Ray's own words."""


def _or_none(stated: Any) -> Any:
    """Nothing below a key is an empty mapping: whoever has deleted the last entry means that."""
    return {} if stated is None else stated


class HalfService(Closed):
    """Prefill or decode of a model that is served in two deployments. What it leaves out is as the model has it."""

    pool: PoolChoice | None = None
    replicas: Replicas | None = None
    sequences: PositiveInt | None = None
    llmConfig: JsonObject = {}
    """Merged last over the planned LLMConfig of this half, in Ray's own words."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_that_both_have(cls, stated: Any) -> Any:
        both = ModelService.model_fields.keys() - cls.model_fields.keys() - {"prefill", "decode"}
        if isinstance(stated, dict) and (said := sorted(both.intersection(stated))):
            raise ValueError(f"has {' and '.join(said)}, said once for both halves: move it to the model itself")
        return stated


HalfName = Literal["prefill", "decode"]
WrittenHalf = Annotated[HalfService | None, BeforeValidator(_or_none)]


class ModelService(Overrides):
    """What an environment says of one model: also what only one can have."""

    servedModelName: ServedModelName | None = None
    """What clients name the model; left out: what the catalog says, else its id."""
    adapters: Adapters | None = None
    """LoRA adapters that are served beside it."""
    prefill: WrittenHalf = None
    """With `decode`: prompts are read by replicas of their own, which hand their cache to those that answer
    (prefill/decode disaggregation). Each half has its place, its replicas and its engine."""
    decode: WrittenHalf = None

    @model_validator(mode="after")
    def _both_halves(self) -> ModelService:
        if (self.prefill is None) != (self.decode is None):
            said, missing = ("prefill", "decode") if self.prefill else ("decode", "prefill")
            raise ValueError(f"has {said} and no {missing}; a model has both halves or none: add `{missing}: {{}}`")
        return self

    @property
    def halves(self) -> dict[HalfName, HalfService]:
        """Both, or none of a model that is one deployment."""
        return {"prefill": self.prefill, "decode": self.decode} if self.prefill and self.decode else {}


class FamilyService(Overrides):
    models: Annotated[dict[ModelId, ModelService | None], Field(min_length=1)] | None = None
    """Exactly these models of the family; left out: all of them."""

    @model_validator(mode="after")
    def _models_are_named(self) -> FamilyService:
        if "models" in self.model_fields_set and self.models is None:
            # Who has deleted the last of them does not mean all of them.
            raise ValueError("has `models:` without one; name a model, or take the family out, or `models:` for all")
        return self


class AppService(Closed):
    """Code of one's own on Ray Serve: where its code is, and what one replica of its model takes."""

    files: list[str] = []
    """Its code: files of this project, by their path in it. They are delivered by their names alone."""
    configMap: ObjectName = ""
    """Or an existing ConfigMap with the code. Neither: the code is in the image."""
    deployment: Text
    """The deployment that holds the model: it gets the pool, the replicas and the bounds of its requests."""
    pool: WorkerGroupName | None = None
    """May be left out where the environment has one pool."""
    gpus: PositiveInt = 1
    """GPUs of one replica, on one node; on a CPU pool its CPUs."""
    sequences: PositiveInt = 64
    """Requests that one replica works on at once: what its engine is told (max_num_seqs), and how it scales."""
    replicas: Replicas = Replicas(min=1, max=1)
    application: JsonObject
    """Ray's application, in Ray's own words (`import_path`, `args`, …). Merged last, its deployments by name."""

    @model_validator(mode="after")
    def _code_in_one_place(self) -> AppService:
        if self.files and self.configMap:
            raise ValueError("has its code in `files` and in `configMap`; remove one of them")
        return self


class Pool(Closed):
    """The GPUs an environment can give. It becomes one Ray worker group of the same name."""

    gpu: str | None = None
    """A type of `python -m generator list gpus`; left out: a CPU pool."""
    gpusPerNode: Annotated[int, Field(ge=1, le=64)] = 1
    nodes: Nodes
    """The most nodes that the pool may have."""
    cpusPerNode: Annotated[float, Field(gt=0, le=4096)] | None = None
    """CPUs that Ray may use of one node; default 6 for each GPU."""
    memoryPerNode: MemoryQuantity | None = None
    """Memory that Ray may use of one node; default 24Gi for each GPU."""
    diskPerNode: MemoryQuantity | None = None
    """Disk that pods may use of one node, beside images (its allocatable ephemeral-storage). Where it is said, models
    whose downloaded files do not fit are refused."""
    share: bool = False
    """Whether several models may share one of its GPUs: each gets a part of its memory, and they take turns."""
    gpusPerIsland: PositiveInt | None = None
    """GPUs of a node that are connected directly (NVLink, one NUMA node). A preference for worker pods."""
    pricePerGpuHour: PositiveFloat | None = None
    """What a GPU costs here, node included. Where every GPU pool has it, plans are compared by it, else by memory."""
    nodeSelector: Labels = {}
    tolerations: list[Toleration] = []
    workerGroup: JsonObject = {}
    """More settings of the worker group, in the chart's words."""


_STEPS = r"[^\s@:\\]*"
ChartSource = Annotated[
    str,
    text(
        rf"^((oci|https?)://)?[A-Za-z0-9_./~]{_STEPS}(:[0-9]{{1,5}}/{_STEPS})?"  # a path, or a host with its port
        r"(:[A-Za-z0-9_.+-]+)?(@sha256:[0-9a-f]{64})?$",
        "where a chart is, without a login, such as ../chart, chart.tgz or oci://example.com/ray-serve-llm:0.2.0",
    ),
]


Subchart = Annotated[
    str,
    text(
        r"^[A-Za-z0-9_-]+$",
        "the name or alias of a dependency: letters, digits, - and _, such as ray-serve-llm",
        longest=63,
    ),
]


class Environment(Closed):
    """A target: one namespace, one Ray release, its pools, and the families that it serves."""

    extends: str | None = None
    """Another environment of this folder: what this one leaves out is taken from there. Mappings are merged key by key,
    lists and everything else replaced; a pool or an app with nothing behind its name is taken away. One whose file's
    name begins with `_` is a base alone: nothing is made of it."""
    namespace: DnsLabel
    kubeContext: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Context of the kubeconfig that is its cluster: `preflight` and `status -e` ask that one. `--context` wins."""
    ray: str
    """A Ray release of `python -m generator list releases`."""
    vllm: str | None = None
    """The vLLM of your image, where it is another than the Ray release's: what is served is checked against it."""
    pools: Annotated[dict[WorkerGroupName, Pool], Field(min_length=1)]
    defaults: Overrides = Overrides()
    """For every model; a family's own win, a model's own win over both."""
    serve: Annotated[dict[FamilyName, FamilyService | None], BeforeValidator(_or_none)] = {}
    apps: dict[AppName, AppService] = {}
    """Code of one's own, beside the families or alone; each gets a values file, so it cannot have a family's name."""
    chartSource: ChartSource | None = None
    """Where the chart is taken from: a folder or a .tgz of this project, `oci://<registry>/<chart>`,
    `https://<repository>/<chart>` or `<repository>/<chart>` of one that helm knows; the last three with `:<version>`
    where it is another than the generator's. Left out: the project's `chart/`, or the generator's own chart."""
    subchart: Subchart | None = None
    """Of a chart that is a dependency of a chart of one's own, its name or alias there: the values are written below
    it, as the parent chart takes them."""
    chart: JsonObject = {}
    """More values of the chart, the same in every file of the environment."""

    def serves(self, family: str, model_id: str) -> bool:
        """Whether the model of that family is served, by these words or by those of what it extends."""
        if family not in self.serve:
            return False
        service = self.serve[family]
        return service is None or service.models is None or model_id in service.models

    @model_validator(mode="after")
    def _names_are_apart(self) -> Environment:
        if self.subchart == "global":
            raise ValueError("subchart 'global' is Helm's own word; give the dependency an alias")
        for name in self.apps:
            if name in self.serve:
                raise ValueError(f"family and app '{name}' would have the same values file; rename the app")
        return self
