"""What rotary positions make of a configuration: how far a model reads, and the tables that lie beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.errors import cut
from generator.facts.files import version
from generator.sizing.config import towers
from generator.sizing.config.config import POSITIONS, ModelConfig

ROPE = ("rope_scaling", "rope_parameters")
"""Two words for one thing, which transformers 5 reads as one: the last that is set holds."""
MOST_STRETCH = 10_000
"""No model's positions are stretched further; what says so is a mistake."""
_BEFORE_THE_FIRST = {"roberta": 2, "xlm-roberta": 2}
"""Positions that no token has: counting begins behind that of padding. vLLM takes a longer text, and fails at its end:
`vllm/model_executor/models/roberta.py:80-86`, 0.29.0."""
_NOT_STRETCHED = ("su", "longrope", "llama3")
"""Scalings that `max_position_embeddings` already counts in."""
_BY_FACTOR = ("yarn", "linear", "dynamic")


def rope_of(config: ModelConfig) -> Mapping[str, Any]:
    """How rotary positions are scaled, in the configuration's words; empty where it says nothing."""
    rope = config.get("rope_scaling") or config.get("rope_parameters")
    return rope if isinstance(rope, Mapping) else {}


def positions_of(config: ModelConfig) -> int:
    """Positions that the model can take: as configured and stretched by its scaling; 0 where nothing is said.

    vLLM refuses a longer max_model_len. A catalog says the stretched ones. Source:
    `vllm/config/model.py::_get_and_verify_max_len`, which leaves Gemma 3's as they are.
    """
    # Cohere's word for what its positions are stretched to wins, else the least of all words.
    words = [word for word in ("max_position_embeddings", *POSITIONS) if word in config.text]
    stated = [config.integer(word) for word in words] or [config.integer("max_position_embeddings")]
    positions = config.integer("model_max_length") or min(filter(None, stated), default=0)
    positions = max(0, positions - _BEFORE_THE_FIRST.get(config.model_type, 0))
    if config.complete or config.model_type.startswith("gemma3"):
        return positions
    for rope in _ropes(config):
        original = rope.get("original_max_position_embeddings")
        if _kind(rope) == "yarn" and isinstance(original, int) and original > 0:
            positions = original
        positions = int(positions * _factor(rope))
        if _factor(rope) != 1:
            break
    return positions


def rope_fault(config: ModelConfig, *, whole: bool) -> str:
    """What vLLM would stumble over in how positions are scaled, in words; empty where there is nothing.

    `whole`: all of it is said; else the class of the configuration may fill in what is not.
    Sources: `vllm/config/model.py::_get_and_verify_max_len`, `vllm/model_executor/layers/rotary_embedding/__init__.py`.
    """
    stated: Any = next((rope for word in ROPE if (rope := config.get(word)) is not None), {})
    if not isinstance(stated, Mapping):
        return f"how positions are scaled is {cut(repr(stated))}, and no object"
    for rope in filter(None, _ropes(config)):
        kind, factor, original = _kind(rope), rope.get("factor"), rope.get("original_max_position_embeddings")
        if kind == "None" and whole:
            return "how positions are scaled has no `rope_type`"
        is_scaled = factor is not None or (whole and kind in _BY_FACTOR)
        if is_scaled and (not isinstance(factor, (int, float)) or not 0 < factor <= MOST_STRETCH):
            return f"`factor` is {cut(repr(factor))}, and no number from 0 to {MOST_STRETCH:,}"
        if kind == "yarn" and whole and (not isinstance(original, int) or original < 1):
            return f"`original_max_position_embeddings` is {cut(repr(original))}, and yarn needs it"
    return ""


def stretch_of(config: ModelConfig) -> float:
    """How many times as long the configuration's scaling makes the positions of its model."""
    return next((factor for rope in _ropes(config) if (factor := _factor(rope)) != 1), 1.0)


def default_context(config: ModelConfig, vllm: str) -> int:
    """Tokens of a request where nothing is asked for: the model's positions, 2,048 where it says none.

    From 0.12.0 on, of those scaled by LongRoPE what the model was made for before (same source).
    """
    original = config.integer("original_max_position_embeddings")
    if original and version(vllm) >= (0, 12) and any(_kind(rope) in ("longrope", "su") for rope in _ropes(config)):
        return original
    return positions_of(config) or 2048


def _ropes(config: ModelConfig) -> list[Mapping[str, Any]]:
    """Every scaling that the configuration says: one, or one for each kind of layer."""
    rope = rope_of(config)
    nested = [part for part in rope.values() if isinstance(part, Mapping)]
    return nested or [rope]


def _kind(rope: Mapping[str, Any]) -> str:
    return str(rope.get("rope_type") or rope.get("type"))


def _factor(rope: Mapping[str, Any]) -> float:
    factor = rope.get("factor")
    if not isinstance(factor, (int, float)) or not 0 < factor <= MOST_STRETCH or _kind(rope) in _NOT_STRETCHED:
        return 1.0
    return factor


def rotary_bytes(config: ModelConfig, width: int) -> float:
    """The table of sines and cosines, one for all layers: positions x rotated entries of a head.

    Positions of several dimensions make it four times as long (`mrope.py`), and windows that turn differently have one
    of their own (Gemma 3, whose positions are stretched here alone). Source:
    `vllm/model_executor/layers/rotary_embedding/base.py::_compute_cos_sin_cache`; its 0.03 GiB is the whole difference
    between Llama 3.1 8B's checkpoint and what vLLM prints.
    """
    rope, positions = rope_of(config), positions_of(config)
    longer = 1.0
    if rope.get("mrope_section") or config.model_type.startswith(("qwen2_vl", "qwen2_5_vl", "qwen3_vl")):
        longer = 4.0
    elif config.model_type.startswith("gemma3"):
        longer = max(_factor(rope) for rope in _ropes(config))
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
