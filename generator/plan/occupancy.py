"""The pools, and what is on them while a fleet is placed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from generator.plan.packing import WorkerShape, worker_shape
from generator.plan.pools import NodePool


class Option(NamedTuple):
    """One place of a model: pieces of one size (the pool's units), how many at minimum and at maximum replicas."""

    pool: str
    piece: int
    minimum: int
    peak: int


Kind = tuple[Option, ...]
Step = tuple[Kind, int, int]
"""A kind, and the places from which and to which one of its models moves."""
Taken = dict[Kind, list[int]]
"""By kind, how many models take each option."""


@dataclass(kw_only=True)
class Occupancy:
    """The pools, and what is on them: pieces by size, at minimum replicas and at the most. Grows by `add`."""

    node_pools: Mapping[str, NodePool]
    minimum: Mapping[str, Counter[int]]
    peak: Mapping[str, Counter[int]]
    _shapes: dict[tuple[object, ...], WorkerShape] = field(default_factory=dict)

    def add(self, option: Option, models: int = 1) -> None:
        self.minimum[option.pool][option.piece] += models * option.minimum
        self.peak[option.pool][option.piece] += models * option.peak

    def copy(self) -> Occupancy:
        """The same pools, to which something else can be added."""
        minimum = {pool: Counter(pieces) for pool, pieces in self.minimum.items()}
        peak = {pool: Counter(pieces) for pool, pieces in self.peak.items()}
        return Occupancy(node_pools=self.node_pools, minimum=minimum, peak=peak, _shapes=self._shapes)

    def shape(self, pool: str, more: Option | None = None) -> WorkerShape:
        """The pods for what is on the pool, and for one option more."""
        minimum, peak = self.minimum[pool], self.peak[pool]
        if more is not None:
            minimum, peak = minimum.copy(), peak.copy()
            minimum[more.piece] += more.minimum
            peak[more.piece] += more.peak
        key = (pool, frozenset(minimum.items()), frozenset(peak.items()))
        if key not in self._shapes:
            self._shapes[key] = worker_shape(self.node_pools[pool], +minimum, +peak)
        return self._shapes[key]

    def volume_cost(self, option: Option) -> int:
        """What the pieces of the minimum replicas cost by themselves, pods or not; rounded down."""
        node_pool = self.node_pools[option.pool]
        return node_pool.weight * option.piece * option.minimum // node_pool.units
