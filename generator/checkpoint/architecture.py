"""A checkpoint's architecture: the fields that memory depends on. Takes its configuration, tokenizer and tensors.

What a configuration leaves to its reader is derived here as transformers and vLLM derive it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from pydantic import ValidationError

from generator.checkpoint.safetensors import SAFETENSORS_DTYPES, Tensor, bytes_by_dtype
from generator.formats.architecture import Architecture
from generator.sizing.cache.attention import head_dim, kv_heads
from generator.sizing.cache.rules import known_layers
from generator.sizing.cache.specs import AttentionSpec
from generator.sizing.config.config import ModelConfig
from generator.sizing.config.rotary import positions_of, stretch_of
from generator.sizing.config.towers import sizes_of
from generator.sizing.weights.decoder import is_tied

Dtype = Literal["bfloat16", "float16", "float32"]


def architecture_of(
    config: ModelConfig, tokenizer: Mapping[str, Any], tensors: Mapping[str, Tensor], quantization: Mapping[str, Any]
) -> Architecture:
    """Return the architecture. Raises UserError where the configuration lacks what cannot be derived."""
    known = known_layers(config)  # whose faults come before any other
    fields = {key: config.get(key) for key in Architecture.model_fields if config.get(key) is not None}
    fields |= {key: config.needed(key) for key in ("hidden_size", "vocab_size")} | {"num_hidden_layers": config.layers}
    fields |= (
        _heads(config) if known is None or any(isinstance(c, AttentionSpec) for layer in known for c in layer) else {}
    )
    fields |= {
        "name": config.architecture,
        "model_type": config.model_type or None,
        "torch_dtype": _torch_dtype(config, tensors),
        "max_position_embeddings": _positions(config, tokenizer),
        "tie_word_embeddings": is_tied(config),
        "quantization_config": _short(quantization),
        **_mamba(config, config.needed("hidden_size")),
    }
    for key in ("vision_config", "audio_config"):
        if isinstance(tower := config.get(key), dict):
            fields[key] = sizes_of(tower)
    if isinstance(fields.get("intermediate_size"), list):
        fields["intermediate_size"] = config.integer("intermediate_size")
    if not config.integer("intermediate_size") and config.integer("moe_intermediate_size"):
        fields["intermediate_size"] = config.integer("moe_intermediate_size")
    return _architecture(fields)


def _architecture(fields: dict[str, Any]) -> Architecture:
    """The architecture without keys that have another type in this configuration, where they mean something else."""
    try:
        return Architecture(**fields)
    except ValidationError as error:
        other = {str(fault["loc"][0]) for fault in error.errors()}
        return Architecture(**{key: value for key, value in fields.items() if key not in other})


def _heads(config: ModelConfig) -> dict[str, int]:
    """Heads as vLLM derives them where the configuration leaves it to its reader."""
    return {
        "num_attention_heads": config.needed("num_attention_heads"),
        "num_key_value_heads": kv_heads(config),
        "head_dim": head_dim(config),
    }


def _short(quantization: Mapping[str, Any]) -> dict[str, Any] | None:
    """The method and its settings, without what names layer after layer: the weights' bytes are known."""
    short = {
        key: value for key, value in quantization.items() if not (isinstance(value, list | dict) and len(value) > 16)
    }
    return short or None


def derivation_notes(config: ModelConfig, tokenizer: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """What people should know of an architecture that is not as its configuration says it, or that says too little."""
    yield from (f"{approximation}." for approximation in config.approximations)
    if (dtype := _stated_dtype(config)) is None:
        stated = config.get("torch_dtype") or config.get("dtype")
        source = "the weights'" if _dtype_sizes(tensors) else "assumed"
        dtype = _torch_dtype(config, tensors)
        yield f"config.json says {f'dtype {stated}' if stated else 'no dtype'}; {dtype} is {source}."
    positions, stretched = _stated_positions(config, tokenizer), positions_of(config)
    if config.integer("max_position_embeddings") is None:
        yield f"config.json says no max_position_embeddings; the tokenizer's {positions:,} are taken."
    if stretched > positions and (factor := stretch_of(config)) > 1:
        yield (
            f"`rope_scaling` stretches {round(stretched / factor):,} positions to {stretched:,}, at some cost to "
            "short prompts."
        )


def context_of(architecture: Architecture, tokenizer: Mapping[str, Any]) -> int:
    """Return the tokens the model was made for: its positions, or fewer where its tokenizer says so."""
    positions = positions_of(ModelConfig(architecture.config_json(), "", complete=True))
    limit = _tokenizer_limit(tokenizer)
    return positions if limit is None else min(limit, positions)


def _tokenizer_limit(tokenizer: Mapping[str, Any]) -> int | None:
    """A tokenizer's model_max_length; it is absurd (10³⁰) where nobody set it."""
    length = tokenizer.get("model_max_length")
    return int(length) if isinstance(length, (int, float)) and 1 <= length <= 10**8 else None


def _positions(config: ModelConfig, tokenizer: Mapping[str, Any]) -> int:
    """Positions the model can take: as configured, or further by their scaling, as vLLM derives them."""
    return max(_stated_positions(config, tokenizer), positions_of(config))


def _stated_positions(config: ModelConfig, tokenizer: Mapping[str, Any]) -> int:
    """Positions before they are scaled; the tokenizer's where the configuration says none."""
    stated = config.integer("max_position_embeddings")
    return stated or _tokenizer_limit(tokenizer) or config.needed("max_position_embeddings")


def _mamba(config: ModelConfig, hidden: int) -> dict[str, int]:
    """The width of Falcon-H1's and its like's Mamba 2 mixer, where the configuration leaves it to a factor."""
    heads = config.integer("mamba_n_heads")
    if heads is None:
        return {}
    # Null is transformers' way to leave the width to the factor, and "auto" the head's to the width.
    d_ssm = config.integer("mamba_d_ssm") or int(config.factor("mamba_expand", 2) * hidden)
    d_head = None if config.get("mamba_d_head") == "auto" else config.integer("mamba_d_head")
    return {"mamba_d_ssm": d_ssm, "mamba_d_head": d_head or max(1, d_ssm // heads)}


def _torch_dtype(config: ModelConfig, tensors: Mapping[str, Tensor]) -> Dtype:
    """The type that the configuration says, or that most bytes of the weights have."""
    stated = _stated_dtype(config)
    if stated is not None:
        return stated
    sizes = _dtype_sizes(tensors)
    return max(sizes, key=sizes.__getitem__) if sizes else "bfloat16"


def _stated_dtype(config: ModelConfig) -> Dtype | None:
    stated = str(config.get("torch_dtype") or config.get("dtype")).removeprefix("torch.")
    return cast(Dtype, stated) if stated in SAFETENSORS_DTYPES else None


def _dtype_sizes(tensors: Mapping[str, Tensor]) -> dict[Dtype, int]:
    """Bytes of the weights by type, of types that activations have."""
    sizes = bytes_by_dtype(tensors)
    return {cast(Dtype, name): sizes[short] for name, short in SAFETENSORS_DTYPES.items() if short in sizes}
