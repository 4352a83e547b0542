"""What containers beside Ray's ask of the nodes, which is beside what the plan gives its workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from generator.documents.merge import JsonObject, merged
from generator.plan.plans import PlanWarning, PoolPlan
from generator.units import GIB, quantity


def container_warnings(pools: Iterable[PoolPlan], chart: JsonObject) -> Iterator[PlanWarning]:
    """One note for each pool whose pods have some that stay and ask for CPUs or memory."""
    for pool in pools:
        settings = merged(chart.get("pods") or {}, pool.node_pool.pool.workerGroup)
        asked = [_requests(container) for container in _staying(settings)]
        cpus = sum(quantity(each.get("cpu") or 0) for each in asked)
        memory = sum(quantity(each.get("memory") or 0) for each in asked) / GIB
        if cpus or memory:
            pods = max(1, pool.node_pool.slots_per_node // pool.slots_per_worker)
            what = (
                f"containers beside Ray's ask for {cpus:g} CPUs and {memory:.3g} GiB in each worker pod, {pods} to a "
                "node, beside cpusPerNode and memoryPerNode: leave as much of the node out of these"
            )
            yield PlanWarning(kind="pool", subject=pool.name, text=what)


def _staying(settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for container in (settings.get("extraContainers") or {}).values():
        yield container or {}
    for container in (settings.get("initContainers") or {}).values():
        if (container or {}).get("restartPolicy") == "Always":
            yield container


def _requests(container: Mapping[str, Any]) -> Mapping[str, Any]:
    """Kubernetes takes a limit for the request that is left out."""
    resources = container.get("resources") or {}
    return {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
