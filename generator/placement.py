"""Where a model can run: for every pool the smallest split that holds it, best first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, floor

from .catalog import CatalogModel
from .contract import GIB, quantity_gib
from .environment import Pool
from .errors import UserError, UserErrors
from .facts import RayRelease, cpu_engine_gib
from .gpus import Gpu, gpu
from .memory import EngineShape, MemoryFit, Split, cpu_layout, fit, rank_weights_gib, tensor_splits


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
    state_dtype: str | None = None
    whole_prompts: bool = False
    """Prompts are not cut into chunks (enable_chunked_prefill: false)."""


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


# Settings of a worker group that follow from the pool and the plan.
PLANNED_OF_A_GROUP = ("gpusPerWorker", "maxReplicas", "rayResources", "resources")


def hardware(pools: Mapping[str, Pool], *, where: str) -> dict[str, Hardware]:
    """Look up every pool's GPU type. Raises UserErrors for every pool whose nodes cannot hold a replica at all."""
    found = {
        name: Hardware(
            name=name, pool=pool, gpu=gpu(pool.gpu, where=f"{where}: pools.{name}.gpu") if pool.gpu else None
        )
        for name, pool in pools.items()
    }
    errors = [fault for one in found.values() for fault in _pool_faults(one, where=f"{where}: pools.{one.name}")]
    if errors:
        raise UserErrors(errors)
    return found


def _pool_faults(hardware: Hardware, *, where: str) -> Iterator[UserError]:
    cpus = hardware.cpus_per_node / hardware.slots_per_node
    memory = hardware.memory_gib_per_node / hardware.slots_per_node
    if cpus < 1:
        fix = f"Give `cpusPerNode` {hardware.slots_per_node} or more."
        yield UserError(f"a replica would have {cpus:g} CPUs and needs one", where=where, fix=fix)
    if memory < 1:
        fix = f"Give `memoryPerNode` {hardware.slots_per_node}Gi or more."
        yield UserError(f"a replica would have {memory:.2g} GiB of memory, not enough to start", where=where, fix=fix)
    for key in PLANNED_OF_A_GROUP:
        given = hardware.pool.workerGroup.get(key)
        # What a pod asks of its node may be less than what Ray may use of it, where nodes are shared and idle.
        if given is not None and not (key == "resources" and isinstance(given, dict) and given.keys() == {"requests"}):
            fix = "Say it with gpusPerNode, nodes, cpusPerNode and memoryPerNode of the pool"
            fix += "; resources.requests alone may be less." if key == "resources" else "."
            yield UserError(f"workerGroup.{key} is the plan's to decide", where=where, fix=fix)


def candidates(wish: Wish, pools: Mapping[str, Hardware], release: RayRelease, *, where: str) -> list[Candidate]:
    """Every pool that can hold the model, best first. Raises UserError, with the nearest miss, when none can."""
    if wish.pool is not None and wish.pool not in pools:
        raise UserError.unknown("pool", wish.pool, pools, where=where)
    open_pools = [h for h in pools.values() if wish.pool in (None, h.name)]
    tried = [candidate for h in open_pools for candidate in _on_pool(wish, h, release)]
    fitting = [c for c in tried if c.memory.fits]
    if not fitting:
        raise _fits_nowhere(wish, tried, open_pools, release, where=where)
    return sorted(fitting, key=lambda c: c.cost)  # stable: pools of equal cost stay in the file's order


def _on_pool(wish: Wish, hardware: Hardware, release: RayRelease) -> Iterator[Candidate]:
    """What was tried on one pool, from the smallest split on; the last one fits, or none does."""
    if _obstacle(wish, hardware, release):
        return
    if hardware.gpu is None:
        yield _on_cpu(wish, hardware, release)
        return
    for split in _splits(wish, hardware, release):
        shape = EngineShape(
            dtype=wish.dtype,
            context=wish.context,
            sequences=wish.sequences,
            batched_tokens=wish.batched_tokens or _batched_tokens(wish, hardware.gpu),
            utilization=wish.utilization or release.gpu_memory_utilization,
            eager=wish.eager,
            state_dtype=wish.state_dtype,
        )
        memory = fit(wish.model, gpu=hardware.gpu, split=split, shape=shape, vllm=release.vllm)
        yield Candidate(hardware=hardware, split=split, shape=shape, memory=memory)
        if memory.fits:
            return


def _obstacle(wish: Wish, hardware: Hardware, release: RayRelease) -> str:
    """Why the pool cannot run the model as asked, whatever its memory; nothing where it can."""
    if hardware.gpu is None:
        split = max(wish.tensor_parallel or 1, wish.pipeline_parallel or 1)
        return "a replica on CPUs is one worker" if split > 1 else ""
    if wish.dtype == "bfloat16" and hardware.gpu.compute_capability < 8:
        return f"{hardware.gpu.name} has no bfloat16 (needs.dtype: float16 would run)"
    if wish.tensor_parallel and wish.tensor_parallel > hardware.pool.gpusPerNode:
        return f"a node has {hardware.pool.gpusPerNode} GPUs"
    if wish.tensor_parallel and wish.tensor_parallel not in tensor_splits(wish.model, wish.tensor_parallel):
        known = ", ".join(map(str, tensor_splits(wish.model, hardware.pool.gpusPerNode)))
        return f"the model's heads do not divide by {wish.tensor_parallel}; on a node they do by {known}"
    if wish.pipeline_parallel and wish.pipeline_parallel > _most_stages(wish, hardware, release):
        return f"it can have {_most_stages(wish, hardware, release)} pipeline stages (nodes, layers, Ray {release.ray})"
    return ""


def _most_stages(wish: Wish, hardware: Hardware, release: RayRelease) -> int:
    # Ray 2.49.1 has no place for the pool's name in the bundles, so a stage could land on another pool.
    if release.placement_field != "placement_group_config":
        return 1
    return min(hardware.pool.nodes, wish.model.architecture.num_hidden_layers)


def _splits(wish: Wish, hardware: Hardware, release: RayRelease) -> Iterator[Split]:
    """Splits in the order of their cost.

    Tensor parallelism within a node; then pipeline stages over nodes, each as wide as a node allows and with at least
    one layer.
    """
    tensors = tensor_splits(wish.model, hardware.pool.gpusPerNode)
    if wish.tensor_parallel is not None:
        tensors = [n for n in tensors if n == wish.tensor_parallel]
    for pipeline in range(1, _most_stages(wish, hardware, release) + 1):
        if wish.pipeline_parallel in (None, pipeline):
            for tensor in tensors if pipeline == 1 else tensors[-1:]:
                yield Split(tensor=tensor, pipeline=pipeline)


def _batched_tokens(wish: Wish, gpu: Gpu | None) -> int:
    """Tokens of one engine step: vLLM's own 8192 for an API server on a big GPU, half of it where memory is short.

    Not vLLM's 2048 there: a Falcon-H1 cache block holds up to 2080 tokens, and in one step a whole block must fit.
    Every sequence must have a token in it, and a prompt that may not be cut must fit whole
    (`vllm/config/scheduler.py`).
    """
    usual = 2048 if gpu is None else 8192 if gpu.memory_gib >= 70 else 4096
    return max(usual, wish.sequences, wish.context if wish.whole_prompts else 0)


def _on_cpu(wish: Wish, hardware: Hardware, release: RayRelease) -> Candidate:
    """A CPU engine: of the slot's memory less weights and process, whole GiB for the cache, as many as are of use."""
    layout = cpu_layout(wish.model, dtype=wish.dtype, state_dtype=wish.state_dtype, vllm=release.vllm)
    shape = EngineShape(
        dtype=wish.dtype,
        context=wish.context,
        sequences=wish.sequences,
        batched_tokens=wish.batched_tokens or max(_batched_tokens(wish, None), layout.block_tokens),
        utilization=1.0,
        eager=True,
        state_dtype=wish.state_dtype,
    )
    split = Split()
    total = hardware.memory_gib_per_node / hardware.slots_per_node
    weights = rank_weights_gib(wish.model, dtype=wish.dtype, split=split)
    left = total - weights - cpu_engine_gib()
    useful = ceil((wish.sequences * layout.blocks_of_request(wish.context) + 1) * layout.block_bytes / GIB)
    cache = max(0, min(useful, floor(left)))
    memory = MemoryFit(
        total_gib=total,
        usable_gib=total,
        weights_gib=weights,
        activation_gib=0.0,
        non_torch_gib=cpu_engine_gib(),
        cuda_graph_gib=0.0,
        margin_gib=left - cache,
        kv_gib=float(cache),
        layout=layout,
        context=wish.context,
        ranges={},
    )
    return Candidate(hardware=hardware, split=split, shape=shape, memory=memory)


def _fits_nowhere(
    wish: Wish, tried: list[Candidate], pools: list[Hardware], release: RayRelease, *, where: str
) -> UserError:
    names = ", ".join(f"{h.name} ({h.pool.nodes} x {h.slots_per_node} {h.label})" for h in pools)
    if not tried:
        reasons = "; ".join(f"{h.name}: {_obstacle(wish, h, release)}" for h in pools)
        return UserError(
            f"model '{wish.model_id}' can run on no pool as it is asked for: {reasons}",
            where=where,
            fix="Take the setting out and let the plan decide, or add a pool that has it.",
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
