"""Where a model can run: for every pool the smallest split that holds it, best first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil, floor

from .catalog import CatalogModel
from .environment import Expectation
from .errors import UserError
from .facts import RayRelease, cpu_engine_gib
from .gpu_share import share_utilization
from .gpus import Gpu
from .hardware import SHARES, Hardware
from .sizing import GIB
from .sizing.fit import (
    Device,
    Engine,
    EngineShape,
    MemoryFit,
    cache_options,
    draft_caches,
    fit,
    loaded_weights,
    shape_of,
)
from .sizing.model import Model
from .sizing.split import Split


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What one model asks of the hardware, overrides included. None: the plan decides."""

    model_id: str
    model: CatalogModel
    sized: Model
    """The same, with its weights in `dtype`."""
    engine: Engine
    """The arguments that the environment gives, `dtype` resolved; the plan adds what it decides."""
    context: int
    sequences: int
    pool: str | None = None
    share: float | None = None
    """Of one GPU, where models share it."""
    expect: Expectation | None = None
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    whole_prompts: bool = False
    """Prompts are not cut into chunks (enable_chunked_prefill: false)."""

    @property
    def is_urgent(self) -> bool:
        return bool(self.expect and (self.expect.firstTokenSeconds or self.expect.secondsPerToken))


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to run the model: a pool, a split, the engine's arguments and the memory they leave."""

    hardware: Hardware
    split: Split
    memory: MemoryFit
    share: float = 1.0
    """Of its GPU, where several models share it; with less than 1 it is the only GPU."""
    sequences: int
    """max_num_seqs: what users need, or fewer where the cache cannot hold a block for each."""
    enough: bool
    """Whether the cache holds a request of full context, and of a shared GPU the sequences that users need."""
    narrower: MemoryFit | None = None
    """The next smaller split or share on this pool, which is not enough; None where there is none."""

    @property
    def over_nodes(self) -> bool:
        """Whether its pipeline stages may lie on several nodes."""
        return self.split.pipeline > 1

    @property
    def shape(self) -> EngineShape:
        return self.memory.shape

    @property
    def cost(self) -> tuple[bool, float, int]:
        """What is compared: one node before several, then price or memory of the GPUs taken, then GPUs."""
        return (self.over_nodes, self.hardware.weight * self.split.gpus * self.share, self.split.gpus)

    @property
    def piece(self) -> int:
        """What must lie on one node, in the pool's units: the GPUs of a stage, or a share of one."""
        return round(self.split.tensor * self.share * self.hardware.units)


def candidates(wish: Wish, pools: Mapping[str, Hardware], release: RayRelease, *, where: str) -> list[Candidate]:
    """Every place that can hold the model, pool by pool. Raises UserError, with the nearest miss, when none can."""
    if wish.pool is not None and wish.pool not in pools:
        raise UserError.unknown("pool", wish.pool, pools, where=where)
    open_pools = [h for h in pools.values() if wish.pool in (None, h.name)]
    known: Fits = {}
    tried = [candidate for h in open_pools for candidate in _on_pool(wish, h, release, known)]
    fitting = [c for c in tried if c.enough]
    if not fitting:
        raise _fits_nowhere(wish, tried, open_pools, release, where=where)
    return fitting


# What is the same on every pool of a GPU type, by type, split and share: memory, sequences, and whether that does.
Fits = dict[tuple[str, Split, float], tuple[MemoryFit, int, bool]]


def _on_pool(wish: Wish, hardware: Hardware, release: RayRelease, known: Fits) -> Iterator[Candidate]:
    """What was tried on one pool, from the smallest split on; the last one fits, or none does.

    Of a GPU that is shared, every larger share fits too: where shares of one size fill a GPU, the order in which the
    models come does not matter. Where a latency is asked for, wider splits than memory needs may be what keeps it.
    """
    if _obstacle(wish, hardware, release):
        return
    if hardware.gpu is None:
        yield _on_cpu(wish, hardware, release)
        return
    narrower = None
    for split, share in _parts(wish, hardware, release):
        key = (hardware.gpu.name, split, share)
        first = key not in known
        if first:
            known[key] = _fit_on_gpu(wish, hardware.gpu, split, share, release)
        memory, sequences, does = known[key]
        if does or first:  # what does not is told of one pool, and looks the same on the others
            yield Candidate(
                hardware=hardware,
                split=split,
                memory=memory,
                share=share,
                sequences=sequences,
                enough=does,
                narrower=narrower,
            )
        if not does:
            narrower = memory
        elif share == 1 and not (wish.is_urgent and split.pipeline == 1):
            return


def _fit_on_gpu(wish: Wish, gpu: Gpu, split: Split, share: float, release: RayRelease) -> tuple[MemoryFit, int, bool]:
    utilization = release.gpu_memory_utilization if wish.engine.utilization is None else wish.engine.utilization
    engine = replace(
        wish.engine,
        context=wish.context,
        sequences=wish.sequences,
        batched_tokens=wish.engine.batched_tokens or _batched_tokens(wish, gpu),
        utilization=share_utilization(share, of=utilization, gpu_gib=gpu.memory_gib),
    )
    memory = fit(wish.sized, device=Device.of(gpu), split=split, engine=engine)
    sequences = _sequences(wish, memory)
    # Fewer sequences than users need are taken of a whole GPU only, or where people say the share.
    of_choice = share < 1 and wish.share is None
    return memory, sequences, memory.fits and not (of_choice and sequences < wish.sequences)


def _sequences(wish: Wish, memory: MemoryFit) -> int:
    return max(1, min(wish.sequences, memory.most_sequences))


def _parts(wish: Wish, hardware: Hardware, release: RayRelease) -> Iterator[tuple[Split, float]]:
    """Splits and shares in the order of their cost."""
    if hardware.pool.share:
        for share in reversed(SHARES):
            if wish.share in (None, share):
                yield Split(), share
        return
    for split in _splits(wish, hardware, release):
        yield split, 1.0


def _obstacle(wish: Wish, hardware: Hardware, release: RayRelease) -> str:
    """Why the pool cannot run the model as asked, whatever its memory; nothing where it can."""
    if hardware.gpu is None:
        split = max(wish.tensor_parallel or 1, wish.pipeline_parallel or 1)
        return "a replica on CPUs is one worker" if split > 1 else ""
    if wish.share is not None and wish.share < 1 and not hardware.pool.share:
        return "its models do not share GPUs (share: true of the pool would let them)"
    if hardware.pool.share:
        if (wish.tensor_parallel or 1) * (wish.pipeline_parallel or 1) > 1:
            return "its GPUs are shared, and a model of several GPUs shares none"
        if wish.engine.utilization:
            return "its GPUs are shared, so that gpu_memory_utilization is the plan's to decide"
        if release.placement_field != "placement_group_config":
            return f"Ray {release.ray} shares no GPU between models"
    if hardware.gpu.mig and (wish.tensor_parallel or 1) * (wish.pipeline_parallel or 1) > 1:
        return "slices of a GPU do not work together"
    if wish.engine.dtype == "bfloat16" and hardware.gpu.compute_capability < 8:
        return f"{hardware.gpu.name} has no bfloat16 (needs.dtype: float16 would run)"
    if wish.tensor_parallel and wish.tensor_parallel > hardware.pool.gpusPerNode:
        return f"a node has {hardware.pool.gpusPerNode} GPUs"
    if wish.tensor_parallel and wish.tensor_parallel not in wish.sized.tensor_splits(wish.tensor_parallel):
        known = ", ".join(map(str, wish.sized.tensor_splits(hardware.pool.gpusPerNode)))
        return f"the model's heads do not divide by {wish.tensor_parallel}; on a node they do by {known}"
    if wish.pipeline_parallel and wish.pipeline_parallel > _most_stages(wish, hardware, release):
        return f"it can have {_most_stages(wish, hardware, release)} pipeline stages (nodes, layers, Ray {release.ray})"
    return ""


def _most_stages(wish: Wish, hardware: Hardware, release: RayRelease) -> int:
    # Ray 2.49.1 has no place for the pool's name in the bundles, so a stage could land on another pool.
    if release.placement_field != "placement_group_config":
        return 1
    if hardware.alone:
        return 1
    stages_per_node = hardware.pool.gpusPerNode // _tensors(wish, hardware)[-1] if _tensors(wish, hardware) else 1
    return min(hardware.pool.nodes * stages_per_node, wish.model.architecture.num_hidden_layers)


def _splits(wish: Wish, hardware: Hardware, release: RayRelease) -> Iterator[Split]:
    """Splits in the order of their cost.

    Tensor parallelism within a node; then pipeline stages, each as wide as a node and the model's heads allow and with
    at least one layer: over nodes, or beside each other where the heads leave GPUs of a node over.
    """
    tensors = _tensors(wish, hardware)
    if wish.pipeline_parallel in (None, 1):
        yield from (Split(tensor=tensor) for tensor in tensors)
    for pipeline in range(2, _most_stages(wish, hardware, release) + 1):
        if wish.pipeline_parallel in (None, pipeline):
            yield from (Split(tensor=tensor, pipeline=pipeline) for tensor in tensors[-1:])


def _tensors(wish: Wish, hardware: Hardware) -> list[int]:
    """Tensor parallel sizes on one node, smallest first."""
    most = 1 if hardware.alone else hardware.pool.gpusPerNode
    return [n for n in wish.sized.tensor_splits(most) if wish.tensor_parallel in (None, n)]


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
    split, device = Split(), Device(name=hardware.label, memory_gib=0.0)
    engine = replace(wish.engine, context=wish.context, sequences=wish.sequences, utilization=1.0, eager=True)
    engine = replace(engine, batched_tokens=engine.batched_tokens or _batched_tokens(wish, None))
    shape = shape_of(wish.sized.config, device, engine)
    layout = wish.sized.layout(
        cache_options(split, engine, shape, platform="cpu"), drafts=draft_caches(wish.sized, engine)
    )
    if wish.engine.batched_tokens is None:  # a block must fit in a step
        shape = replace(shape, batched_tokens=max(shape.batched_tokens, layout.block_tokens))
    total = hardware.memory_gib_per_node / hardware.slots_per_node
    weights = loaded_weights(wish.sized, device, split, engine, shape).bytes / GIB
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
        shape=shape,
        ranges={},
    )
    sequences = _sequences(wish, memory)
    return Candidate(hardware=hardware, split=Split(), memory=memory, sequences=sequences, enough=memory.fits)


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
