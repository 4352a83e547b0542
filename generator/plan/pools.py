"""The pools with the facts of their GPUs: what a node has, and how finely its GPUs are given out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import floor

from generator.documents.merge import JsonObject
from generator.errors import UserError, UserErrors
from generator.facts.gpus import Gpu, gpu, process_context_gib
from generator.facts.own import own_facts
from generator.formats.environment import Pool
from generator.plan.node_disk import NodeDisk, node_disk
from generator.units import quantity_gib

SHARES = (1.0, 0.5, 0.25, 0.125)
"""What a model may take of a GPU that several share. Powers of two fill a GPU without a rest."""
UNITS_OF_A_SHARED_GPU = 8
# Settings of a worker group that follow from the pool and the plan.
PLANNED_OF_A_GROUP = ("gpusPerWorker", "maxReplicas", "priority", "rayResources", "resources")


@dataclass(frozen=True, kw_only=True)
class NodePool:
    """A pool with its GPU's facts."""

    name: str
    pool: Pool
    gpu: Gpu | None
    weight: int
    """What one GPU counts when plans are compared: thousandths of its price or of its GB, the same for all pools."""
    disk: NodeDisk

    @cached_property
    def slots_per_node(self) -> int:
        """GPUs of a node; on a CPU pool how many replicas a node takes, one for each whole CPU."""
        return self.pool.gpusPerNode if self.gpu else max(1, int(self.cpus_per_node))

    @property
    def slots(self) -> int:
        return self.slots_per_node * self.pool.nodes

    @cached_property
    def units(self) -> int:
        """Parts of a slot in which pieces are counted: eighths of a GPU where models share it, else whole ones."""
        return UNITS_OF_A_SHARED_GPU if self.pool.share else 1

    @cached_property
    def alone(self) -> bool:
        """Whether a worker pod has one GPU.

        Of several shared GPUs in a pod Ray could give halves of two where a whole one is asked for, and a process sees
        only the first of several MIG slices.
        """
        return bool(self.gpu and (self.pool.share or self.gpu.mig))

    @cached_property
    def worker_sizes(self) -> list[int]:
        """Slots that a worker pod may have: they fill a node without a rest. Smallest first."""
        if self.gpu is None:
            return [self.slots_per_node]
        if self.alone:
            return [1]
        return [n for n in range(1, self.slots_per_node + 1) if self.slots_per_node % n == 0]

    @cached_property
    def cpus_per_node(self) -> float:
        return self.pool.cpusPerNode or 6 * self.pool.gpusPerNode

    @cached_property
    def memory_gib_per_node(self) -> float:
        return quantity_gib(self.pool.memoryPerNode or f"{24 * self.pool.gpusPerNode}Gi")

    @property
    def label(self) -> str:
        return self.gpu.name if self.gpu else "CPU"


def node_pools(pools: Mapping[str, Pool], *, chart: JsonObject, where: str) -> dict[str, NodePool]:
    """Look up every pool's GPU type. Raises UserErrors for every pool whose nodes cannot hold a replica at all.

    `chart` is what the environment says of the chart: it decides what is downloaded to the nodes' disks.
    """
    types = {
        name: gpu(pool.gpu, where=f"{where}: pools.{name}.gpu") if pool.gpu else None for name, pool in pools.items()
    }
    priced = by_price(pools)
    looked_up = {
        name: NodePool(
            name=name,
            pool=pool,
            gpu=types[name],
            weight=_weight(pool, types[name], priced=priced),
            disk=node_disk(pool, chart),
        )
        for name, pool in pools.items()
    }
    errors = [fault for pool in looked_up.values() for fault in _pool_faults(pool, where=f"{where}: pools.{pool.name}")]
    if errors:
        raise UserErrors(errors)
    return looked_up


def by_price(pools: Mapping[str, Pool]) -> bool:
    """Whether places are compared by people's own prices: where every GPU pool has one, and not nothing."""
    return all(own_price(pool) for pool in pools.values() if pool.gpu)


def own_price(pool: Pool) -> float | None:
    """Of one of its GPUs for an hour, as the environment says it, or else the project's own prices."""
    if pool.pricePerGpuHour is not None or pool.gpu is None:
        return pool.pricePerGpuHour
    price: float | None = (own_facts().prices or {"perGpuHour": {}})["perGpuHour"].get(pool.gpu)
    return price


def _weight(pool: Pool, gpu: Gpu | None, *, priced: bool) -> int:
    """By price where people say one for every GPU pool, else by memory as sold. CPUs cost no GPU."""
    if gpu is None:
        return 0
    price = own_price(pool)
    return round(1000 * (price if priced and price else gpu.label_gb))


def _pool_faults(node_pool: NodePool, *, where: str) -> Iterator[UserError]:
    cpus = node_pool.cpus_per_node / node_pool.slots_per_node
    memory = node_pool.memory_gib_per_node / node_pool.slots_per_node
    if cpus < 1:
        fix = f"Give `cpusPerNode` {node_pool.slots_per_node} or more."
        yield UserError(f"a replica would have {cpus:g} CPUs and needs one", where=where, fix=fix)
    if memory < 1:
        fix = f"Give `memoryPerNode` {node_pool.slots_per_node}Gi or more."
        yield UserError(f"a replica would have {memory:.2g} GiB of memory, not enough to start", where=where, fix=fix)
    if node_pool.gpu is None:
        for key in ("share", "pricePerGpuHour", "gpusPerIsland"):
            if getattr(node_pool.pool, key) not in (None, False):
                yield UserError(f"'{key}' is of GPUs, and this pool has none", where=where, fix="Take it out.")
    for key in PLANNED_OF_A_GROUP:
        given = node_pool.pool.workerGroup.get(key)
        # What a pod asks of its node may be less than what Ray may use of it, where nodes are shared and idle; and
        # devices by claims are beside what is planned.
        beside = key == "resources" and isinstance(given, dict) and given.keys() <= {"requests", "claims"}
        if given is not None and not beside:
            fix = "Say it with gpusPerNode, nodes, cpusPerNode, memoryPerNode and diskPerNode of the pool"
            fix += "; resources.requests alone may be less, and claims are yours." if key == "resources" else "."
            yield UserError(f"workerGroup.{key} is the plan's to decide", where=where, fix=fix)


def share_utilization(share: float, *, of: float, gpu_gib: float) -> float:
    """The utilization of an engine with `share` of a GPU, where one with all of it would have `of`.

    Engines that fill a GPU take as much of it, contexts included, as one engine would: with c the context's part of
    the GPU, `n` engines of 1/n take n * (u + c) = of + c, so u = share * (of + c) - c. Thousandths, rounded down.
    """
    if share == 1:
        return of
    context = process_context_gib() / gpu_gib
    return max(0.0, floor(1000 * (share * (of + context) - context)) / 1000)
