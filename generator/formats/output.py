"""What the commands print with `--json`: one TypedDict each, published as schemas/output/<command>.schema.json.

Keys are snake_case. Sizes are GiB, times seconds, unless a key says another unit; what is not known is null. `version`
changes when a key is renamed, is removed or means something else; a new key alone does not change it. Sentences for
people are `message` where a cluster is asked, as in Kubernetes, and `why` where the generator decides.

These are types alone. A command builds a dict, and mypy compares it with its type; that of fit is made in loops and
is not compared. The tests validate what is printed.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

_CLOSED = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@with_config(_CLOSED)
class Span(TypedDict):
    low: float | None
    """None: without a bound."""
    high: float | None


# -- plan --------------------------------------------------------------------------------------------------------------


@with_config(_CLOSED)
class PlacementQuality(TypedDict):
    cost: float
    """Of the worker pods that the minimum of replicas takes."""
    lower_bound: float
    """No plan of these models on these pools costs less."""
    unit: str
    """A currency an hour where every pool has a price, else GB of GPU memory."""


@with_config(_CLOSED)
class CostPerHour(TypedDict):
    currency: str
    minimum: float
    peak: float


@with_config(_CLOSED)
class PlannedLoad(TypedDict):
    """What one replica serves of the load that the environment expects."""

    requests_per_second: float
    requests_at_once: int
    target_ongoing_requests: int
    ttft_s: float
    """Time to first token; of decode, of its own first step."""
    tpot_s: float
    """Time per output token after the first; 0 of prefill, which gives none."""
    in_time: bool
    """Whether that is as fast as `expect` asks."""
    price_per_million_tokens: float | None


@with_config(_CLOSED)
class PlannedMemory(TypedDict):
    usable_gib: float
    weights_gib: float
    activation_gib: float
    non_torch_gib: float
    cuda_graph_gib: float
    margin_gib: float
    kv_cache_gib: float


@with_config(_CLOSED)
class PlannedHome(TypedDict):
    """One pool where replicas of a model may be."""

    pool: str
    gpu: str | None
    """None on a CPU pool."""
    room: int
    """Replicas that the pool would hold were it the model's alone."""
    min_replicas: int
    """Of the least replicas those that are counted there."""
    max_replicas: int
    price_per_replica_hour: float | None
    """None where the GPU has no price."""


@with_config(_CLOSED)
class PlannedModel(TypedDict):
    family: str
    source: str
    served_model_name: str
    """What clients name it."""
    pool: str
    """The first of `pools`."""
    pools: list[PlannedHome]
    """Where its replicas may be, in order of wish."""
    gpu: str | None
    """None on a CPU pool."""
    gpus: int
    """Of one replica; 0 on a CPU pool."""
    gpu_share: float
    """Of its GPU; less than 1 where models share one."""
    why: str
    tensor_parallel_size: int
    pipeline_parallel_size: int
    data_parallel_size: int
    """Ranks of a replica, each with requests of its own: `max_num_seqs` and `kv_cache_tokens` are of one."""
    dtype: str
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    min_replicas: int
    max_replicas: int
    scheduled_min_replicas: int | None
    """The least replicas at the busiest time of the model's schedule; the pools have room for them."""
    surge: bool
    """Whether the pool has room for one more replica while an update rolls."""
    load: PlannedLoad | None
    memory_per_gpu: PlannedMemory
    kv_cache_tokens: int
    max_concurrency: float | None
    """None: any, of a model that keeps no cache."""
    max_model_len_that_fits: int | None
    """None: any."""
    cache_layout_exact: bool
    download_gib: float
    """What a worker downloads to its node's disk for it: the checkpoint, a draft and adapters, as stored."""


@with_config(_CLOSED)
class PlannedHalves(TypedDict):
    """A model whose prefill and decode are deployments of their own."""

    family: str
    source: str
    prefill: PlannedModel
    decode: PlannedModel


@with_config(_CLOSED)
class PlannedApp(TypedDict):
    pool: str
    gpu: str | None
    gpus: int
    max_num_seqs: int
    min_replicas: int
    max_replicas: int
    surge: bool


@with_config(_CLOSED)
class PlannedPool(TypedDict):
    gpu: str | None
    nodes: int
    slots_per_node: int
    """GPUs; on a CPU pool replicas."""
    slots_per_worker: int
    workers_min: int
    """Worker pods that the minimum of replicas takes."""
    workers_any_order: int
    """With which these find room in whatever order they come."""
    workers_peak: int
    """That all replicas at once would take; may be more than there can be."""
    workers_max: int
    """That the pool can have."""
    disk_gib_per_worker: int
    """What a worker pod needs of its node's disk; 0 where no model is downloaded to it."""
    price_per_gpu_hour: float | None


SubjectKind = Literal["model", "app", "pool", "environment"]


@with_config(_CLOSED)
class Warned(TypedDict):
    kind: SubjectKind
    subject: str
    """Its name."""
    text: str


@with_config(_CLOSED)
class PlannedEnvironment(TypedDict):
    ray: str
    vllm: str
    namespace: str
    placement: PlacementQuality
    cost_per_hour: CostPerHour | None
    """None where a pool in use has no price."""
    models: dict[str, PlannedModel | PlannedHalves]
    apps: dict[str, PlannedApp]
    pools: dict[str, PlannedPool]
    warnings: list[Warned]


@with_config(_CLOSED)
class PlanOutput(TypedDict):
    """`plan --json`."""

    version: Literal[1]
    environments: dict[str, PlannedEnvironment]


# -- fit ---------------------------------------------------------------------------------------------------------------


@with_config(_CLOSED)
class FitEngine(TypedDict):
    """The engine arguments that were counted."""

    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    gpu_memory_utilization: float
    dtype: str
    kv_cache_dtype: str
    enforce_eager: bool


@with_config(_CLOSED)
class YesOrNo(TypedDict):
    low: bool
    """Whether it fits where everything takes the most that was seen."""
    high: bool
    """Whether it fits where everything takes the least."""


@with_config(_CLOSED)
class FitCase(TypedDict):
    """One model on one GPU type and split. `<key>_range` is beside what is not exact."""

    gpu: str
    tp: int
    pp: int
    dp: int
    """Data parallel ranks; tokens and requests are of one."""
    usable_gib: float
    weights_gib: float
    weights_gib_range: Span
    activation_gib: float
    activation_gib_range: Span
    non_torch_gib: float
    non_torch_gib_range: Span
    cuda_graph_gib: float
    cuda_graph_gib_range: Span
    kv_cache_gib: float
    kv_cache_gib_range: Span
    kv_bytes_per_token: float | None
    kv_bytes_per_token_range: NotRequired[Span]
    kv_cache_tokens: float | None
    kv_cache_tokens_range: Span
    max_concurrency: float | None
    max_concurrency_range: Span
    max_model_len_that_fits: float | None
    max_model_len_that_fits_range: Span
    fits: bool
    fits_range: YesOrNo
    why: str
    changes: list[str]
    """Each alone would make it fit."""
    notes: list[str]
    parameters: int
    engine: FitEngine


@with_config(_CLOSED)
class FitOneOutput(FitCase):
    """`fit --json` for one GPU type."""

    version: Literal[1]


@with_config(_CLOSED)
class FitTableOutput(TypedDict):
    """`fit --json` without --gpu: a case for each GPU type and split."""

    version: Literal[1]
    cases: list[FitCase]


FitOutput = FitOneOutput | FitTableOutput


# -- preflight ---------------------------------------------------------------------------------------------------------


Level = Literal["pass", "warn", "fail"]


@with_config(_CLOSED)
class FoundOutput(TypedDict):
    level: Level
    subject: str
    message: str
    fix: str
    """What to do, or empty."""


PreflightCounts = TypedDict("PreflightCounts", {"pass": int, "warn": int, "fail": int})


@with_config(_CLOSED)
class PreflightOutput(TypedDict):
    """`preflight --json`. Exit code 1 where something fails."""

    version: Literal[1]
    release: str
    namespace: str
    cluster: str
    """Address of the API server."""
    findings: list[FoundOutput]
    counts: PreflightCounts


# -- status ------------------------------------------------------------------------------------------------------------

State = Literal["Ready", "ScaledToZero", "Pending", "Failed"]
"""`ScaledToZero`: at zero replicas, and well; a request wakes it. `Pending`: on its way. `Failed`: needs a fix."""
Role = Literal["Active", "Pending", "Terminating"]
"""As KubeRay has it. `Pending`: the next one of an update, or the first. `Terminating`: kept for its last requests."""


@with_config(_CLOSED)
class DeploymentOutput(TypedDict):
    name: str
    status: str
    """Ray's own word; empty where it is not known."""
    state: State
    replicas: int | None
    """That run; None where Ray's metrics could not be read."""
    desired_replicas: int | None
    message: str


@with_config(_CLOSED)
class ApplicationOutput(TypedDict):
    name: str
    route: str
    status: str
    """Ray's own word; empty where KubeRay does not ask Ray: on the earlier cluster during an update."""
    state: State
    message: str
    deployments: list[DeploymentOutput]


@with_config(_CLOSED)
class PodOutput(TypedDict):
    name: str
    phase: str
    """Kubernetes' own word, or Terminating."""
    ready: bool
    message: str


@with_config(_CLOSED)
class GroupOutput(TypedDict):
    name: str
    """`head`, or the worker group's."""
    state: State
    desired: int
    """Pods."""
    ready: int
    pods: list[PodOutput]


@with_config(_CLOSED)
class ClusterOutput(TypedDict):
    name: str
    """Of the RayCluster."""
    role: Role
    applications: list[ApplicationOutput]
    groups: list[GroupOutput]


@with_config(_CLOSED)
class NoteOutput(TypedDict):
    """What KubeRay says of the RayService, or what an upgrade waits for."""

    reason: str
    """KubeRay's own word, or empty."""
    message: str


@with_config(_CLOSED)
class StatusOutput(TypedDict):
    """`status --json`; with --watch one on each line. Exit code 1 where not all is ready."""

    version: Literal[1]
    release: str
    namespace: str
    summary: str
    all_ready: bool
    """Whether every application serves, or would wake, and no update of it has failed."""
    ready: bool
    """Whether KubeRay lets requests in at all."""
    notes: list[NoteOutput]
    clusters: list[ClusterOutput]
    next: str
    """What to do now."""


# -- validate, list, import, bench -------------------------------------------------------------------------------------


@with_config(_CLOSED)
class FaultOutput(TypedDict):
    file: str
    where: str
    what: str
    fix: str


@with_config(_CLOSED)
class ValidateOutput(TypedDict):
    """`validate --json`. Exit code 2 where a file has faults."""

    version: Literal[1]
    valid: dict[str, str]
    """What each file without faults is."""
    faults: list[FaultOutput]


ListKind = Literal["models", "families", "environments", "gpus", "releases", "library", "images", "downloads"]


@with_config(_CLOSED)
class ListOutput(TypedDict):
    """`list --json`."""

    version: Literal[1]
    kind: ListKind
    items: list[dict[str, Any]]


@with_config(_CLOSED)
class ImportLine(TypedDict):
    where: str
    """File, object and what of it."""
    what: str
    why: str
    """Empty where nothing has to be said."""


@with_config(_CLOSED)
class ImportOutput(TypedDict):
    """`import --json`. Exit code 1 where the plan refuses the environment."""

    version: Literal[1]
    environment: str
    files: list[str]
    """That are written; with --dry-run, that would be."""
    removed: list[str]
    """Values that nothing generates any more, after --replace."""
    taken: list[ImportLine]
    changed: list[ImportLine]
    """Taken too, and meaning something else here."""
    left_out: list[ImportLine]
    models_left_out: list[str]
    """Whole models among them: their ids, or where each is of which nothing says one."""
    plan_refused: list[str]
    """Why the environment cannot be planned as it is."""


@with_config(_CLOSED)
class BenchOutput(TypedDict):
    """`bench --json`."""

    version: Literal[1]
    target: dict[str, Any]
    points: list[dict[str, Any]]
    error: NotRequired[str]
    """Why it ended before its last point."""


OUTPUTS: dict[str, Any] = {
    "bench": BenchOutput,
    "fit": FitOutput,
    "import": ImportOutput,
    "list": ListOutput,
    "plan": PlanOutput,
    "preflight": PreflightOutput,
    "status": StatusOutput,
    "validate": ValidateOutput,
}
"""By command."""
