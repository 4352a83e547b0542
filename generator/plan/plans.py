"""One model's places, and the one that it has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from generator.documents.merge import JsonObject
from generator.formats.catalog import CatalogModel
from generator.formats.environment import Replicas
from generator.plan.occupancy import Option
from generator.plan.packing import WorkerShape
from generator.plan.placement import Candidate
from generator.plan.pools import Hardware
from generator.plan.replicas import ExpectedLoad


class Place(NamedTuple):
    """A place that a model can have, with the replicas that it would have there."""

    candidate: Candidate
    replicas: Replicas
    load: ExpectedLoad | None

    @property
    def option(self) -> Option:
        stages = self.candidate.split.pipeline
        return Option(
            pool=self.candidate.hardware.name,
            piece=self.candidate.piece,
            least=stages * self.replicas.min,
            peak=stages * self.replicas.max,
        )

    @property
    def pieces(self) -> Counter[int]:
        """Of one replica: what must lie together on one node, count by size in the pool's units."""
        return Counter({self.candidate.piece: self.candidate.split.pipeline})

    @property
    def cost(self) -> tuple[bool, float, int]:
        """As the candidate's, of all replicas at the least. A model that may sleep is compared by one."""
        return self.candidate.cost_of(max(1, self.replicas.min))


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """One model's place, arguments and replicas."""

    model_id: str
    family: str
    model: CatalogModel
    source: str
    place: Candidate
    sequences: int
    """max_num_seqs: what users need, or fewer where the cache cannot hold a block for each."""
    replicas: Replicas
    expected: bool
    """Whether the environment expects a load."""
    load: ExpectedLoad | None
    """What a replica serves of that; None where it expects none, or the GPU's speed is not known."""
    surge: bool
    """Whether the pool has room for one more replica while an update rolls."""
    why: str
    """Why it is there, in words."""
    llm_config: JsonObject
    """The environment's own words, merged last."""

    @property
    def name(self) -> str:
        return self.model_id

    @property
    def hardware(self) -> Hardware:
        return self.place.hardware

    @property
    def gpus(self) -> int:
        return self.place.split.gpus

    def pieces(self, replicas: int) -> Counter[int]:
        """What must lie together on one node, count by size in the pool's units."""
        return Counter({self.place.piece: self.place.split.pipeline * replicas})


@dataclass(frozen=True, kw_only=True)
class PoolPlan:
    """One pool as a worker group: the shape of its pods, and what the fleet asks of it."""

    hardware: Hardware
    shape: WorkerShape

    @property
    def name(self) -> str:
        return self.hardware.name

    @property
    def slots_per_worker(self) -> int:
        """GPUs (on a CPU pool: replicas) of one worker pod."""
        return self.shape.slots

    @property
    def units_per_worker(self) -> int:
        """The same in the units of pieces."""
        return self.shape.slots * self.hardware.units

    @property
    def most_workers(self) -> int:
        return self.shape.most

    @property
    def least_workers(self) -> int:
        """Pods that the smallest number of replicas takes."""
        return self.shape.least

    @property
    def peak_workers(self) -> int:
        """Pods that all replicas at once would take; may be more than there are."""
        return self.shape.peak
