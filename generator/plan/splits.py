"""How a model can be divided on a pool: on one node, over several, and why not at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from generator.facts.releases import RayRelease
from generator.plan.pools import SHARES, Hardware
from generator.plan.requirements import Wish
from generator.sizing.engine.refusals import split_refusal, tensor_splits
from generator.sizing.weights.divisions import Split


def obstacle(wish: Wish, hardware: Hardware, release: RayRelease) -> str:
    """Why the pool cannot run the model as asked, whatever its memory and GPU type; nothing where it can."""
    if hardware.gpu is None:
        split = max(wish.tensor_parallel or 1, wish.pipeline_parallel or 1)
        return "a replica on CPUs is one worker" if split > 1 else ""
    if wish.share is not None and wish.share < 1 and not hardware.pool.share:
        return "its models do not share GPUs (share: true of the pool would let them)"
    if hardware.pool.share:
        if (wish.tensor_parallel or 1) * (wish.pipeline_parallel or 1) > 1:
            return "its GPUs are shared, and a model of several GPUs shares none"
        engine = wish.engine
        for name, said in (
            ("gpu_memory_utilization", engine.utilization),
            ("kv_cache_memory_bytes", engine.cache_bytes),
            ("num_gpu_blocks_override", engine.cache_blocks),
        ):
            if said:
                return f"its GPUs are shared, so that {name} is the plan's to decide"
        if release.placement_field != "placement_group_config":
            return f"Ray {release.ray} shares no GPU between models"
    if hardware.gpu.mig and (wish.tensor_parallel or 1) * (wish.pipeline_parallel or 1) > 1:
        return "slices of a GPU do not work together"
    if wish.tensor_parallel and wish.tensor_parallel > hardware.pool.gpusPerNode:
        return f"a node has {hardware.pool.gpusPerNode} GPUs"
    device = hardware.gpu
    if (
        device
        and wish.tensor_parallel
        and (why := split_refusal(wish.sized, wish.tensor_parallel, wish.engine, device))
    ):
        known = ", ".join(map(str, tensor_splits(wish.sized, hardware.pool.gpusPerNode, wish.engine, device)))
        return f"{why}; on a node the model can be divided by {known}"
    if wish.pipeline_parallel and wish.pipeline_parallel > _most_stages(wish, hardware, release):
        return f"it can have {_most_stages(wish, hardware, release)} pipeline stages (nodes, layers, Ray {release.ray})"
    return ""


def on_one_node(wish: Wish, hardware: Hardware) -> Iterator[tuple[Split, float]]:
    """Splits and shares of a GPU in the order of their cost: the same for every pool of such nodes."""
    if hardware.pool.share:
        yield from ((_across(1), share) for share in reversed(SHARES) if wish.share in (None, share))
    elif wish.pipeline_parallel in (None, 1):
        yield from ((_across(tensor), 1.0) for tensor in _tensors(wish, hardware))


def over_stages(wish: Wish, hardware: Hardware, release: RayRelease) -> Iterator[tuple[Split, float]]:
    """Splits into pipeline stages, each as wide as a node and the model's heads allow and with at least one layer.

    Over nodes, or beside each other where the heads leave GPUs of a node over.
    """
    for pipeline in range(2, _most_stages(wish, hardware, release) + 1):
        if wish.pipeline_parallel in (None, pipeline):
            yield from ((Split(tensor=tensor, pipeline=pipeline), 1.0) for tensor in _tensors(wish, hardware)[-1:])


def _most_stages(wish: Wish, hardware: Hardware, release: RayRelease) -> int:
    # Ray 2.49.1 has no place for the pool's name in the bundles, so a stage could land on another pool.
    if release.placement_field != "placement_group_config":
        return 1
    if hardware.alone:
        return 1
    stages_per_node = hardware.pool.gpusPerNode // _tensors(wish, hardware)[-1] if _tensors(wish, hardware) else 1
    return min(hardware.pool.nodes * stages_per_node, wish.model.architecture.num_hidden_layers)


@cache
def _across(tensor: int) -> Split:
    return Split(tensor=tensor)


def _tensors(wish: Wish, hardware: Hardware) -> list[int]:
    """Tensor parallel sizes on one node, smallest first."""
    most = 1 if hardware.alone else hardware.pool.gpusPerNode
    if hardware.gpu is None:
        return [1]
    return [n for n in tensor_splits(wish.sized, most, wish.engine, hardware.gpu) if wish.tensor_parallel in (None, n)]
