"""Where a model can run: for every pool the smallest split that holds it, best first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from generator.errors import UserError
from generator.facts.gpus import Device, Gpu
from generator.facts.releases import RayRelease
from generator.plan.pools import NodePool, share_utilization
from generator.plan.requirements import ModelRequirements
from generator.plan.splits import on_one_node, over_stages, pool_refusal
from generator.sizing.engine.engine import EngineShape
from generator.sizing.engine.refusals import device_refusal
from generator.sizing.fit import MemoryFit, cpu_fit, fit
from generator.sizing.weights.divisions import Split


class Placement(NamedTuple):
    """One way to run the model: a pool, a split, the engine's arguments and the memory they leave."""

    node_pool: NodePool
    split: Split
    memory: MemoryFit
    gpu_share: float
    """Of its GPU, where several models share it; with less than 1 it is the only GPU."""
    sequences: int
    """max_num_seqs: what users need, or fewer where the cache cannot hold a block for each."""
    enough: bool
    """Whether the cache holds a request of full context, and of a shared GPU the sequences that users need."""
    narrower: MemoryFit | None
    """The next smaller split or share on this pool, which is not enough; None where there is none."""
    piece: int
    """What must lie on one node, in the pool's units: the GPUs of a stage, or a share of one."""

    @property
    def over_nodes(self) -> bool:
        """Whether its pipeline stages may lie on several nodes."""
        return self.split.pipeline > 1

    @property
    def shape(self) -> EngineShape:
        return self.memory.shape

    def cost_of(self, replicas: int) -> tuple[bool, float, int]:
        """What is compared: one node before several, then price or memory of the GPUs taken, then GPUs of a replica."""
        gpus = self.split.gpus
        return self.over_nodes, self.node_pool.weight * gpus * self.gpu_share * replicas, gpus


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """What is the same on several pools, tried once."""

    refused: dict[str, str] = field(default_factory=dict)
    """By GPU type: why vLLM does not run the model on it; nothing where it does."""
    of_gpus: dict[tuple[str, Split, float], tuple[MemoryFit, int, bool]] = field(default_factory=dict)
    """By GPU type, split and share: memory, sequences, and whether that does."""
    of_nodes: dict[tuple[str, int, bool], list[Placement]] = field(default_factory=dict)
    """By GPU type, GPUs of a node and whether models share one: what was tried on one node, on the first such pool."""


def placements(
    requirements: ModelRequirements, pools: Mapping[str, NodePool], release: RayRelease, *, where: str
) -> list[Placement]:
    """Every place that can hold the model, pool by pool. Raises UserError, with the nearest miss, when none can."""
    if requirements.pool is not None and requirements.pool not in pools:
        raise UserError.unknown("pool", requirements.pool, pools, where=where)
    open_pools = [h for h in pools.values() if requirements.pool in (None, h.name)]
    tried = _Tried()
    found = [placement for h in open_pools for placement in _on_pool(requirements, h, release, tried)]
    fitting = [c for c in found if c.enough]
    if not fitting:
        unable = "; ".join(f"{h.name}: {_unable(requirements, h, release, tried)}" for h in open_pools)
        raise _fits_nowhere(requirements, found, open_pools, unable, where=where)
    return fitting


def _on_pool(
    requirements: ModelRequirements, node_pool: NodePool, release: RayRelease, tried: _Tried
) -> list[Placement]:
    """What was tried on one pool; what does not do on one node is told of the first pool with such nodes."""
    if _unable(requirements, node_pool, release, tried):
        return []
    if node_pool.gpu is None:
        return [_on_cpu(requirements, node_pool, release)]
    alike = (node_pool.gpu.name, node_pool.pool.gpusPerNode, node_pool.pool.share)
    node = tried.of_nodes.get(alike)
    if node is None:
        found = node = _climb(
            requirements, node_pool, node_pool.gpu, on_one_node(requirements, node_pool), release, tried
        )
        tried.of_nodes[alike] = node
    else:
        found = [placement._replace(node_pool=node_pool) for placement in node if placement.enough]
    if node and node[-1].enough and not requirements.has_latency_target:
        return found
    stages = over_stages(requirements, node_pool, release)
    return found + _climb(requirements, node_pool, node_pool.gpu, stages, release, tried, below=node[-1:])


def _unable(requirements: ModelRequirements, node_pool: NodePool, release: RayRelease, tried: _Tried) -> str:
    """Why the pool cannot run the model whatever its memory; nothing where it can."""
    gpu = node_pool.gpu
    if gpu is not None:
        if gpu.name not in tried.refused:
            tried.refused[gpu.name] = device_refusal(
                requirements.sized, gpu, requirements.engine, dtype=requirements.engine.dtype
            )
        if tried.refused[gpu.name]:
            return tried.refused[gpu.name]
    return pool_refusal(requirements, node_pool, release)


def _climb(
    requirements: ModelRequirements,
    node_pool: NodePool,
    gpu: Gpu,
    parts: Iterable[tuple[Split, float]],
    release: RayRelease,
    tried: _Tried,
    *,
    below: Sequence[Placement] = (),
) -> list[Placement]:
    """Try one part after the other, from the smallest on: the last one does, or none. `below` came before them.

    Of a GPU that is shared, every larger share fits too: where shares of one size fill a GPU, the order in which the
    models come does not matter. Where a latency is asked for, wider splits than memory needs may be what keeps it.
    """
    found: list[Placement] = []
    narrower = next((one.narrower if one.enough else one.memory for one in below), None)
    for split, share in parts:
        key = (gpu.name, split, share)
        if key not in tried.of_gpus:
            tried.of_gpus[key] = _fit_on_gpu(requirements, gpu, split, share, release)
        memory, sequences, does = tried.of_gpus[key]
        piece = round(split.tensor * share * node_pool.units)
        found.append(Placement(node_pool, split, memory, share, sequences, does, narrower, piece))
        if not does:
            narrower = memory
        elif share == 1 and not (requirements.has_latency_target and split.pipeline == 1):
            break
    return found


def _fit_on_gpu(
    requirements: ModelRequirements, gpu: Gpu, split: Split, share: float, release: RayRelease
) -> tuple[MemoryFit, int, bool]:
    utilization = (
        release.gpu_memory_utilization if requirements.engine.utilization is None else requirements.engine.utilization
    )
    engine = requirements.engine._replace(
        context=requirements.context,
        sequences=requirements.sequences,
        batched_tokens=requirements.engine.batched_tokens or _batched_tokens(requirements, gpu),
        utilization=share_utilization(share, of=utilization, gpu_gib=gpu.memory_gib),
    )
    memory = fit(requirements.sized, device=gpu, split=split, engine=engine)
    sequences = _sequences(requirements, memory)
    # Fewer sequences than users need are taken of a whole GPU only, or where people say the share.
    of_choice = share < 1 and requirements.gpu_share is None
    return memory, sequences, memory.fits and not (of_choice and sequences < requirements.sequences)


def _sequences(requirements: ModelRequirements, memory: MemoryFit) -> int:
    return max(1, min(requirements.sequences, memory.most_sequences))


def _batched_tokens(requirements: ModelRequirements, gpu: Gpu | None) -> int:
    """Tokens of one engine step: vLLM's own 8192 for an API server on a big GPU, half of it where memory is short.

    Not vLLM's 2048 there: a Falcon-H1 cache block holds up to 2080 tokens, and in one step a whole block must fit.
    Every sequence must have a token in it, and a prompt that may not be cut must fit whole
    (`vllm/config/scheduler.py`).
    """
    usual = 2048 if gpu is None else 8192 if gpu.memory_gib >= 70 else 4096
    return max(
        usual,
        requirements.sequences,
        requirements.context if requirements.engine.takes_whole_prompts(requirements.sized) else 0,
    )


def _on_cpu(requirements: ModelRequirements, node_pool: NodePool, release: RayRelease) -> Placement:
    device = Device(name=node_pool.label, memory_gib=node_pool.memory_gib_per_node / node_pool.slots_per_node)
    engine = requirements.engine._replace(context=requirements.context, sequences=requirements.sequences)
    memory = cpu_fit(requirements.sized, device=device, engine=engine, usual_tokens=_batched_tokens(requirements, None))
    sequences = _sequences(requirements, memory)
    return Placement(node_pool, Split(), memory, 1.0, sequences, memory.fits, None, node_pool.units)


def _fits_nowhere(
    requirements: ModelRequirements, tried: list[Placement], pools: list[NodePool], unable: str, *, where: str
) -> UserError:
    names = ", ".join(f"{h.name} ({h.pool.nodes} x {h.slots_per_node} {h.label})" for h in pools)
    if not tried:
        return UserError(
            f"model '{requirements.model_id}' can run on no pool as it is asked for: {unable}",
            where=where,
            fix="Take the setting out and let the plan decide, or add a pool that has it.",
        )
    nearest = min(tried, key=lambda c: (bool(c.memory.refusal), c.memory.missing_gib))
    memory, split = nearest.memory, nearest.split
    if memory.refusal:
        return UserError(
            f"vLLM would not start model '{requirements.model_id}' on any pool: {memory.refusal} "
            f"({nearest.node_pool.name})",
            where=where,
            fix="Change what it says in `needs`, or in the environment's `llmConfig.engine_kwargs`.",
        )
    fixes = ["add a pool with larger GPUs or more of them"]
    if memory.longest_context >= 16:
        fixes.insert(0, f"ask for a context of at most {memory.longest_context:,} tokens")
    return UserError(
        f"model '{requirements.model_id}' fits on no pool: {names}. Nearest is {nearest.node_pool.name} at "
        f"{split.gpus} x {nearest.node_pool.label} (tensor {split.tensor}, pipeline {split.pipeline}): "
        f"weights {memory.weights_gib:.1f} + other {memory.other_gib:.1f} of {memory.usable_gib:.1f} GiB usable leave "
        f"{max(memory.kv_gib, 0):.1f} GiB for the cache, {memory.missing_gib:.1f} GiB too little for one request of "
        f"{requirements.context:,} tokens",
        where=where,
        fix=f"Either {' or '.join(fixes)}.",
    )
