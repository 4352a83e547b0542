"""Does a model fit on a GPU: the memory of one GPU under one model, each term with its range.

Takes a configuration, a GPU, a split and the engine's arguments. The command `fit` and the plan both ask here.
Budget and order of terms: `vllm/v1/worker/gpu_worker.py::determine_available_memory`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING

from . import GIB
from .cache_behaviour import Platform, cache_behaviour
from .config import ModelConfig
from .data import read_data, version
from .kv_cache import CacheLayout
from .layers import CacheLayers, Layers
from .memory_behaviour import MemoryBehaviour, Range, memory_behaviour
from .model import Model
from .overhead import Step, graph_gib
from .pages import CacheOptions
from .quantization import Quantization
from .split import Split
from .weights import DTYPE_ALIASES, DTYPE_BYTES, LoraSlots, WeightOptions, Weights, positions_of

if TYPE_CHECKING:
    from ..gpus import Gpu


@dataclass(frozen=True, kw_only=True)
class Device:
    """What of a GPU memory depends on."""

    name: str
    memory_gib: float
    """The total as CUDA reports it."""
    compute_capability: float = 9.0
    nvlink: bool = True

    @classmethod
    def of(cls, gpu: Gpu) -> Device:
        return cls(
            name=gpu.name,
            memory_gib=gpu.memory_gib,
            compute_capability=gpu.compute_capability,
            nvlink=gpu.nvlink,
        )


@dataclass(frozen=True, kw_only=True)
class Engine:
    """vLLM's arguments that memory depends on. None: vLLM's own choice."""

    vllm: str
    dtype: str = "auto"
    context: int | None = None
    sequences: int | None = None
    batched_tokens: int | None = None
    utilization: float | None = None
    kv_cache_dtype: str = "auto"
    quantization: str | None = None
    eager: bool = False
    expert_parallel: bool = False
    block_tokens: int | None = None
    prefix_caching: bool | None = None
    state_dtype: str | None = None
    """Type of Mamba state where it is not `dtype`."""
    text_only: bool = False
    """No images or sounds (`language_model_only`)."""
    draft: Model | None = None
    """The model that speculative decoding asks first."""
    draft_layers: int = 0
    """Instead: the model's own layers of multi-token prediction."""
    speculative_tokens: int = 0
    lora: LoraSlots | None = None


@dataclass(frozen=True, kw_only=True)
class EngineShape:
    """The engine's arguments as vLLM resolves them."""

    dtype: str
    context: int
    sequences: int
    batched_tokens: int
    utilization: float
    eager: bool
    kv_cache_dtype: str = "auto"
    state_dtype: str | None = None
    compute_capability: float = 9.0


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
    refusal: str = ""
    """Why vLLM does not start whatever the memory; empty where it does."""
    notes: tuple[str, ...] = ()

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
        return not self.refusal and self.fits_in(self.kv_gib)

    def fits_in(self, kv_gib: float) -> bool:
        """Whether vLLM would start with that much for the cache."""
        return kv_gib > 0 and self.layout.holds(kv_gib * GIB, self.context)

    @property
    def missing_gib(self) -> float:
        """How much more memory this GPU would need; 0 when the model fits."""
        return max(0.0, self.layout.needed_bytes(self.context) / GIB - self.kv_gib)

    @property
    def most_sequences(self) -> int:
        """Sequences that can run at once at their shortest: a block of tokens and the state each."""
        return self.layout.most_sequences(self.kv_bytes)


def shape_of(config: ModelConfig, device: Device, engine: Engine) -> EngineShape:
    """Resolve the engine's arguments as vLLM does: the model's context and the GPU's defaults, where none are given."""
    behaviour = memory_behaviour(engine.vllm)
    usual = behaviour.defaults_on(device.memory_gib, device.name)
    context = engine.context or positions_of(config) or 2048
    tokens = engine.batched_tokens or usual.batched_tokens
    if behaviour.whole_prompts and context <= 32768 and engine.batched_tokens is None:
        tokens = max(tokens, context)
    return EngineShape(
        dtype=dtype_of(config, device, engine),
        context=context,
        sequences=min(engine.sequences or usual.sequences, tokens),
        batched_tokens=tokens,
        utilization=engine.utilization or behaviour.utilization,
        eager=engine.eager,
        kv_cache_dtype=kernel_dtype(default_dtype(config, device, engine), config, device),
        state_dtype=engine.state_dtype or _stated_state_dtype(config),
        compute_capability=device.compute_capability,
    )


def dtype_of(config: ModelConfig, device: Device, engine: Engine) -> str:
    """The type of activations: as asked, or the checkpoint's; float32 is halved and bfloat16 needs capability 8.0.

    Source: `vllm/config/model.py::_resolve_auto_dtype`.
    """
    asked = DTYPE_ALIASES.get(engine.dtype, engine.dtype)
    if asked != "auto":
        return asked
    stated = config.dtype
    if stated == "float32":
        stated = "bfloat16" if device.compute_capability >= 8 else "float16"
    return "float16" if stated == "bfloat16" and device.compute_capability < 8 else stated


def kv_cache_dtype_of(config: ModelConfig, engine: Engine) -> str:
    """The cache's type: a checkpoint that was quantized with an fp8 cache has one, where nothing else is asked for.

    Sources: `vllm/utils/torch_utils.py::get_kv_cache_quant_algo_string` (ModelOpt, 0.12.0 on), `Attention.__init__`
    (the `kv_cache_scheme` of compressed-tensors, 0.16.0 on).
    """
    stated = config.get("quantization_config") or config.get("compression_config")
    if engine.kv_cache_dtype != "auto" or not isinstance(stated, Mapping):
        return engine.kv_cache_dtype
    inner = stated.get("quantization")
    for part in (inner if isinstance(inner, Mapping) else {}, stated):
        scheme, algorithm = part.get("kv_cache_scheme"), str(part.get("kv_cache_quant_algo") or "")
        if isinstance(scheme, Mapping) and (scheme.get("num_bits"), scheme.get("type")) == (8, "float"):
            return "fp8" if version(engine.vllm) >= (0, 16) else "auto"
        if algorithm.upper() == "FP8":
            return "fp8" if version(engine.vllm) >= (0, 12) else "auto"
    return "auto"


def default_dtype(config: ModelConfig, device: Device, engine: Engine) -> str:
    """`kv_cache_dtype_of`, or the type that vLLM takes for GLM 5 on Blackwell where nothing is asked for."""
    dtype, own = kv_cache_dtype_of(config, engine), cache_behaviour(engine.vllm).blackwell_glm
    glm = config.model_type == "glm_moe_dsa" and int(device.compute_capability) == 10
    return own if glm and dtype == "auto" else dtype


def kernel_dtype(dtype: str, config: ModelConfig, device: Device) -> str:
    """The cache's type as the kernels of sparse latents lay it out (DeepSeek V3.2).

    On Hopper FlashMLA takes an fp8 cache, on RTX Blackwell FlashInfer any, and both in a layout of their own.
    Sources, 0.29.0 to 0.33.0: `platforms/cuda.py::_get_backend_priorities`,
    `model_executor/layers/attention/mla_attention.py::_canonicalize_sparse_mla_kv_cache_dtype`.
    """
    if config.integer("kv_lora_rank") is None or config.integer("index_head_dim") is None:
        return dtype
    takes_all = int(device.compute_capability) == 12 and dtype in ("auto", "fp8", "fp8_e4m3")
    takes_fp8 = int(device.compute_capability) == 9 and dtype.startswith("fp8")
    return "fp8_ds_mla" if takes_all or takes_fp8 else dtype


def _stated_state_dtype(config: ModelConfig) -> str | None:
    stated = config.get("mamba_ssm_cache_dtype")
    return stated if stated in DTYPE_BYTES else None


def fit(model: Model, *, device: Device, split: Split, engine: Engine) -> MemoryFit:
    """Predict one GPU's memory.

    Raises UserError where the configuration lacks a size that every model has, or an argument is not known.
    """
    shape, behaviour = shape_of(model.config, device, engine), memory_behaviour(engine.vllm)
    weights = loaded_weights(model, device, split, engine, shape)
    step = Step(
        tokens=shape.batched_tokens,
        sequences=shape.sequences,
        width=DTYPE_BYTES.get(shape.dtype, 2),
        tensor_parallel=split.tensor,
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
        refusal=_refusal(model, layout, device, split, shape),
        notes=(*weights.notes, *(() if layout.exact else (f"cache: {layout.why}",))),
    )


def loaded_weights(model: Model, device: Device, split: Split, engine: Engine, shape: EngineShape) -> Weights:
    """The weights on the fullest GPU. A draft model is divided as the model is, with an embedding of its own."""
    options = _weight_options(model.scheme(engine.quantization), device, split, engine, shape)
    found = model.weights(options)
    if engine.draft is None:
        return found
    draft = engine.draft.weights(replace(options, quantization=None, lora=None, text_only=True))
    return replace(
        found,
        bytes=found.bytes + draft.bytes,
        low=found.low + draft.low,
        high=found.high + draft.high,
        notes=(*found.notes, *(f"draft: {note}" for note in draft.notes)),
    )


def draft_caches(model: Model, engine: Engine) -> Layers:
    """What the layers of a draft keep beside the model's."""
    if engine.draft is not None:
        return engine.draft.caches.layers
    if not engine.draft_layers:
        return ()
    like = model.caches.draft_like
    return (() if like is None else model.caches.layers[like],) * engine.draft_layers


def _weight_options(
    scheme: Quantization | None, device: Device, split: Split, engine: Engine, shape: EngineShape
) -> WeightOptions:
    # Only mxfp4 is laid out by the GPU's generation: without it, weights are the same on every GPU.
    capability = device.compute_capability if scheme is not None and scheme.method == "mxfp4" else 9.0
    return WeightOptions(
        dtype=shape.dtype,
        tensor_parallel=split.tensor,
        pipeline_parallel=split.pipeline,
        expert_parallel=engine.expert_parallel,
        quantization=engine.quantization,
        compute_capability=capability,
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
    )


def _refusal(model: Model, layout: CacheLayout, device: Device, split: Split, shape: EngineShape) -> str:
    if shape.dtype == "bfloat16" and device.compute_capability < 8:
        return f"{device.name} has no bfloat16 (dtype float16 would run)"
    if split.pipeline > len(model.caches.layers) > 0:
        return f"{len(model.caches.layers)} layers cannot be divided over {split.pipeline} stages"
    return layout.refusal or model.obstacle(split.tensor)


@dataclass(frozen=True, kw_only=True)
class Change:
    """An argument that would make a model fit, and the fit it leads to."""

    words: str
    fit: MemoryFit


def changes(model: Model, *, device: Device, split: Split, engine: Engine) -> list[Change]:
    """What would make a model fit that does not, one change at a time; the least intrusive first."""
    now = fit(model, device=device, split=split, engine=engine)
    attempts: list[tuple[str, Engine, Split]] = []
    if not now.refusal:
        attempts += [(words, changed, split) for words, changed in _engines(model, now, device, engine)]
    for tensor in (2, 4, 8, 16):
        if tensor > split.tensor and not model.obstacle(tensor):
            attempts.append((f"--tp {tensor}", engine, replace(split, tensor=tensor)))
    found: dict[str, Change] = {}
    for words, changed, divided in attempts:
        option = words.split()[0]
        if option not in found:
            one = fit(model, device=device, split=divided, engine=changed)
            found |= {option: Change(words=words, fit=one)} if one.fits else {}
    return list(found.values())


def _engines(model: Model, now: MemoryFit, device: Device, engine: Engine) -> Iterator[tuple[str, Engine]]:
    """Arguments to try, in words and applied."""
    if 0 < now.longest_context < now.context:
        longest = now.longest_context
        yield f"--max-model-len {longest}", replace(engine, context=longest)
    for sequences in (256, 64, 16):
        if (engine.sequences or 1024) > sequences:
            yield f"--max-num-seqs {sequences}", replace(engine, sequences=sequences)
    if engine.kv_cache_dtype == "auto" and device.compute_capability >= 8.9:
        yield "--kv-cache-dtype fp8", replace(engine, kv_cache_dtype="fp8")
    if (engine.utilization or 0) < 0.95:
        yield "--gpu-memory-utilization 0.95", replace(engine, utilization=0.95)
    if not engine.eager and now.cuda_graph_gib:
        yield "--eager", replace(engine, eager=True)
    if model.scheme(engine.quantization) is None:
        yield "--quantization fp8", replace(engine, quantization="fp8")
