"""Pools from what models ask for, in forms that know no groups of workers: every model says the GPUs of a replica."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from generator.errors import cut
from generator.migrate.found import Findings, FoundModel, FoundPool
from generator.migrate.worker_groups import name_gpu
from generator.units import GIB, quantity

_HOW = "nodes are not said, and as many are taken as the most replicas of these models fill: see `nodes`"


@dataclass(kw_only=True)
class Need:
    """What one replica of a model takes. Without GPUs its CPUs are counted."""

    gpus: int
    cpus: float = 0
    memory_bytes: float = 0
    replicas: int = 1
    """At the most."""


@dataclass(kw_only=True)
class Needs:
    """The needs of every pool, by its name."""

    findings: Findings
    by_pool: dict[str, list[Need]] = field(default_factory=dict)
    alike: dict[str, str] = field(default_factory=dict)
    """What models on a pool have in common, where their form has no names for pools."""

    def add(
        self, model: FoundModel, pool: str, need: Need, *, device: str = "", labels: Mapping[str, Any] | None = None,
        said: str = "", words: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Put a model on a pool, which its first model describes: `device` of Kubernetes, `labels` of nodes, the GPU's
        name as it is `said`, and other `words` of an environment's pool."""
        known = self.findings.pools.get(pool)
        if known is None:
            known = FoundPool(name=pool, where=f"{model.where.partition(':')[0]}: pool {cut(pool)}", gpus=need.gpus)
            known.words = dict(words or {})
            name_gpu(known, device, labels or {}, said)
            known.said = f"by the name {cut(said)}" if known.gpu and said and not labels else known.said
            self.findings.pools[pool] = known
        model.pool = pool
        self.by_pool.setdefault(pool, []).append(need)

    def settle(self) -> None:
        """Give every pool its nodes, and the room of one."""
        for name, needs in self.by_pool.items():
            pool = self.findings.pools[name]
            most = max(need.gpus for need in needs)
            pool.gpus = most
            units = max(1, most)
            pool.nodes = max(1, math.ceil(sum(need.replicas * max(1, need.gpus) for need in needs) / units))
            cpus = max(need.cpus / max(1, need.gpus) for need in needs) * units
            memory = max(need.memory_bytes / max(1, need.gpus) for need in needs) * units
            if cpus >= 1:
                pool.words["cpusPerNode"] = math.ceil(cpus)
            if memory >= GIB:
                pool.words["memoryPerNode"] = f"{math.ceil(memory / GIB)}Gi"
            self.findings.change(pool.where, f"nodes: {pool.nodes}", _HOW)


def amount(stated: Any) -> float:
    """A quantity of Kubernetes; 0 where it is none."""
    try:
        return max(0.0, quantity(stated)) if isinstance(stated, (str, int, float)) else 0.0
    except ValueError:
        return 0.0
