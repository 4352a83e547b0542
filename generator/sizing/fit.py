"""Does a model fit on a GPU: the memory of one GPU under one model, each term with its range.

Takes a configuration, a GPU, a split and the engine's arguments. The command `fit` and the plan both ask here.
Budget and order of terms: `vllm/v1/worker/gpu_worker.py::determine_available_memory`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import ceil, floor

from generator.facts.files import read_data, version
from generator.facts.gpus import Device, cpu_engine_gib
from generator.facts.vllm_cache import Platform
from generator.facts.vllm_memory import MemoryBehaviour, Range, memory_behaviour
from generator.sizing.cache.layout import CacheLayout
from generator.sizing.cache.pages import CacheOptions
from generator.sizing.cache.specs import CacheLayers, LayerSpecs
from generator.sizing.config.architectures import missing_in
from generator.sizing.engine.engine import Engine, EngineShape, shape_of
from generator.sizing.engine.refusals import refusal
from generator.sizing.model import Model
from generator.sizing.overhead import Step, graph_gib
from generator.sizing.weights.divisions import Split
from generator.sizing.weights.feed_forward import least_expert_rows
from generator.sizing.weights.rank import DTYPE_BYTES, WeightOptions, Weights
from generator.units import GIB


@dataclass(frozen=True, kw_only=True)
class MemoryFit:
    """One GPU's memory (GiB). `kv_gib` is what is surely left for the cache; below zero nothing is left.

    What vLLM will most likely report is `expected_kv_gib`, which is larger by the margin.
    """

    total_gib: float
    usable_gib: float
    weights_gib: float
    activation_gib: float
    non_torch_gib: float
    cuda_graph_gib: float
    margin_gib: float
    """Kept free before a model is said to fit."""
    kv_gib: float
    layout: CacheLayout
    shape: EngineShape
    ranges: Mapping[str, Range]
    """By term: weights, activation, non_torch, cuda_graph, kv_cache (GiB)."""
    parameters: int = 0
    experts_gib: float = 0.0
    """Of the weights, those of routed experts."""
    refusal: str = ""
    """Why vLLM does not start whatever the memory; empty where it does."""
    weights_notes: tuple[str, ...] = ()
    model_notes: tuple[str, ...] = ()
    """Of the configuration and the engine's arguments."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything that people should know of these figures."""
        cache = () if self.layout.exact else (f"cache: {self.layout.why}",)
        return (*self.weights_notes, *cache, *self.model_notes)

    @property
    def context(self) -> int:
        """Tokens of a request, at the most."""
        return self.shape.context

    @property
    def other_gib(self) -> float:
        return self.activation_gib + self.non_torch_gib + self.cuda_graph_gib + self.margin_gib

    @property
    def expected_kv_gib(self) -> float:
        """What vLLM will most likely report as available for the cache."""
        return self.kv_gib + self.margin_gib

    @property
    def kv_bytes(self) -> float:
        return max(0.0, self.kv_gib) * GIB

    @property
    def concurrency(self) -> float:
        """Requests of full context at once."""
        return self.layout.concurrency(self.kv_bytes, self.context)

    @property
    def kv_tokens(self) -> int:
        """Tokens that the cache holds, as vLLM prints them."""
        return self.layout.tokens(self.kv_bytes, self.context)

    @cached_property
    def longest_context(self) -> int:
        """The most tokens that one request can have."""
        return self.layout.longest_context(self.kv_bytes)

    @property
    def fits(self) -> bool:
        """vLLM's own condition at start: one request of full context."""
        return self.fits_in(self.kv_gib)

    def fits_in(self, kv_gib: float, layout: CacheLayout | None = None) -> bool:
        """Whether vLLM would start with that much for the cache; `layout`: were it the model's."""
        return not self.refusal and kv_gib > 0 and (layout or self.layout).holds(kv_gib * GIB, self.context)

    @property
    def surely_fits(self) -> bool:
        """Whether it does at the unfavourable ends of all ranges."""
        return self.fits and all(self.fits_in(self.ranges["kv_cache"].low, layout) for layout in self.layouts)

    @property
    def may_fit(self) -> bool:
        """Whether it does at the favourable ends."""
        return self.fits or any(self.fits_in(self.ranges["kv_cache"].high, layout) for layout in self.layouts)

    @property
    def layouts(self) -> list[CacheLayout]:
        """The model's cache; of one that is not known also the least and the most."""
        return [self.layout, *(bound for bound in (self.layout.least, self.layout.most) if bound is not None)]

    @property
    def missing_gib(self) -> float:
        """How much more memory this GPU would need; 0 when the model fits."""
        return max(0.0, self.layout.needed_bytes(self.context) / GIB - self.kv_gib)

    @property
    def most_sequences(self) -> int:
        """Sequences that can run at once at their shortest: a block of tokens and the state each."""
        return self.layout.most_sequences(self.kv_bytes)


def fit(model: Model, *, device: Device, split: Split, engine: Engine) -> MemoryFit:
    """Predict one GPU's memory.

    Raises UserError where the configuration lacks a size that every model has, or an argument is not known.
    """
    shape = shape_of(model, device, engine)
    # The length of requests changes what one needs of the cache and nothing else, once the tokens of a step are known.
    settled = engine._replace(context=None, sequences=shape.sequences, batched_tokens=shape.batched_tokens)
    memory = _memory(model, device, split, settled)
    refused = refusal(model, device, split, engine, shape) or memory.layout.refusal
    return replace(memory, shape=shape, refusal=refused or _cache_size_refusal(memory))


def _cache_size_refusal(memory: MemoryFit) -> str:
    """A cache that is asked for by its size is made, or not (`vllm/v1/worker/gpu_worker.py`)."""
    over = memory.usable_gib - memory.total_gib
    if over <= 0:
        return ""
    return f"a cache of {memory.kv_gib:.2f} GiB is asked for, {over:.2f} GiB more than weights and overhead leave"


def cpu_fit(model: Model, *, device: Device, split: Split, engine: Engine, usual_tokens: int) -> MemoryFit:
    """Predict the memory of a CPU engine, or of one of its ranks, that is given `device.memory_gib`, on one node.

    The cache is whole GiB of what weights and process leave, as many as requests of full context can use; a GiB, which
    is not taken, where they keep nothing. `engine` says context and sequences; where it says no tokens of a step they
    are `usual_tokens`, or a block, which must fit in one.
    """
    settled = engine._replace(batched_tokens=engine.batched_tokens or usual_tokens, utilization=1.0, eager=True)
    shape = shape_of(model, device, settled)
    layout = model.layout(cache_options(split, settled, shape, platform="cpu"), drafts=draft_caches(model, settled))
    if engine.batched_tokens is None:
        shape = replace(shape, batched_tokens=max(shape.batched_tokens, layout.block_tokens))
    weights = loaded_weights(model, device, split, settled, shape).bytes / GIB
    left = device.memory_gib - weights - cpu_engine_gib()
    useful = ceil((shape.sequences * layout.blocks_of_request(shape.context) + 1) * layout.block_bytes / GIB)
    cache = max(0, min(max(useful, 1), floor(left)))
    return MemoryFit(
        total_gib=device.memory_gib,
        usable_gib=device.memory_gib,
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


@lru_cache(maxsize=8192)
def _memory(model: Model, device: Device, split: Split, engine: Engine) -> MemoryFit:
    """The same for every context: a fleet has many models that differ in that alone."""
    shape, behaviour = shape_of(model, device, engine), memory_behaviour(engine.vllm)
    weights = loaded_weights(model, device, split, engine, shape)
    step = Step(
        tokens=shape.batched_tokens,
        sequences=shape.sequences,
        width=DTYPE_BYTES.get(shape.dtype, 2),
        tensor_parallel=split.tensor,
        data_parallel=split.data,
        expert_parallel=engine.expert_parallel,
        compute_capability=device.compute_capability,
        text_only=engine.text_only,
    )
    usable = device.memory_gib * shape.utilization
    ranges = {
        "weights": Range(estimate=weights.bytes / GIB, low=weights.low / GIB, high=weights.high / GIB),
        "activation": model.activation(step, quantization=engine.quantization, vllm=engine.vllm),
        "non_torch": behaviour.non_torch_gib(split.gpus, nvlink=device.nvlink),
        "cuda_graph": _graphs(model.caches, split, shape, behaviour),
    }
    taken = ranges["weights"] + ranges["activation"] + ranges["non_torch"] + ranges["cuda_graph"]
    ranges["kv_cache"] = Range(estimate=usable - taken.estimate, low=usable - taken.high, high=usable - taken.low)
    margin = read_data("memory.yaml")["marginGiB"]
    layout = model.layout(cache_options(split, engine, shape), drafts=draft_caches(model, engine))
    requested = engine.cache_bytes if engine.cache_blocks is None else engine.cache_blocks * layout.block_bytes
    if requested:  # made as it is asked for, whatever share of the GPU is said
        ranges["kv_cache"], margin = Range.exactly(requested / GIB), 0.0
        usable = taken.estimate + requested / GIB
    return MemoryFit(
        total_gib=device.memory_gib,
        usable_gib=usable,
        weights_gib=ranges["weights"].estimate,
        activation_gib=ranges["activation"].estimate,
        non_torch_gib=ranges["non_torch"].estimate,
        cuda_graph_gib=ranges["cuda_graph"].estimate,
        margin_gib=margin,
        kv_gib=ranges["kv_cache"].estimate - margin,
        layout=layout,
        shape=shape,
        ranges=ranges,
        parameters=weights.parameters,
        experts_gib=weights.experts / GIB,
        weights_notes=weights.notes,
        model_notes=tuple(_model_notes(model, engine)),
    )


def _model_notes(model: Model, engine: Engine) -> Iterator[str]:
    """What people should know of figures that rest on no measurement, and of models that vLLM has not."""
    if missing := missing_in(engine.vllm, model.config):
        yield missing
    yield from model.config.warnings
    yield from model.config.approximations
    if engine.uncounted:
        yield f"{', '.join(engine.uncounted)}: memory depends on it, and it is not counted here"
    if engine.block_tokens and engine.block_tokens % 16:
        yield f"blocks of {engine.block_tokens} tokens: FlashAttention's and Triton's kernels take multiples of 16"
    newest = read_data("memory.yaml")["read"]
    if version(engine.vllm) > version(newest):
        yield f"vLLM {engine.vllm} is newer than {newest}, the last whose sources were read, and taken to be like it"


def loaded_weights(model: Model, device: Device, split: Split, engine: Engine, shape: EngineShape) -> Weights:
    """The weights on the fullest GPU. A draft model is divided as the model is, with an embedding of its own."""
    options = _weight_options(model, device, split, engine, shape)
    weights = model.weights(options)
    if engine.draft is not None:
        draft_options = replace(options, quantization=None, lora=None, text_only=True)
        draft_options = replace(draft_options, least_expert_rows=least_expert_rows(engine.draft.config, engine.vllm))
        weights = _with_draft(weights, engine.draft.weights(draft_options))
    return weights.on_amd(quantized=model.scheme(engine.quantization) is not None) if device.amd else weights


def _with_draft(weights: Weights, draft: Weights) -> Weights:
    return replace(
        weights,
        bytes=weights.bytes + draft.bytes,
        low=weights.low + draft.low,
        high=weights.high + draft.high,
        notes=(*weights.notes, *(f"draft: {note}" for note in draft.notes)),
    )


def draft_caches(model: Model, engine: Engine) -> LayerSpecs:
    """What the layers of a draft keep beside the model's."""
    if engine.draft is not None:
        return engine.draft.caches.layers
    if not engine.draft_layers:
        return ()
    like = model.caches.draft_like
    return (() if like is None else model.caches.layers[like],) * engine.draft_layers


def _weight_options(model: Model, device: Device, split: Split, engine: Engine, shape: EngineShape) -> WeightOptions:
    scheme = model.scheme(engine.quantization)
    # Only mxfp4 is laid out by the GPU's generation: without it, weights are the same on every GPU.
    capability = device.compute_capability if scheme is not None and scheme.method == "mxfp4" else 9.0
    return WeightOptions(
        dtype=shape.dtype,
        tensor_parallel=split.tensor,
        pipeline_parallel=split.pipeline,
        data_parallel=split.data,
        expert_parallel=engine.expert_parallel,
        quantization=engine.quantization,
        compute_capability=capability,
        least_expert_rows=least_expert_rows(model.config, engine.vllm),
        text_only=engine.text_only,
        batched_tokens=shape.batched_tokens,
        draft_layers=engine.draft_layers,
        lora=engine.lora,
    )


def _graphs(caches: CacheLayers, split: Split, shape: EngineShape, behaviour: MemoryBehaviour) -> Range:
    if shape.eager or not behaviour.graphs_subtracted:
        return Range.exactly(0.0)
    layers = ceil(len(caches.layers) / split.pipeline)
    return graph_gib(layers, gpus=split.gpus, sequences=shape.sequences)


def cache_options(split: Split, engine: Engine, shape: EngineShape, *, platform: Platform = "gpu") -> CacheOptions:
    return CacheOptions(
        platform=platform,
        dtype=shape.dtype,
        vllm=engine.vllm,
        tensor_parallel=split.tensor,
        pipeline_parallel=split.pipeline,
        batched_tokens=shape.batched_tokens,
        kv_cache_dtype=shape.kv_cache_dtype,
        state_dtype=shape.state_dtype,
        compute_capability=shape.compute_capability,
        block_tokens=engine.block_tokens,
        prefix_caching=engine.prefix_caching,
        speculative_tokens=engine.speculative_tokens,
        windows_keep_all=engine.windows_keep_all,
    )
