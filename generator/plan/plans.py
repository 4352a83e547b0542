"""What is decided of one model and of one pool, and what people should know of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from generator.documents.merge import JsonObject
from generator.formats.catalog import CatalogModel
from generator.formats.environment import HalfName, Replicas
from generator.formats.scaling import Scaling
from generator.plan.downloads import Download
from generator.plan.host_memory import HostMemory
from generator.plan.occupancy import Option
from generator.plan.packing import WorkerShape
from generator.plan.placement import Placement
from generator.plan.pools import NodePool
from generator.plan.replicas import ExpectedLoad
from generator.plan.requirements import named

if TYPE_CHECKING:
    from generator.formats.output import SubjectKind


class Served(Protocol):
    """A model or an app with its pool: what a pool's worker pods have to hold."""

    @property
    def name(self) -> str: ...

    @property
    def node_pool(self) -> NodePool: ...

    @property
    def gpus(self) -> int:
        """Of one replica; on a CPU pool its slots."""

    @property
    def replicas(self) -> Replicas: ...

    @property
    def surge(self) -> bool:
        """Whether a pool of it has room for one more replica while an update rolls."""

    @property
    def homes(self) -> tuple[Home, ...]:
        """The pools on which its replicas may be, in order of wish."""

    def warning(self, text: str) -> PlanWarning: ...


class Home(NamedTuple):
    """A pool on which replicas of a model or an app may be, and how many of them are counted there."""

    node_pool: NodePool
    piece: int
    """What of a replica must lie together on one node, in the pool's units."""
    pieces: int
    """Of one replica."""
    least: int
    most: int

    @property
    def room(self) -> int:
        """Replicas that the pool would hold were it theirs alone."""
        return replicas_on(self.node_pool, self.piece, self.pieces)

    def taken(self, replicas: int) -> Counter[int]:
        """What so many replicas take, count by size in the pool's units."""
        return Counter({self.piece: self.pieces * replicas})


def replicas_on(node_pool: NodePool, piece: int, pieces: int) -> int:
    """Replicas of so many pieces of this size that an empty pool holds."""
    return node_pool.slots_per_node * node_pool.units // piece * node_pool.pool.nodes // pieces


@dataclass(frozen=True, kw_only=True)
class PlanWarning:
    """What people should know of a plan that runs."""

    kind: SubjectKind
    subject: str
    """The name of the model, app, pool or environment."""
    text: str

    def is_of_model(self, model_id: str) -> bool:
        return self.kind == "model" and self.subject == model_id

    def __str__(self) -> str:
        kind = f"{self.kind} " if self.kind in ("pool", "environment") else ""
        return f"{kind}{self.subject}: {self.text}"


def shared_resource(pools: Sequence[str]) -> str:
    """The custom resource of these pools: the pool's name, or one that only a list of pools can have."""
    return "/".join(pools)


class PricedPlacement(NamedTuple):
    """A placement that a model can have, with the replicas that it would have there."""

    placement: Placement
    replicas: Replicas
    load: ExpectedLoad | None
    scheduled: int = 0
    """The least replicas that a schedule asks for at its busiest."""

    @property
    def least(self) -> int:
        """The replicas for which there must be room at any time."""
        return max(self.replicas.min, self.scheduled)

    @property
    def option(self) -> Option:
        pieces = self.placement.pieces
        return Option(
            pool=self.placement.node_pool.name,
            piece=self.placement.piece,
            minimum=pieces * self.least,
            peak=pieces * self.replicas.max,
        )

    @property
    def home(self) -> Home:
        """The pool, with all replicas on it."""
        placement = self.placement
        return Home(placement.node_pool, placement.piece, placement.pieces, self.least, self.replicas.max)

    @property
    def cost(self) -> tuple[bool, float, int]:
        """As the placement's, of the minimum of replicas. A model that may sleep is compared by one."""
        return self.placement.cost_of(max(1, self.replicas.min))


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """One model's place, arguments and replicas."""

    model_id: str
    half: HalfName | None
    """Which part of the model it is, where prefill and decode are deployments of their own."""
    family: str
    model: CatalogModel
    source: str
    served_name: str
    """What clients name it."""
    placements: tuple[Placement, ...]
    """On each pool where its replicas may be, in order of wish; alike in all but the pool and its memory."""
    homes: tuple[Home, ...]
    sequences: int
    """max_num_seqs: what users need, or fewer where the cache cannot hold a block for each."""
    at_once: int
    """Requests of usual length that a replica works on: all sequences, or as many as the cache holds (decision 58)."""
    usual_tokens: int
    """Tokens of such a request."""
    replicas: Replicas
    expected: bool
    """Whether the environment expects a load."""
    load: ExpectedLoad | None
    """What a replica serves of that; None where it expects none, or the GPU's speed is not known."""
    surge: bool
    """Whether a pool of it has room for one more replica while an update rolls."""
    why: str
    """Why it is there, in words."""
    llm_config: JsonObject
    """The environment's own words, merged last."""
    scaling: Scaling | None
    """What decides how many replicas there are, beside requests."""
    downloads: frozenset[Download]
    """What a worker downloads to the disk of its node for it."""
    host: HostMemory
    """What one replica is given of the host's memory."""

    @property
    def name(self) -> str:
        return named(self.model_id, self.half)

    def warning(self, text: str) -> PlanWarning:
        """A warning of the model; of a half it says so."""
        return PlanWarning(kind="model", subject=self.model_id, text=f"{self.half}: {text}" if self.half else text)

    @property
    def placement(self) -> Placement:
        """Where it is wished first."""
        return self.placements[0]

    @property
    def kv_gib(self) -> float:
        """Of its cache on one GPU, or of a CPU engine: what every pool has for it."""
        return min(placement.memory.kv_gib for placement in self.placements)

    @property
    def node_pool(self) -> NodePool:
        return self.placement.node_pool

    @property
    def pool_names(self) -> tuple[str, ...]:
        return tuple(home.node_pool.name for home in self.homes)

    @property
    def resource(self) -> str:
        """Ray's custom resource that its bundles ask for: every pool where it may be offers it."""
        return shared_resource(self.pool_names)

    @property
    def gpus(self) -> int:
        return self.placement.split.gpus


@dataclass(frozen=True, kw_only=True)
class PoolPlan:
    """One pool as a worker group: the shape of its pods, and what the fleet asks of it."""

    node_pool: NodePool
    shape: WorkerShape
    shared_by: tuple[tuple[str, ...], ...]
    """The lists of pools that models name and this one is in."""
    priority: int | None
    """Its rank among pools that models name beside others: Ray tries the higher first. None where there is no such."""
    shared_gib: float
    """Of one worker pod's /dev/shm: what the caches of its replicas are moved to."""
    files_at_once: float
    """Bytes: the most that one worker pod needs at once, on its node's disk, of what is downloaded for models."""
    files_in_time: float
    """Bytes: all that it may come to have. What a replica leaves behind stays until the pod goes."""

    @property
    def name(self) -> str:
        return self.node_pool.name

    @property
    def offer(self) -> tuple[float, int, int]:
        """What Ray's autoscaler compares new workers by: CPUs, slots and kinds of custom resources."""
        cpus = self.node_pool.cpus_per_node * self.slots_per_worker / self.node_pool.slots_per_node
        return cpus, self.slots_per_worker, len(self.shared_by)

    @property
    def disk_gib_per_worker(self) -> int:
        """What a worker pod asks of its node's disk; 0 where nothing is downloaded to it."""
        return self.node_pool.disk.request_gib(self.files_at_once)

    @property
    def workers_per_node(self) -> int:
        return self.node_pool.slots_per_node // self.slots_per_worker

    @property
    def workers_by_disk(self) -> int:
        """Of the pods that it can have, those for which its nodes' disks have room; all where that is not known."""
        disk, each = self.node_pool.disk.gib, self.disk_gib_per_worker
        if disk is None or not each:
            return self.workers_max
        return min(self.workers_max, self.node_pool.pool.nodes * int(disk // each))

    @property
    def slots_per_worker(self) -> int:
        """GPUs (on a CPU pool: replicas) of one worker pod."""
        return self.shape.slots

    @property
    def units_per_worker(self) -> int:
        """The same in the units of pieces."""
        return self.shape.slots * self.node_pool.units

    @property
    def workers_max(self) -> int:
        return self.shape.workers_max

    @property
    def workers_min(self) -> int:
        """Pods that the smallest number of replicas takes."""
        return self.shape.workers_min

    @property
    def workers_any_order(self) -> int:
        """Pods with which these replicas find room in whatever order they come; may be more than there are."""
        return self.shape.workers_any_order

    @property
    def workers_peak(self) -> int:
        """Pods that all replicas at once would take; may be more than there are."""
        return self.shape.workers_peak
