"""A checkpoint's architecture: the fields that memory depends on. Takes its configuration, tokenizer and tensors.

What a configuration leaves to its reader is derived here as transformers and vLLM derive it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from .catalog import Architecture
from .safetensors_headers import SAFETENSORS_DTYPES, Tensor, bytes_by_dtype
from .sizing.config import ModelConfig

Dtype = Literal["bfloat16", "float16", "float32"]


def architecture_of(
    config: ModelConfig, tokenizer: Mapping[str, Any], tensors: Mapping[str, Tensor], quant_method: str | None
) -> Architecture:
    """Return the architecture. Raises UserError where the configuration lacks what cannot be derived."""
    positions = _positions(config, tokenizer)
    hidden, heads = config.needed("hidden_size"), config.needed("num_attention_heads")
    latent, rope_dim = config.integer("kv_lora_rank"), config.integer("qk_rope_head_dim")
    if latent:  # multi-head latent attention: a head has a part with and a part without positions
        head_dim = (config.integer("qk_nope_head_dim") or 0) + (rope_dim or 0)
    else:
        head_dim = config.integer("head_dim") or 0
    return Architecture(
        name=config.architecture,
        torch_dtype=_torch_dtype(config, tensors),
        hidden_size=hidden,
        intermediate_size=config.integer("intermediate_size") or config.integer("moe_intermediate_size") or 4 * hidden,
        num_hidden_layers=config.needed("num_hidden_layers"),
        num_attention_heads=heads,
        num_key_value_heads=_kv_heads(config) or heads,
        head_dim=head_dim or max(1, hidden // heads),
        vocab_size=config.needed("vocab_size"),
        max_position_embeddings=positions,
        tie_word_embeddings=config.get("tie_word_embeddings") is True,
        kv_lora_rank=latent,
        qk_rope_head_dim=rope_dim,
        **_mamba(config, hidden),
        quant_method=quant_method,
    )


def context_of(architecture: Architecture, tokenizer: Mapping[str, Any], notes: list[str]) -> int:
    """Return the tokens the model was made for: its positions, or fewer where its tokenizer says so."""
    positions, limit = architecture.max_position_embeddings, _tokenizer_limit(tokenizer)
    if limit is None or limit >= positions:
        return positions
    notes.append(f"the tokenizer is set to {limit:,} tokens, config.json to {positions:,}; the smaller is taken.")
    return limit


def _tokenizer_limit(tokenizer: Mapping[str, Any]) -> int | None:
    """A tokenizer's model_max_length; it is absurd (10³⁰) where nobody set it."""
    length = tokenizer.get("model_max_length")
    return int(length) if isinstance(length, (int, float)) and 1 <= length <= 10**8 else None


def _positions(config: ModelConfig, tokenizer: Mapping[str, Any]) -> int:
    """Positions the model can take: as configured, or further by YaRN, as vLLM derives them."""
    positions = config.integer("max_position_embeddings")
    if positions is None:
        positions = _tokenizer_limit(tokenizer) or config.needed("max_position_embeddings")
        config.notes.append(f"config.json says no max_position_embeddings; the tokenizer's {positions:,} are taken.")
    rope = config.get("rope_scaling") or config.get("rope_parameters")
    if isinstance(rope, dict) and (rope.get("rope_type") or rope.get("type")) == "yarn":
        original, factor = rope.get("original_max_position_embeddings"), rope.get("factor")
        if isinstance(original, int) and isinstance(factor, (int, float)) and original * factor > positions:
            positions = int(original * factor)
            config.notes.append(
                f"YaRN stretches {original:,} positions to {positions:,}, at some cost to short prompts."
            )
    return positions


def _mamba(config: ModelConfig, hidden: int) -> dict[str, int]:
    """The state of a hybrid's Mamba 2 layers; nothing for other models."""
    if config.architecture != "FalconH1ForCausalLM" and config.get("mamba_d_state") is None:
        return {}
    keys = ("mamba_d_state", "mamba_d_conv", "mamba_n_heads", "mamba_n_groups")
    state = {key: config.needed(key) for key in keys}
    # Null is transformers' way to leave the width to the factor, and "auto" the head's to the width.
    d_ssm = config.integer("mamba_d_ssm") or int(config.get("mamba_expand", 2) * hidden)
    d_head = None if config.get("mamba_d_head") == "auto" else config.integer("mamba_d_head")
    return {"mamba_d_ssm": d_ssm, **state, "mamba_d_head": d_head or max(1, d_ssm // state["mamba_n_heads"])}


def _kv_heads(config: ModelConfig) -> int | None:
    # The first Falcons (7B): one head of keys and values, whatever num_kv_heads says.
    if config.get("multi_query") is True and not config.get("new_decoder_architecture"):
        return 1
    return config.integer("num_key_value_heads")


def _torch_dtype(config: ModelConfig, tensors: Mapping[str, Tensor]) -> Dtype:
    stated = config.get("torch_dtype") or config.get("dtype")
    if isinstance(stated, str) and stated.removeprefix("torch.") in SAFETENSORS_DTYPES:
        return cast(Dtype, stated.removeprefix("torch."))
    found = bytes_by_dtype(tensors)
    held = [name for name, short in SAFETENSORS_DTYPES.items() if short in found]
    dtype = max(held, key=lambda name: found[SAFETENSORS_DTYPES[name]], default="bfloat16")
    source = "the weights'" if held else "assumed"
    config.notes.append(f"config.json says {f'dtype {stated}' if stated else 'no dtype'}; {dtype} is {source}.")
    return cast(Dtype, dtype)
