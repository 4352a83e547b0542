"""What vLLM refuses whatever the memory: what a GPU has not, what a model does not take, what a split would cut.

Each gives the reason in words, empty where there is none. Takes the model and the engine's arguments. The plan asks
for a GPU type before it tries splits on it; `fit` asks for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import Any

from generator.facts.files import version
from generator.facts.gpus import Device
from generator.facts.vllm_quantization import (
    Method,
    engine_capability,
    fp8_blocks,
    method_of,
    methods,
    only_capability,
    scheme_capability,
)
from generator.sizing.config.architectures import has_pipeline_stages, serves_adapters
from generator.sizing.engine.engine import Engine, EngineShape, takes_float16
from generator.sizing.model import Model
from generator.sizing.weights.divisions import Split, expert_division_refusal
from generator.sizing.weights.feed_forward import experts_of
from generator.sizing.weights.matrix import Matrix
from generator.sizing.weights.quantization import UNNAMED, Format, Quantization

# The ends of the names of matrices whose outputs are divided, and of those that vLLM merges into one of several. Others
# (projections into states) hold several of different widths, and are not checked.
_COLUMN_PARALLEL = ("q_b_proj", "kv_b_proj", "wq_b")
_MERGED = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj")


def device_refusal(model: Model, device: Device, engine: Engine, *, dtype: str) -> str:
    """Why vLLM does not run the model on such a GPU; `dtype` is the type of activations there."""
    return _device_refusal(model, device, engine.quantization, engine.vllm, dtype)


@lru_cache(maxsize=65536)
def _device_refusal(model: Model, device: Device, quantization: str | None, vllm: str, dtype: str) -> str:
    if not device.is_known:
        return ""
    if dtype == "bfloat16" and device.compute_capability < 8:
        return f"{device.name} has no bfloat16 (dtype float16 would run)"
    needed = engine_capability(vllm)
    if not device.amd and device.compute_capability < needed:
        return f"vLLM {vllm} has no kernels for {device.name} ({_capability(device)}; it needs {needed})"
    scheme = model.scheme(quantization)
    method = _effective(model, quantization) if scheme else None
    if scheme is None or method is None:
        return ""
    if device.amd:
        return "" if method.is_on_rocm(vllm) else f"vLLM {vllm} has no {scheme.method} for AMD's GPUs"
    only = next((capability for kind in scheme.kinds if (capability := only_capability(kind))), None)
    least = max(method.least_capability(vllm), *(scheme_capability(kind, vllm) for kind in scheme.kinds), 0.0)
    if device.compute_capability < least or only not in (None, device.compute_capability):
        needs = f"{only}, and no other" if only else least
        return f"{scheme.method} weights need compute capability {needs}; {device.name} has {device.compute_capability}"
    return ""


def _capability(device: Device) -> str:
    return f"compute capability {device.compute_capability}"


def _effective(model: Model, requested: str | None) -> Method | None:
    """The method that vLLM runs: the checkpoint's, the one of its other words that is asked for, or what it makes."""
    stated = model.scheme(None)
    if stated is None:
        made = method_of(requested) if requested else None
        return method_of("online") if made and made.online else made
    of_checkpoint = method_of(stated.method)
    reads_too = of_checkpoint is not None and requested in of_checkpoint.also
    return (method_of(requested) if requested and reads_too else None) or of_checkpoint


def argument_refusal(model: Model, engine: Engine, shape: EngineShape) -> str:
    """Why vLLM does not take these arguments for the model, on any GPU."""
    most = model.positions
    if engine.context is not None and 0 < most < engine.context:
        return f"the model takes {most:,} tokens, fewer than max_model_len {engine.context:,}"
    if shape.sequences > shape.batched_tokens:
        # vllm/config/scheduler.py::SchedulerConfig.verify_max_model_len
        return f"max_num_seqs {shape.sequences:,} is more than the {shape.batched_tokens:,} tokens of a step"
    if engine.takes_whole_prompts(model) and shape.batched_tokens < shape.context:
        step = f"max_num_batched_tokens {shape.batched_tokens:,}"
        return f"{step} is less than a prompt of {shape.context:,} tokens, which is not cut here"
    if engine.lora is not None and not serves_adapters(engine.vllm, model.config):
        return f"vLLM {engine.vllm} serves no LoRA adapters beside {model.config.architecture}"
    if shape.dtype == "float16" and not takes_float16(model.config, engine.vllm):
        return f"vLLM does not compute {model.config.model_type} in float16 (bfloat16 and float32 would run)"
    return _quantization_refusal(model.scheme(engine.quantization), model, engine, shape)


def _quantization_refusal(scheme: Quantization | None, model: Model, engine: Engine, shape: EngineShape) -> str:
    """`vllm/config/model.py::_verify_quantization`, and the types that a method takes (`vllm/config/vllm.py`)."""
    if scheme is None:
        return ""
    method, stated, requested = method_of(scheme.method), model.scheme(None), engine.quantization
    if method is None:
        return "" if scheme.method == UNNAMED else f"vLLM has no quantization method '{scheme.method}'"
    runs = _effective(model, requested) or method
    for needed in (method, runs):
        if not needed.is_in(engine.vllm):
            return f"vLLM {engine.vllm} has no quantization method '{needed.name}'{_when(needed, engine.vllm)}"
    if stated is not None and requested is not None and not method.takes_word(requested):
        return f"the weights are {stated.method}, not {requested}"
    if method.is_deprecated(engine.vllm) and not engine.allow_deprecated:
        return f"{scheme.method} is deprecated: vLLM {engine.vllm} wants allow_deprecated_quantization"
    if stated is None and not (method.elsewhere or method.quantizes_while_loading(engine.vllm)):
        able = ", ".join(name for name, online in methods().items() if online.quantizes_while_loading(engine.vllm))
        return f"config.json tells of no quantization, and vLLM {engine.vllm} makes no {scheme.method} (but {able})"
    dtypes = runs.dtypes(engine.vllm, as_requested=requested == runs.name)
    if shape.dtype not in dtypes:
        return f"{scheme.method} weights are not multiplied in {shape.dtype} ({', '.join(dtypes)})"
    return ""


def _when(method: Method, vllm: str) -> str:
    early = method.since is not None and version(vllm) < version(method.since)
    return f" (it came in {method.since})" if early else f" (it was taken out in {method.until})"


def split_refusal(model: Model, tensor: int, engine: Engine, device: Device, *, data: int = 1) -> str:
    """Why vLLM cannot divide the model over `tensor` GPUs: its heads and widths, or its quantized matrices.

    `data`: ranks of as many GPUs that divide the experts among them.
    """
    smaller = _has_smaller_blocks(device, engine)
    return _split_refusal(model, tensor, data, engine.quantization, engine.expert_parallel, engine.vllm, smaller)


def tensor_splits(model: Model, most: int, engine: Engine, device: Device, *, data: int = 1) -> Sequence[int]:
    """Tensor parallel sizes up to `most` by which vLLM can divide the model, or one of its `data` ranks."""
    smaller = _has_smaller_blocks(device, engine)
    return _tensor_splits(model, most, data, engine.quantization, engine.expert_parallel, engine.vllm, smaller)


def _has_smaller_blocks(device: Device, engine: Engine) -> bool:
    """Whether the GPU has kernels for experts' blocks that are made smaller."""
    return not device.is_known or device.compute_capability >= fp8_blocks(engine.vllm).capability


@lru_cache(maxsize=65536)
def _tensor_splits(model: Model, most: int, *rest: Any) -> Sequence[int]:
    heads = model.config.integer("num_attention_heads") or most
    return [n for n in range(1, min(most, heads) + 1) if not _split_refusal(model, n, *rest)]


@lru_cache(maxsize=65536)
def _split_refusal(
    model: Model,
    tensor: int,
    data: int,
    quantization: str | None,
    expert_parallel: bool,
    vllm: str,
    smaller_blocks: bool,
) -> str:
    stated = model.scheme(None)
    method = method_of(stated.method) if stated else None
    if method is not None and method.whole and tensor > 1:
        return f"{method.name} checkpoints are not divided by tensor parallelism (pipeline stages would do)"
    parts = 1 if expert_parallel else tensor * data
    cutting = Cutting(tensor=tensor, experts_over=parts, vllm=vllm, smaller=smaller_blocks)
    return (
        model.division_refusal(tensor)
        or expert_division_refusal(model.config, parts if data > 1 else 1)
        or _cut_anywhere(model, quantization, cutting)
    )


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How matrices are cut."""

    tensor: int
    """Parts."""
    experts_over: int
    """Parts of an expert's."""
    vllm: str
    smaller: bool = True
    """Whether the GPU has kernels for experts' blocks that are made smaller."""


def _cut_anywhere(model: Model, quantization: str | None, cutting: Cutting) -> str:
    scheme = model.scheme(quantization)
    if scheme is None or not scheme.is_checked:
        return ""
    alike = {id(layer): layer for layer in model.stored(quantization, text_only=True).layers}
    for layer in alike.values():
        for matrix, stored in layer:
            # DeepSeek V4's shared expert is padded (models/deepseek_v4/nvidia/model.py, 0.24.0 on).
            padded = model.caches.packed and "shared_experts" in matrix.name
            if stored is not None and not padded and (why := cut(matrix, stored, scheme, cutting)):
                return f"{matrix.name}: {why}"
    return ""


def cut(matrix: Matrix, stored: Format, scheme: Quantization, cutting: Cutting) -> str:
    """Why the matrix cannot be cut into its parts."""
    if matrix.sharding == "expert":
        return _expert_cut(matrix, stored, scheme, cutting)
    if matrix.sharding not in ("column", "row", "qkv") or cutting.tensor == 1 or stored.group <= 0:
        return ""
    if matrix.is_row_parallel:
        part = matrix.columns // cutting.tensor
        return f"{part:,} inputs on each GPU are no whole groups of {stored.group}" if part % stored.group else ""
    # compressed-tensors has no such leave (vllm/model_executor/layers/linear.py asks for its `weight_block_size`).
    merged_divide = fp8_blocks(cutting.vllm).merged_divide or scheme.method != "fp8"
    checked = (*_COLUMN_PARALLEL, *(_MERGED if merged_divide else ()))
    part = matrix.rows // min(cutting.tensor, matrix.heads or cutting.tensor)
    return _blocks(part, stored.block) if matrix.name.endswith(checked) else ""


def _expert_cut(matrix: Matrix, stored: Format, scheme: Quantization, cutting: Cutting) -> str:
    """Groups of experts' integer weights are left to other kernels where they do not divide; fp8 blocks are not."""
    width, hidden = (matrix.columns, matrix.rows) if matrix.is_row_parallel else (matrix.rows, matrix.columns)
    part = width // cutting.experts_over
    if stored.block == 1 or part % stored.block == 0:
        return ""
    least = fp8_blocks(cutting.vllm).least_rows if scheme.method == "fp8" and cutting.smaller else None
    if least is not None and gcd(part, hidden, stored.block, stored.group) >= least:
        return ""
    return _blocks(part, stored.block)


def _blocks(rows: int, block: int) -> str:
    return f"{rows:,} rows on each GPU are no whole blocks of {block}" if rows % block else ""


def stages_refusal(model: Model, engine: Engine) -> str:
    """Why vLLM does not divide the model, or its draft, over stages: `ModelConfig.verify_with_parallel_config`.

    A draft has as many stages as the model (`SpeculativeConfig.create_draft_parallel_config`). No head of EAGLE's has
    them. Of multi-token prediction some do, but a catalog does not say which class that is, so all are refused.
    """
    if not has_pipeline_stages(engine.vllm, model.config):
        return f"vLLM {engine.vllm} does not divide {model.config.architecture} over pipeline stages"
    draft = engine.draft
    if engine.draft_layers or (draft is not None and not has_pipeline_stages(engine.vllm, draft.config)):
        return f"vLLM {engine.vllm} does not divide its draft over pipeline stages"
    return ""


def refusal(model: Model, device: Device, split: Split, engine: Engine, shape: EngineShape) -> str:
    """The first reason why vLLM does not start with this on such GPUs."""
    if device.mig and split.gpus > 1:
        return "slices of a GPU do not work together"
    if split.pipeline > 1 and (undivided := stages_refusal(model, engine)):
        return undivided
    if split.data > 1 and not experts_of(model.config):
        return "it is no mixture of experts, and data parallel ranks are engines that divide experts among them"
    layers = len(model.caches.layers)
    if split.pipeline > layers > 0:
        return f"{layers} layers cannot be divided over {split.pipeline} stages"
    return (
        device_refusal(model, device, engine, dtype=shape.dtype)
        or argument_refusal(model, engine, shape)
        or split_refusal(model, split.tensor, engine, device, data=split.data)
    )
