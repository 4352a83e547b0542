"""What a model's layers keep of a request, from its configuration: the rule of its architecture, applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeAlias

from generator.errors import UserError
from generator.facts.files import read_data
from generator.sizing.cache import attention, recurrent
from generator.sizing.cache.specs import AttentionSpec, CacheLayers, CacheSpec, LayerSpecs
from generator.sizing.config.config import MOST_LAYERS, ModelConfig

Rule: TypeAlias = Callable[[ModelConfig], LayerSpecs]
"""From a configuration to every decoder layer's caches."""

RULES: Mapping[str, Rule] = {
    "attention": attention.attention,
    "attention_without_kinds": attention.attention_without_kinds,
    "inclusive_window": attention.inclusive_window,
    "chunked": attention.chunked,
    "shared": attention.shared,
    "two_shapes": attention.two_shapes,
    "heads_by_layer": attention.heads_by_layer,
    "one_head": attention.one_head,
    "uncompressed": attention.uncompressed,
    "latent": attention.latent,
    "latent_twice": attention.latent_twice,
    "sparse_latent": attention.sparse_latent,
    "packed_latent": attention.packed_latent,
    "encoder_decoder": attention.encoder_decoder,
    "nothing": attention.nothing,
    "mamba": recurrent.mamba,
    "mamba2": recurrent.mamba2,
    "jamba": recurrent.jamba,
    "falcon_h1": recurrent.falcon_h1,
    "granite": recurrent.granite,
    "bamba": recurrent.bamba,
    "nemotron_h": recurrent.nemotron_h,
    "zamba2": recurrent.zamba2,
    "gated_delta_net": recurrent.gated_delta_net,
    "linear_attention": recurrent.linear_attention,
    "linear_beside_latent": recurrent.linear_beside_latent,
    "kimi_linear": recurrent.kimi_linear,
    "short_convolution": recurrent.short_convolution,
}
"""By name in `data/cache_layers.yaml`, which says which architecture follows which."""


def cache_layers(config: ModelConfig) -> CacheLayers:
    """Return every decoder layer's caches.

    An architecture that is not known, or whose configuration lacks what its rule reads, is counted as full attention in
    every layer and says so. That is the most where a layer has one cache; one that keeps several for a layer may take
    more. Raises UserError where not even that can be counted.
    """
    try:
        layers = known_layers(config)
    except UserError as error:
        return _unknown(config, f"{_name(config)}: {error.what}")
    if layers is None:
        return _unknown(config, f"{_name(config)} is not known here, so every layer is counted as full attention")
    return CacheLayers(layers=layers, exact=True)


def known_layers(config: ModelConfig) -> LayerSpecs | None:
    """The caches of a known architecture, None of another. Raises UserError where a key that it needs is missing."""
    rule = _rule(config)
    if rule is None:
        return None
    if config.get("is_causal") is False:  # bidirectional embedding models are encoders, whatever they were made from
        return attention.nothing(config)
    layers = RULES[rule](config)
    if len(layers) > MOST_LAYERS:
        what = f"its lists say {len(layers):,} layers"
        raise UserError(what, where=config.where, fix=f"No model has more than {MOST_LAYERS:,}: is the file whole?")
    return layers


def is_known(config: ModelConfig) -> bool:
    """Whether vLLM's layers of this architecture are described here."""
    return _rule(config) is not None


def _rule(config: ModelConfig) -> str | None:
    """The language model's own architecture first: what holds it (a vision tower) adds nothing to the cache."""
    architectures, model_types = _rules()
    inner = config.text.get("architectures")
    names = [name for name in (*(inner if isinstance(inner, list) else ()), _name(config)) if isinstance(name, str)]
    rule = next((architectures[name] for name in names if name in architectures), None)
    return rule or model_types.get(config.model_type)


def _name(config: ModelConfig) -> str:
    try:
        return config.architecture
    except UserError:
        return config.model_type or "an architecture without a name"


@cache
def _rules() -> tuple[dict[str, str], dict[str, str]]:
    data = read_data("cache_layers.yaml")
    return (
        {name: rule for rule, row in data.items() for name in row["architectures"]},
        {name: rule for rule, row in data.items() for name in row["modelTypes"]},
    )


def _unknown(config: ModelConfig, why: str) -> CacheLayers:
    count = config.layers
    dim = attention.head_dim(config)
    full: tuple[CacheSpec, ...] = (AttentionSpec(heads=attention.kv_heads(config), key_dim=dim, value_dim=dim),)
    return CacheLayers(
        layers=(full,) * count,
        exact=False,
        why=why,
        least=_least(config, full),
        # Layers may keep two caches, such as Whisper's; of the known ones only DeepSeek V4's keep more.
        most=(full * 2,) * count,
    )


def _least(config: ModelConfig, full: tuple[CacheSpec, ...]) -> tuple[tuple[CacheSpec, ...], ...]:
    """The least that the configuration's words allow: a latent, windows, fewer layers that attend.

    Where they tell nothing, half of the layers: what the other half is cannot be known.
    """
    count = config.layers
    if config.integer("kv_lora_rank"):
        return ((attention.latent_of(config),),) * count
    kinds = attention.layer_kinds(config)
    if kinds is not None and any("attention" not in kind or "linear" in kind for kind in kinds):
        return tuple(full if kind in (attention.FULL, "attention") else () for kind in kinds)
    windowed = attention.attention(config)
    return windowed if windowed != (full,) * count else (full, ()) * (count // 2) + (full,) * (count % 2)
