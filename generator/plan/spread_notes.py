"""What people should know of models that name several pools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from generator.facts.releases import RayRelease
from generator.plan.apps import AppPlan
from generator.plan.packing import bins_in_any_order
from generator.plan.plans import ModelPlan, PlanWarning, PoolPlan, Served


def spread_warnings(
    models: Collection[ModelPlan], apps: Collection[AppPlan], pools: Mapping[str, PoolPlan], release: RayRelease
) -> Iterator[PlanWarning]:
    """Where Ray may not keep the order, what may have to wait for others, and GPUs that one pool alone would save."""
    served: list[Served] = [*models, *apps]
    several = [model for model in models if len(model.homes) > 1]
    for model in several:
        yield from _order_warnings(model, pools, release)
        yield from _split_warnings(model)
    for name, pool in pools.items():
        guests = [model for model in several if name in model.pool_names]
        pinned = [
            one.name for one in served if one.replicas.min and [home.node_pool.name for home in one.homes] == [name]
        ]
        if guests and pinned and not _holds_all(pool, served):
            yield PlanWarning(
                kind="pool",
                subject=name,
                text=f"{', '.join(guest.name for guest in guests)} may go elsewhere and may fill it first, and then "
                f"{', '.join(pinned)} waits; give it more nodes, or a pool of its own to what can be here alone",
            )


def _order_warnings(model: ModelPlan, pools: Mapping[str, PoolPlan], release: RayRelease) -> Iterator[PlanWarning]:
    offers = {pools[name].offer for name in model.pool_names}
    if len(offers) > 1:
        yield model.warning(
            "Ray brings first the worker pods that a replica fills best, so the order of its pools may not hold: "
            f"{', '.join(_offer_in_words(pools[name]) for name in model.pool_names)}; make them alike (gpusPerNode, "
            "cpusPerNode, and as many lists of `pool`)",
        )
    if release.pod_timeout_s is None:
        yield model.warning(
            f"Ray {release.ray} goes to the next pool only when one has all its nodes: it waits for pods that "
            "stay pending, as where no spot node can be had",
        )


def _offer_in_words(pool: PoolPlan) -> str:
    cpus, slots, lists = pool.offer
    pods = f"{slots} x {pool.node_pool.label} and {cpus:g} CPUs"
    return f"{pool.name} has {pods} and is in {lists} list{'s' * (lists != 1)}"


def _split_warnings(model: ModelPlan) -> Iterator[PlanWarning]:
    """On which pools fewer GPUs would hold it, had it arguments of its own there."""
    for placement in model.placements:
        if placement.split.gpus > 1 and placement.narrower and placement.narrower.fits:
            yield model.warning(
                f"on {placement.node_pool.name} fewer than {placement.split.gpus} x {placement.node_pool.label} "
                "would hold it; it takes as many on each of its pools",
            )


def _holds_all(pool: PoolPlan, served: Collection[Served]) -> bool:
    """Whether the least replicas of all that may be here find room here at once, in any order."""
    pieces: Counter[int] = Counter()
    for one in served:
        for home in one.homes:
            if home.node_pool.name == pool.name:
                pieces += home.taken(one.replicas.min)
    return bins_in_any_order(pieces, pool.units_per_worker) <= pool.workers_max
