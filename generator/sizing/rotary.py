"""What rotary positions make of a configuration: how far a model reads, and the tables that lie beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import towers
from .config import ModelConfig


def rope_of(config: ModelConfig) -> Mapping[str, Any]:
    """How rotary positions are scaled, in the configuration's words; empty where it says nothing."""
    rope = config.get("rope_scaling") or config.get("rope_parameters")
    return rope if isinstance(rope, Mapping) else {}


def positions_of(config: ModelConfig) -> int:
    """Positions the model can take: as configured, or further by YaRN, as vLLM does it; 0 where nothing is said."""
    rope, positions = rope_of(config), config.integer("max_position_embeddings") or 0
    if (rope.get("rope_type") or rope.get("type")) == "yarn":
        original, factor = rope.get("original_max_position_embeddings"), rope.get("factor")
        if isinstance(original, int) and isinstance(factor, (int, float)):
            positions = max(positions, int(original * factor))
    return positions


def rotary_bytes(config: ModelConfig, width: int) -> float:
    """The table of sines and cosines, one for all layers: positions x rotated entries of a head.

    Linear scaling makes it longer by its factor, positions of several dimensions four times as long (`mrope.py`), and
    windows that turn differently have one of their own (Gemma 3). Source:
    `vllm/model_executor/layers/rotary_embedding/base.py::_compute_cos_sin_cache`; its 0.03 GiB is the whole difference
    between Llama 3.1 8B's checkpoint and what vLLM prints.
    """
    rope, positions = rope_of(config), positions_of(config)
    longer = 1.0
    if rope.get("mrope_section") or config.model_type.startswith(("qwen2_vl", "qwen2_5_vl", "qwen3_vl")):
        longer = 4.0
    elif (rope.get("rope_type") or rope.get("type")) in ("linear", "dynamic"):
        longer = rope["factor"] if isinstance(rope.get("factor"), (int, float)) else 1.0
    if config.model_type.startswith("gemma3") or "full_attention" in rope:
        longer += 1.0
    return longer * positions * _rotated(config, rope) * width


def _rotated(config: ModelConfig, rope: Mapping[str, Any]) -> float:
    """Entries of a head that are rotated."""
    dim = config.integer("qk_rope_head_dim") or config.integer("head_dim")
    heads = config.integer("num_attention_heads")
    if dim is None and heads:
        dim = (config.integer("hidden_size") or 0) // heads
    usual = 0.25 if config.model_type.startswith(("qwen3_next", "qwen3_5")) else 1.0
    partial = config.get("partial_rotary_factor", rope.get("partial_rotary_factor", usual))
    return (dim or 0) * (partial if isinstance(partial, (int, float)) else 1.0)


def deepstack_bytes(config: ModelConfig, batched_tokens: int, width: int) -> float:
    """Buffers of a step's tokens for each depth at which image features enter the text model (Qwen3-VL).

    Source: `vllm/model_executor/models/qwen3_vl.py::Qwen3VLForConditionalGeneration.deepstack_input_embeds`.
    """
    vision = towers.vision_of(config) or {}
    depths = vision.get("deepstack_visual_indexes")
    count = len(depths) if isinstance(depths, list) else 0
    return count * batched_tokens * config.needed("hidden_size") * width
