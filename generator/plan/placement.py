"""Where a model can run: for every pool the smallest split that holds it, best first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from generator.errors import UserError
from generator.facts.gpus import Device, Gpu
from generator.facts.releases import RayRelease
from generator.plan.node_disk import KEEP_ELSEWHERE
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
    """What must lie on one node, in the pool's units: the GPUs of a stage, or a share of one. Of data parallel ranks
    as many as a node has room for: between pods they have the network alone."""

    @property
    def over_nodes(self) -> bool:
        """Whether its pipeline stages, or its ranks, may lie on several nodes."""
        return self.pieces > 1

    @property
    def pieces(self) -> int:
        """Of one replica."""
        return self.split.pipeline * self.split.data // self.split.ranks_together(self.node_pool.slots_per_node)

    @property
    def shape(self) -> EngineShape:
        return self.memory.shape

    def cost_of(self, replicas: int) -> tuple[bool, float, int]:
        """What is compared: one node before several, then price or memory of the GPUs taken, then GPUs of a replica."""
        gpus = self.split.gpus
        return self.over_nodes, self.node_pool.weight * gpus * self.gpu_share * replicas, gpus


def placements(
    requirements: ModelRequirements, pools: Mapping[str, NodePool], release: RayRelease, *, where: str
) -> list[Placement]:
    """Every place that can hold the model, pool by pool. Raises UserError, with the nearest miss, when none can."""
    open_pools = [pool for pool in pools.values() if not requirements.pools or pool.name in requirements.pools]
    search = Search(requirements, release)
    tried = [placement for pool in open_pools for placement in search.on_pool(pool)]
    fitting = [placement for placement in tried if placement.enough]
    if not fitting:
        refusals = "; ".join(f"{pool.name}: {search.refusal(pool)}" for pool in open_pools)
        raise _fits_nowhere(requirements, tried, open_pools, refusals, where=where)
    return fitting


class Search:
    """Where one model can run. What is the same on several pools is tried once."""

    def __init__(self, requirements: ModelRequirements, release: RayRelease) -> None:
        self.requirements, self.release = requirements, release
        # By GPU type: why vLLM does not run the model on it.
        self._refusals: dict[str, str] = {}
        # By GPU type, split and share: memory, sequences, and whether that is enough.
        self._fits: dict[tuple[str, Split, float], tuple[MemoryFit, int, bool]] = {}
        # By GPU type, GPUs of a node, memory beside them, whether models share one: what was tried on one node of the
        # first such pool.
        self._on_nodes: dict[tuple[str, int, float, bool], list[Placement]] = {}

    def on_pool(self, node_pool: NodePool) -> list[Placement]:
        """What was tried on one pool; what is not enough on one node is told of the first pool with such nodes."""
        if self.refusal(node_pool):
            return []
        if node_pool.gpu is None:
            return [_on_cpu(self.requirements, node_pool)]
        memory = node_pool.memory_gib_per_node if self.requirements.host.asked_gib else 0.0
        alike = (node_pool.gpu.name, node_pool.pool.gpusPerNode, memory, node_pool.pool.share)
        if alike in self._on_nodes:
            on_node = self._on_nodes[alike]
            tried = [placement._replace(node_pool=node_pool) for placement in on_node if placement.enough]
        else:
            parts = on_one_node(self.requirements, node_pool)
            tried = on_node = self._on_nodes[alike] = self._climb(node_pool, parts)
        if on_node and on_node[-1].enough and not self.requirements.has_latency_target:
            return tried
        stages = over_stages(self.requirements, node_pool, self.release)
        return tried + self._climb(node_pool, stages, below=on_node[-1:])

    def refusal(self, node_pool: NodePool) -> str:
        """Why the pool cannot run the model whatever its memory; nothing where it can."""
        gpu, requirements = node_pool.gpu, self.requirements
        if disk := node_pool.disk.refusal(requirements.downloads):
            return disk
        if gpu is not None:
            if gpu.name not in self._refusals:
                self._refusals[gpu.name] = device_refusal(
                    requirements.sized, gpu, requirements.engine, dtype=requirements.engine.dtype
                )
            if self._refusals[gpu.name]:
                return self._refusals[gpu.name]
        whole_node = requirements.host.refusal(node_pool, node_pool.slots_per_node)
        return whole_node or pool_refusal(requirements, node_pool, self.release)

    def at(self, node_pool: NodePool, split: Split, share: float) -> Placement:
        """The model on a pool with this split, or this share of a GPU."""
        if node_pool.gpu is None:
            return _on_cpu(self.requirements, node_pool)
        key = (node_pool.gpu.name, split, share)
        if key not in self._fits:
            self._fits[key] = _fit_on_gpu(self.requirements, node_pool.gpu, split, share, self.release)
        memory, sequences, enough = self._fits[key]
        enough = enough and not self.requirements.host.refusal(node_pool, split.tensor * share)
        ranks = split.ranks_together(node_pool.slots_per_node)
        piece = round(split.tensor * ranks * share * node_pool.units)
        return Placement(node_pool, split, memory, share, sequences, enough, None, piece)

    def _climb(
        self,
        node_pool: NodePool,
        parts: Iterable[tuple[Split, float]],
        *,
        below: Sequence[Placement] = (),
    ) -> list[Placement]:
        """Try one part after the other, from the smallest on: the last one is enough, or none. `below` came before.

        Of a GPU that is shared, every larger share fits too: where shares of one size fill a GPU, the order in which
        the models come does not matter. Where a latency is asked for, wider splits than memory needs may be what keeps
        it.
        """
        tried: list[Placement] = []
        narrower = next((last.narrower if last.enough else last.memory for last in below), None)
        for split, share in parts:
            placement = self.at(node_pool, split, share)._replace(narrower=narrower)
            tried.append(placement)
            if not placement.enough:
                narrower = placement.memory
            elif share == 1 and not (self.requirements.has_latency_target and split.pipeline == 1):
                break
        return tried


def _fit_on_gpu(
    requirements: ModelRequirements, gpu: Gpu, split: Split, share: float, release: RayRelease
) -> tuple[MemoryFit, int, bool]:
    utilization = (
        release.gpu_memory_utilization if requirements.engine.utilization is None else requirements.engine.utilization
    )
    engine = requirements.engine._replace(
        context=requirements.context,
        sequences=requirements.sequences,
        batched_tokens=requirements.engine.batched_tokens or batched_tokens(requirements, gpu),
        utilization=share_utilization(share, of=utilization, gpu_gib=gpu.memory_gib),
    )
    memory = fit(requirements.sized, device=gpu, split=split, engine=engine)
    sequences = _sequences(requirements, memory)
    # Fewer sequences than users need are taken of a whole GPU only, or where people say the share.
    of_choice = share < 1 and requirements.gpu_share is None
    return memory, sequences, memory.fits and not (of_choice and sequences < requirements.sequences)


def _sequences(requirements: ModelRequirements, memory: MemoryFit) -> int:
    return max(1, min(requirements.sequences, memory.most_sequences))


def batched_tokens(requirements: ModelRequirements, gpu: Gpu | None) -> int:
    """Tokens of one engine step: vLLM's own 8192 for an API server on a big GPU, half of it where memory is short.

    Not vLLM's 2048 there: a Falcon-H1 cache block holds up to 2080 tokens, and in one step a whole block must fit.
    Every sequence must have a token in it, and a prompt that may not be cut must fit whole
    (`vllm/config/scheduler.py`).
    """
    usual = 2048 if gpu is None else 8192 if gpu.memory_gib >= 70 else 4096
    return max(
        # Experts of each rank have the tokens of all ranks.
        max(2048, usual // requirements.data_parallel),
        requirements.sequences,
        requirements.context if requirements.engine.takes_whole_prompts(requirements.sized) else 0,
    )


def _on_cpu(requirements: ModelRequirements, node_pool: NodePool) -> Placement:
    device = Device(name=node_pool.label, memory_gib=node_pool.memory_gib_per_node / node_pool.slots_per_node)
    split = Split(data=requirements.data_parallel)
    engine = requirements.engine._replace(context=requirements.context, sequences=requirements.sequences)
    tokens = batched_tokens(requirements, None)
    memory = cpu_fit(requirements.sized, device=device, split=split, engine=engine, usual_tokens=tokens)
    sequences = _sequences(requirements, memory)
    piece = split.ranks_together(node_pool.slots_per_node) * node_pool.units
    return Placement(node_pool, split, memory, 1.0, sequences, memory.fits, None, piece)


def _fits_nowhere(
    requirements: ModelRequirements, tried: list[Placement], pools: list[NodePool], refusals: str, *, where: str
) -> UserError:
    full = {pool.name: disk for pool in pools if (disk := pool.disk.refusal(requirements.downloads))}
    if not tried:
        what = f"model '{requirements.name}' can run on no pool as it is asked for: {refusals}"
        fix = "Take the setting out and let the plan decide, or add a pool that has it."
        if any(requirements.host.refusal(pool, pool.slots_per_node) for pool in pools):
            fix = "Say less of it, name a pool that has it, or say what Ray may use of a node (`memoryPerNode`)."
        if full:
            fix = f"Give nodes a larger disk (`diskPerNode`), or {KEEP_ELSEWHERE}."
        return UserError(what, where=where, fix=fix)
    names = ", ".join(
        f"{pool.name} ({full.get(pool.name) or f'{pool.pool.nodes} x {pool.slots_per_node} {pool.label}'})"
        for pool in pools
    )
    nearest = min(tried, key=lambda placement: (bool(placement.memory.refusal), placement.memory.missing_gib))
    memory, split = nearest.memory, nearest.split
    if memory.refusal:
        return UserError(
            f"vLLM would not start model '{requirements.name}' on any pool: {memory.refusal} "
            f"({nearest.node_pool.name})",
            where=where,
            fix="Change what it says in `needs`, or in the environment's `llmConfig.engine_kwargs`.",
        )
    beside = requirements.host.refusal(nearest.node_pool, split.tensor * nearest.gpu_share)
    if memory.fits and beside:
        return UserError(
            f"model '{requirements.model_id}' fits on no pool: {nearest.node_pool.name}: {beside}",
            where=where,
            fix="Say less, or what Ray may use of a node (`memoryPerNode` of the pool).",
        )
    fixes = ["add a pool with larger GPUs or more of them"]
    if memory.longest_context >= 16:
        fixes.insert(0, f"ask for a context of at most {memory.longest_context:,} tokens")
    return UserError(
        f"model '{requirements.name}' fits on no pool: {names}. Nearest is {nearest.node_pool.name} at "
        f"{split.gpus} x {nearest.node_pool.label} (tensor {split.tensor}, pipeline {split.pipeline}): "
        f"weights {memory.weights_gib:.1f} + other {memory.other_gib:.1f} of {memory.usable_gib:.1f} GiB usable leave "
        f"{max(memory.kv_gib, 0):.1f} GiB for the cache, {memory.missing_gib:.1f} GiB too little for one request of "
        f"{requirements.context:,} tokens",
        where=where,
        fix=f"Either {' or '.join(fixes)}.",
    )
