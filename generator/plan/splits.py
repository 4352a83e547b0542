"""How a model can be divided on a pool: on one node, over several, and why not at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from generator.facts.gpus import Gpu
from generator.facts.releases import RayRelease
from generator.plan.pools import SHARES, NodePool
from generator.plan.requirements import ModelRequirements
from generator.sizing.engine.refusals import split_refusal, stages_refusal, tensor_splits
from generator.sizing.weights.divisions import Split, expert_division_refusal


def pool_refusal(requirements: ModelRequirements, node_pool: NodePool, release: RayRelease) -> str:
    """Why the pool cannot run the model as asked, whatever its memory and GPU type; nothing where it can."""
    if node_pool.gpu is None:
        return _cpu_refusal(requirements, node_pool)
    return _sharing_refusal(requirements, node_pool, release) or _division_refusal(
        requirements, node_pool, node_pool.gpu, release
    )


def _cpu_refusal(requirements: ModelRequirements, node_pool: NodePool) -> str:
    data = requirements.data_parallel
    if _requested_gpus(requirements) > data:
        return "an engine on CPUs is one worker"
    if data > node_pool.slots:
        return f"data_parallel_size is {data}, and its nodes have room for {node_pool.slots} ranks"
    return "" if requirements.engine.expert_parallel else expert_division_refusal(requirements.sized.config, data)


def _requested_gpus(requirements: ModelRequirements) -> int:
    """GPUs of a replica as far as the environment says."""
    return (requirements.tensor_parallel or 1) * (requirements.pipeline_parallel or 1) * requirements.data_parallel


def _sharing_refusal(requirements: ModelRequirements, node_pool: NodePool, release: RayRelease) -> str:
    if not node_pool.pool.share:
        part = requirements.gpu_share is not None and requirements.gpu_share < 1
        return "its models do not share GPUs (share: true of the pool would let them)" if part else ""
    if _requested_gpus(requirements) > 1:
        return "its GPUs are shared, and a model of several GPUs shares none"
    engine = requirements.engine
    for argument, value in (
        ("gpu_memory_utilization", engine.utilization),
        ("kv_cache_memory_bytes", engine.cache_bytes),
        ("num_gpu_blocks_override", engine.cache_blocks),
    ):
        if value:
            return f"its GPUs are shared, so that {argument} is the plan's to decide"
    if release.placement_field != "placement_group_config":
        return f"Ray {release.ray} shares no GPU between models"
    return ""


def _division_refusal(requirements: ModelRequirements, node_pool: NodePool, gpu: Gpu, release: RayRelease) -> str:
    tensor, data = requirements.tensor_parallel, requirements.data_parallel
    gpus_per_node = node_pool.pool.gpusPerNode
    if gpu.mig and _requested_gpus(requirements) > 1:
        return "slices of a GPU do not work together"
    if tensor and tensor > gpus_per_node:
        return f"tensor_parallel_size is {tensor}, and a node has {gpus_per_node} GPU{'s' * (gpus_per_node > 1)}"
    if tensor and (refusal := split_refusal(requirements.sized, tensor, requirements.engine, gpu, data=data)):
        sizes = tensor_splits(requirements.sized, gpus_per_node, requirements.engine, gpu, data=data)
        return f"{refusal}; on a node the model can be divided by {', '.join(map(str, sizes))}"
    return _ranks_refusal(requirements, node_pool, gpu) or _stages_refusal(requirements, node_pool, release)


def _ranks_refusal(requirements: ModelRequirements, node_pool: NodePool, gpu: Gpu) -> str:
    data, tensor = requirements.data_parallel, requirements.tensor_parallel or 1
    if data == 1:
        return ""
    room = node_pool.pool.gpusPerNode // tensor * node_pool.pool.nodes
    if data > room:
        return f"data_parallel_size is {data}, and its nodes have room for {room} rank{'s' * (room != 1)}"
    return split_refusal(requirements.sized, 1, requirements.engine, gpu, data=data)


def _stages_refusal(requirements: ModelRequirements, node_pool: NodePool, release: RayRelease) -> str:
    pipeline = requirements.pipeline_parallel or 1
    if pipeline > 1 and (refusal := stages_refusal(requirements.sized, requirements.engine)):
        return refusal
    if pipeline > (stages := _most_stages(requirements, node_pool, release)):
        return f"it can have {stages} pipeline stages (nodes, layers, Ray {release.ray})"
    return ""


def on_one_node(requirements: ModelRequirements, node_pool: NodePool) -> Iterator[tuple[Split, float]]:
    """Splits and shares of a GPU in the order of their cost: the same for every pool of such nodes."""
    if node_pool.pool.share:
        yield from ((_across(1, 1), share) for share in reversed(SHARES) if requirements.gpu_share in (None, share))
    elif requirements.pipeline_parallel in (None, 1):
        data = requirements.data_parallel
        yield from ((_across(tensor, data), 1.0) for tensor in _tensors(requirements, node_pool))


def over_stages(
    requirements: ModelRequirements, node_pool: NodePool, release: RayRelease
) -> Iterator[tuple[Split, float]]:
    """Splits into pipeline stages, each as wide as a node and the model's heads allow and with at least one layer.

    Over nodes, or beside each other where the heads leave GPUs of a node over.
    """
    for pipeline in range(2, _most_stages(requirements, node_pool, release) + 1):
        if requirements.pipeline_parallel in (None, pipeline):
            yield from (
                (Split(tensor=tensor, pipeline=pipeline, data=requirements.data_parallel), 1.0)
                for tensor in _tensors(requirements, node_pool)[-1:]
            )


def _most_stages(requirements: ModelRequirements, node_pool: NodePool, release: RayRelease) -> int:
    # Ray 2.49.1 has no place for the pool's name in the bundles, so a stage could land on another pool.
    # A half's cache is handed over whole (`halves.check_half`).
    if release.placement_field != "placement_group_config" or node_pool.alone or requirements.half:
        return 1
    if stages_refusal(requirements.sized, requirements.engine):
        return 1
    tensors = _tensors(requirements, node_pool)
    stages_per_node = node_pool.pool.gpusPerNode // tensors[-1] if tensors else 1
    return min(node_pool.pool.nodes * stages_per_node, requirements.model.architecture.num_hidden_layers)


def _has_room(requirements: ModelRequirements, node_pool: NodePool, tensor: int) -> bool:
    """Whether the pool's nodes hold all data parallel ranks."""
    return node_pool.pool.gpusPerNode // tensor * node_pool.pool.nodes >= requirements.data_parallel


@cache
def _across(tensor: int, data: int) -> Split:
    return Split(tensor=tensor, data=data)


def _tensors(requirements: ModelRequirements, node_pool: NodePool) -> list[int]:
    """Tensor parallel sizes on one node, smallest first."""
    most = 1 if node_pool.alone else node_pool.pool.gpusPerNode
    if node_pool.gpu is None:
        return [1]
    return [
        n
        for n in tensor_splits(
            requirements.sized, most, requirements.engine, node_pool.gpu, data=requirements.data_parallel
        )
        if requirements.tensor_parallel in (None, n) and _has_room(requirements, node_pool, n)
    ]
