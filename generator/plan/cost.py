"""What a fleet costs: the price of a GPU-hour, of the GPUs that its worker pods take, and of a million tokens."""

from __future__ import annotations

from generator.facts.prices import prices
from generator.plan.placement import Placement
from generator.plan.plans import PoolPlan
from generator.plan.pools import NodePool
from generator.plan.replicas import ExpectedLoad


def price_per_gpu_hour(node_pool: NodePool) -> float | None:
    """The environment's own price, or the list's (data/prices.yaml); None where there is neither."""
    if node_pool.gpu is None:
        return None
    if node_pool.pool.pricePerGpuHour is not None:
        return node_pool.pool.pricePerGpuHour
    return prices().per_gpu_hour.get(node_pool.gpu.name)


def pool_cost(pool: PoolPlan) -> tuple[float, float] | None:
    """Of the worker pods of one hour, at minimum and at peak; pods that the pool cannot have cost nothing."""
    price = price_per_gpu_hour(pool.node_pool)
    if price is None:
        return None
    per_worker = price * pool.slots_per_worker
    return pool.workers_min * per_worker, min(pool.workers_peak, pool.workers_max) * per_worker


def price_per_replica_hour(placement: Placement) -> float | None:
    """Of the GPUs of one replica."""
    price = price_per_gpu_hour(placement.node_pool)
    return None if price is None else price * placement.split.gpus * placement.gpu_share


def price_per_million_tokens(placement: Placement, load: ExpectedLoad) -> float | None:
    """Of prompts and answers together, on replicas that are as busy as planned."""
    price = price_per_replica_hour(placement)
    if price is None:
        return None
    return price / 3600 / load.tokens_per_second * 1e6
