"""Where a model can run: for every pool the smallest split that holds it, best first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .catalog import CatalogModel
from .contract import quantity_gib
from .environment import Pool
from .errors import UserError
from .facts import GIB, Gpu, RayRelease, gpu, memory_constants
from .kv_cache import cache_layout
from .memory import EngineShape, MemoryFit, Split, fit, rank_weights_gib, tensor_splits


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A pool with its GPU's facts."""

    name: str
    pool: Pool
    gpu: Gpu | None

    @property
    def slots_per_node(self) -> int:
        """GPUs of a node; on a CPU pool how many replicas a node takes, one for each whole CPU."""
        return self.pool.gpusPerNode if self.gpu else max(1, int(self.cpus_per_node))

    @property
    def slots(self) -> int:
        return self.slots_per_node * self.pool.nodes

    @property
    def cpus_per_node(self) -> float:
        return self.pool.cpusPerNode or 6 * self.pool.gpusPerNode

    @property
    def memory_gib_per_node(self) -> float:
        return quantity_gib(self.pool.memoryPerNode or f"{24 * self.pool.gpusPerNode}Gi")

    @property
    def label(self) -> str:
        return self.gpu.name if self.gpu else "CPU"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What one model asks of the hardware, overrides included. None: the plan decides."""

    model_id: str
    model: CatalogModel
    context: int
    sequences: int
    dtype: str
    pool: str | None = None
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    batched_tokens: int | None = None
    utilization: float | None = None
    eager: bool = False


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to run the model: a pool, a split, the engine's arguments and the memory they leave."""

    hardware: Hardware
    split: Split
    shape: EngineShape
    memory: MemoryFit

    @property
    def cost(self) -> tuple[bool, float, int]:
        """What is compared: one node before several, then GB of GPU memory taken, then GPUs."""
        size = self.hardware.gpu.label_gb if self.hardware.gpu else 0
        return (self.split.pipeline > 1, self.split.gpus * size, self.split.gpus)


def hardware(pools: Mapping[str, Pool], *, where: str) -> dict[str, Hardware]:
    """Look up every pool's GPU type."""
    return {
        name: Hardware(
            name=name, pool=pool, gpu=gpu(pool.gpu, where=f"{where}: pools.{name}.gpu") if pool.gpu else None
        )
        for name, pool in pools.items()
    }


def candidates(wish: Wish, pools: Mapping[str, Hardware], release: RayRelease, *, where: str) -> list[Candidate]:
    """Every pool that can hold the model, best first. Raises UserError, with the nearest miss, when none can."""
    if wish.pool is not None and wish.pool not in pools:
        raise UserError.unknown("pool", wish.pool, pools, where=where)
    open_pools = [h for h in pools.values() if wish.pool in (None, h.name)]
    tried = [candidate for h in open_pools for candidate in _on_pool(wish, h, release)]
    fitting = [c for c in tried if c.memory.fits]
    if not fitting:
        raise _fits_nowhere(wish, tried, open_pools, where=where)
    return sorted(fitting, key=lambda c: c.cost)  # stable: pools of equal cost stay in the file's order


def _on_pool(wish: Wish, hardware: Hardware, release: RayRelease) -> Iterator[Candidate]:
    """What was tried on one pool, from the smallest split on; the last one fits, or none does."""
    constants = memory_constants(release.vllm)
    if hardware.gpu is None:
        yield _on_cpu(wish, hardware, release)
        return
    for split in _splits(wish, hardware, release):
        shape = EngineShape(
            dtype=wish.dtype,
            context=wish.context,
            sequences=wish.sequences,
            batched_tokens=wish.batched_tokens or _batched_tokens(wish.model, hardware.gpu),
            utilization=wish.utilization or release.gpu_memory_utilization,
            eager=wish.eager,
        )
        memory = fit(wish.model, gpu_gib=hardware.gpu.memory_gib, split=split, shape=shape, constants=constants)
        yield Candidate(hardware=hardware, split=split, shape=shape, memory=memory)
        if memory.fits:
            return


def _splits(wish: Wish, hardware: Hardware, release: RayRelease) -> Iterator[Split]:
    """Splits in the order of their cost.

    Tensor parallelism within a node; then pipeline stages over nodes, each as wide as a node allows and with at least
    one layer.
    """
    tensors = tensor_splits(wish.model, hardware.pool.gpusPerNode)
    if wish.tensor_parallel is not None:
        tensors = [n for n in tensors if n == wish.tensor_parallel]
    # Ray 2.49.1 has no place for the pool's name in the bundles, so a stage could land on another pool.
    across_nodes = release.placement_field == "placement_group_config"
    most = min(hardware.pool.nodes, wish.model.architecture.num_hidden_layers) if across_nodes else 1
    stages = [n for n in range(1, most + 1) if wish.pipeline_parallel in (None, n)]
    for pipeline in stages:
        for tensor in tensors if pipeline == 1 or wish.tensor_parallel else tensors[-1:]:
            yield Split(tensor=tensor, pipeline=pipeline)


def _batched_tokens(model: CatalogModel, gpu: Gpu) -> int:
    """Tokens of one engine step: vLLM's own 8192 for an API server on a big GPU, half of it where memory is short.

    Not vLLM's 2048 there: a Falcon-H1 cache block holds up to 2080 tokens, and in one step a whole block must fit.
    """
    return 8192 if gpu.memory_gib >= 70 else 4096


def _on_cpu(wish: Wish, hardware: Hardware, release: RayRelease) -> Candidate:
    """A CPU engine: the slot's memory less weights and process is free for the cache."""
    constants = memory_constants(release.vllm)
    shape = EngineShape(
        dtype=wish.dtype,
        context=wish.context,
        sequences=wish.sequences,
        batched_tokens=wish.batched_tokens or max(2048, wish.context),
        utilization=1.0,
        eager=True,
    )
    split = Split()
    total = hardware.memory_gib_per_node / hardware.slots_per_node
    weights = rank_weights_gib(wish.model, dtype=wish.dtype, split=split)
    layout = cache_layout(
        wish.model.architecture,
        dtype=wish.dtype,
        tensor_parallel=1,
        pipeline_parallel=1,
        state_blocks=constants.mamba_blocks,
    )
    memory = MemoryFit(
        total_gib=total,
        usable_gib=total,
        weights_gib=weights,
        activation_gib=0.0,
        non_torch_gib=constants.cpu_engine_gib,
        cuda_graph_gib=0.0,
        margin_gib=0.0,
        kv_gib=total - weights - constants.cpu_engine_gib,
        layout=layout,
        context=wish.context,
    )
    return Candidate(hardware=hardware, split=split, shape=shape, memory=memory)


def cpu_cache_gib(candidate: Candidate) -> int:
    """Whole GiB for VLLM_CPU_KVCACHE_SPACE: what the sequences need at full context, within what is left."""
    layout = candidate.memory.layout
    wanted = candidate.shape.sequences * layout.blocks_of_request(candidate.shape.context) * layout.block_bytes / GIB
    return max(1, int(min(wanted + 1, candidate.memory.kv_gib)))


def _fits_nowhere(wish: Wish, tried: list[Candidate], pools: list[Hardware], *, where: str) -> UserError:
    names = ", ".join(f"{h.name} ({h.pool.nodes} x {h.slots_per_node} {h.label})" for h in pools)
    if not tried:
        heads = wish.model.architecture.num_attention_heads
        asked = f"tensor_parallel_size {wish.tensor_parallel}" if wish.tensor_parallel else "its split"
        return UserError(
            f"model '{wish.model_id}' cannot be divided as asked: {asked}, {heads} attention heads; pools: {names}",
            where=where,
            fix=f"It divides by {', '.join(map(str, tensor_splits(wish.model, 64)))}; stages go over nodes.",
        )
    nearest = min(tried, key=lambda c: c.memory.missing_gib)
    memory, split = nearest.memory, nearest.split
    fixes = ["add a pool with larger GPUs or more of them"]
    if memory.longest_context >= 16:
        fixes.insert(0, f"ask for a context of at most {memory.longest_context:,} tokens")
    return UserError(
        f"model '{wish.model_id}' fits on no pool: {names}. Nearest is {nearest.hardware.name} at "
        f"{split.gpus} x {nearest.hardware.label} (tensor {split.tensor}, pipeline {split.pipeline}): "
        f"weights {memory.weights_gib:.1f} + other {memory.other_gib:.1f} of {memory.usable_gib:.1f} GiB usable leave "
        f"{max(memory.kv_gib, 0):.1f} GiB for the cache, {memory.missing_gib:.1f} GiB too little for one request of "
        f"{wish.context:,} tokens",
        where=where,
        fix=f"Either {' or '.join(fixes)}.",
    )
