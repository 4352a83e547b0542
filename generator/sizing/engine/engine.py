"""The engine's arguments, as memory depends on them; and what vLLM makes of arguments that are not given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from generator.facts.files import version
from generator.facts.gpus import Device
from generator.facts.vllm_cache import cache_behaviour
from generator.facts.vllm_memory import memory_behaviour
from generator.facts.vllm_quantization import computes_in_float16
from generator.sizing.config.architectures import makes_vectors
from generator.sizing.config.config import ModelConfig
from generator.sizing.model import Model
from generator.sizing.weights.rank import DTYPE_ALIASES, DTYPE_BYTES, LoraSlots


class Engine(NamedTuple):
    """vLLM's arguments that memory depends on. None: vLLM's own choice.

    A tuple, since a plan asks with thousands of them, which are compared and changed faster so.
    """

    vllm: str
    dtype: str = "auto"
    runner: str = "auto"
    """What `runner` and `convert` say: generate or pooling; auto leaves it to the model."""
    context: int | None = None
    sequences: int | None = None
    batched_tokens: int | None = None
    utilization: float | None = None
    kv_cache_dtype: str = "auto"
    quantization: str | None = None
    allow_deprecated: bool = False
    """Quantization methods that are deprecated."""
    eager: bool = False
    whole_prompts: bool = False
    """No chunked prefill: a step holds a whole prompt."""
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
    cache_bytes: int | None = None
    """Of the cache, whatever is left (`kv_cache_memory_bytes`)."""
    cache_blocks: int | None = None
    """Instead: so many blocks (`num_gpu_blocks_override`)."""
    windows_keep_all: bool = False
    """Windows are cached like layers that see all tokens (`disable_hybrid_kv_cache_manager`)."""
    uncounted: tuple[str, ...] = ()
    """Arguments that memory depends on and that are not counted here."""

    def takes_whole_prompts(self, model: Model) -> bool:
        """Whether a step must hold a whole prompt of the model: it is asked to, or the model cannot cut one."""
        return self.whole_prompts or model.takes_whole_prompts


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


def shape_of(model: Model, device: Device, engine: Engine) -> EngineShape:
    """Resolve the engine's arguments as vLLM does: the model's context and the GPU's defaults, where none are given.

    Source: `vllm/engine/arg_utils.py::_set_default_max_num_seqs_and_batched_tokens_args`. What is given stays as it is,
    be it something that vLLM refuses.
    """
    config, behaviour = model.config, memory_behaviour(engine.vllm)
    usual = behaviour.defaults_on(device.memory_gib, device.name)
    context = engine.context or model.default_context(engine.vllm)
    tokens, sequences = engine.batched_tokens or usual.batched_tokens, engine.sequences or usual.sequences
    if engine.batched_tokens is None:
        by_version = behaviour.whole_prompts and context <= 32768
        if by_version or engine.takes_whole_prompts(model):
            tokens = max(tokens, context)
        if behaviour.tokens_of_use:
            tokens = min(tokens, sequences * context)
    return EngineShape(
        dtype=dtype_of(config, device, engine),
        context=context,
        sequences=sequences if engine.sequences else min(sequences, tokens),
        batched_tokens=tokens,
        utilization=engine.utilization or behaviour.utilization,
        eager=engine.eager,
        kv_cache_dtype=kernel_dtype(default_dtype(config, device, engine), config, device),
        state_dtype=engine.state_dtype or _stated_state_dtype(config),
        compute_capability=device.compute_capability,
    )


def dtype_of(config: ModelConfig, device: Device, engine: Engine) -> str:
    """The type of activations: as asked, or the checkpoint's; float32 is halved, to a type that the GPU and model take.

    That is float16 where vectors are made, else bfloat16. Source: `vllm/config/model.py::_resolve_auto_dtype`, the same
    in 0.10.0 and 0.29.0.
    """
    requested = DTYPE_ALIASES.get(engine.dtype, engine.dtype)
    if requested != "auto":
        return requested
    able = [
        *(("bfloat16",) if device.compute_capability >= 8 else ()),
        *(("float16",) if takes_float16(config, engine.vllm) else ()),
    ]
    if config.dtype in able:
        return config.dtype
    return "float16" if "float16" in able and pools(config, engine) else next(iter(able), "float32")


def pools(config: ModelConfig, engine: Engine) -> bool:
    """Whether the engine makes vectors, and no text. Source: `vllm/config/model.py::_get_runner_type`."""
    return engine.runner == "pooling" or (engine.runner == "auto" and makes_vectors(config))


def takes_float16(config: ModelConfig, vllm: str) -> bool:
    """Whether vLLM `vllm` computes the model in float16."""
    # vLLM looks at the whole model's type. A catalog has the language model's, and the whole's architecture.
    kind = str(config.data.get("model_type") or config.model_type)
    inner = config.complete and not config.named.lower().startswith(kind.removesuffix("_text").replace("_", ""))
    return inner or computes_in_float16(kind, vllm)


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
    dtype, of_glm = kv_cache_dtype_of(config, engine), cache_behaviour(engine.vllm).blackwell_glm
    glm = config.model_type == "glm_moe_dsa" and int(device.compute_capability) == 10
    return of_glm if glm and dtype == "auto" else dtype


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
    stated = config.word("mamba_ssm_cache_dtype")
    return stated if stated in DTYPE_BYTES else None
