"""What a changed cluster takes beside the one that serves: all of it at once, or as much as KubeRay's steps ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from generator.documents.merge import JsonObject
from generator.formats.availability import IN_STEPS
from generator.plan.packing import bins_needed
from generator.plan.plans import Home
from generator.plan.requirements import at


def in_place(chart: JsonObject) -> bool:
    """Whether a changed model rolls in its cluster; else KubeRay makes a new one beside the old."""
    return bool(at(chart, "serving.delivery") == "inline")


def surge_percent(strategy: JsonObject) -> int:
    """How much of a new cluster comes at a time, by an `upgradeStrategy`; 0 where a change makes none."""
    match strategy.get("type", "NewCluster"):
        case "NewCluster":
            return 100
        case kind if kind == IN_STEPS:
            return int((strategy.get("clusterUpgradeOptions") or {}).get("maxSurgePercent") or 100)
    return 0


def workers_at_once(homes: Collection[Home], units_per_worker: int, surge: int) -> int:
    """The most worker pods of a pool that both clusters take together, each with the least replicas.

    No worker is of both: a model of one replica has one in each.
    """

    def workers(percent: int) -> int:
        taken: Counter[int] = Counter()
        for home in homes:
            taken += home.taken(of_capacity(home.least, percent))
        return bins_needed(taken, units_per_worker)

    return max(workers(active) + workers(pending) for active, pending in steps(surge))


def steps(surge: int) -> Iterator[tuple[int, int]]:
    """The target capacities of old and new cluster, in percent: reconcileServeTargetCapacity of KubeRay's
    rayservice_controller.go."""
    active, pending = 100, 0
    yield active, pending
    while active and surge:
        if active + pending > 100:
            active = max(0, active - surge)
        else:
            pending = min(100, pending + surge)
        yield active, pending


def of_capacity(replicas: int, percent: int) -> int:
    """Replicas at a target capacity: get_capacity_adjusted_num_replicas in ray/serve/_private/utils.py."""
    if percent == 0 or replicas == 0:
        return 0
    return max(1, (replicas * percent + 50) // 100)
