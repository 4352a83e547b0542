"""What a model's layers keep of a request, from its configuration: the rule of its architecture, applied."""

from __future__ import annotations

from functools import cache

from generator.errors import UserError
from generator.facts.files import read_data
from generator.sizing.cache import attention as attention_layers
from generator.sizing.cache import recurrent as state_layers
from generator.sizing.cache.specs import AttentionSpec, CacheLayers, CacheSpec
from generator.sizing.config.config import ModelConfig


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


def known_layers(config: ModelConfig) -> attention_layers.LayerSpecs | None:
    """The caches of a known architecture, None of another. Raises UserError where a key that it needs is missing."""
    rule = _rule(config)
    if rule is None:
        return None
    if config.get("is_causal") is False:  # bidirectional embedding models are encoders, whatever they were made from
        return attention_layers.nothing(config)
    layers = getattr(state_layers, rule, None) or getattr(attention_layers, rule)
    return layers(config)


def is_known(config: ModelConfig) -> bool:
    """Whether vLLM's layers of this architecture are described here."""
    return _rule(config) is not None


def _rule(config: ModelConfig) -> str | None:
    """The language model's own architecture first: what holds it (a vision tower) adds nothing to the cache."""
    architectures, model_types = _rules()
    inner = config.text.get("architectures")
    names = [name for name in (*(inner if isinstance(inner, list) else ()), _name(config)) if isinstance(name, str)]
    found = next((architectures[name] for name in names if name in architectures), None)
    return found or model_types.get(config.model_type)


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
    dim = attention_layers.head_dim(config)
    full: tuple[CacheSpec, ...] = (AttentionSpec(heads=attention_layers.kv_heads(config), key_dim=dim, value_dim=dim),)
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
        return ((attention_layers.latent_of(config),),) * count
    kinds = attention_layers.layer_kinds(config)
    if kinds is not None and any("attention" not in kind or "linear" in kind for kind in kinds):
        return tuple(full if kind in (attention_layers.FULL, "attention") else () for kind in kinds)
    windowed = attention_layers.attention(config)
    return windowed if windowed != (full,) * count else (full, ()) * (count // 2) + (full,) * (count % 2)
