"""What every decoder layer keeps of a request, as vLLM's layers declare it in `get_kv_cache_spec`.

A layer may keep several things (attention beside a Mamba mixer, a latent beside its indexer's keys) or nothing. Sizes
are of the whole model; `pages.py` divides them. The rules by architecture are in `attention.py` and `recurrent.py`;
which architecture follows which rule is in `data/cache_layers.yaml`. Names are those of vLLM's `KVCacheSpec` classes
(`v1/kv_cache_interface.py`), where it has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

StateKind: TypeAlias = Literal["mamba1", "mamba2", "gated_delta_net", "linear_attention", "short_conv", "kimi_delta"]


@dataclass(frozen=True, kw_only=True)
class AttentionSpec:
    """Keys and values of attention (multi-head, grouped-query, multi-query), of all tokens, a window or a chunk."""

    heads: int
    """Key-value heads; tensor parallelism divides them, and repeats them where there are too few."""
    key_dim: int
    value_dim: int
    window: int | None = None
    """Tokens that a sliding window sees; None: all."""
    chunk: int | None = None
    """Tokens of a chunk of local attention (Llama 4); None: none."""


@dataclass(frozen=True, kw_only=True)
class MlaSpec:
    """One compressed vector for all heads (multi-head latent attention), which every GPU of a stage holds whole."""

    width: int
    """Entries of a token."""
    bytes_each: int | None = None
    """Bytes of an entry where it is not the cache's type (the indexer of sparse attention keeps bytes)."""
    window: int | None = None


@dataclass(frozen=True, kw_only=True)
class PackedMlaSpec:
    """One kind of packed vectors of DeepSeek V4, which every GPU of a stage holds whole.

    Their pages differ in size and lie side by side in a block. Source: vLLM `models/deepseek_v4/`, 0.29.0.
    """

    part: Literal["window", "compressed", "indexer", "open"]
    """The last tokens; the latents of all; the keys by which an indexer chooses of them; what is not compressed yet."""
    vector_bytes: int | None = None
    """None: those of a latent and its scales as vLLM packs them, whatever the widths."""
    tokens_each: int = 1
    """Tokens that a vector stands for."""
    window: int | None = None


@dataclass(frozen=True, kw_only=True)
class CrossAttentionSpec:
    """Keys and values of the encoder's output, for every layer of a decoder that looks at it."""

    heads: int
    key_dim: int
    tokens: int
    """The most that an encoder gives out."""


@dataclass(frozen=True, kw_only=True)
class MambaSpec:
    """What recurrent layers keep of a request, whatever its length: a convolution's window and a matrix for each head.

    Source: vLLM `model_executor/layers/mamba/mamba_utils.py::MambaStateShapeCalculator`.
    """

    kind: StateKind
    channels: int = 0
    """Of the convolution, without those of groups."""
    groups: int = 0
    """Of B and C (Mamba 2). Where tensor parallelism does not divide them, every GPU holds one."""
    group_channels: int = 0
    """Of each group."""
    rows: int = 0
    """Tokens that the convolution looks back: its kernel less one."""
    speculative_rows: bool = False
    """The window also holds every token that is speculated."""
    heads: int = 0
    matrix: int = 0
    """Entries of each head's matrix."""
    matrix_dtype: str | None = None
    """Type of the matrix where the model fixes it."""
    key_dim: int | None = None
    """Entries of a key, of gated delta nets whose layers can keep the state at the end of a prompt."""


CacheSpec: TypeAlias = AttentionSpec | MlaSpec | PackedMlaSpec | CrossAttentionSpec | MambaSpec
LayerSpecs: TypeAlias = tuple[tuple[CacheSpec, ...], ...]


@dataclass(frozen=True, kw_only=True)
class CacheLayers:
    """Every decoder layer's caches, in order; an empty tuple is a layer that keeps nothing (a plain MLP)."""

    layers: LayerSpecs
    exact: bool
    """False where the architecture is not known: then all layers are counted as full attention."""
    why: str = ""
    """What is not known, in words."""
    least: LayerSpecs | None = None
    """Where it is not exact, what the layers keep at least as far as the configuration tells."""
    most: LayerSpecs | None = None
    """And what they keep at most."""

    @cached_property
    def caches(self) -> tuple[CacheSpec, ...]:
        return tuple(cache for layer in self.layers for cache in layer)

    @cached_property
    def packed(self) -> bool:
        """Whether pages differ in size and lie side by side in a block."""
        return any(isinstance(cache, PackedMlaSpec) for cache in self.caches)

    @property
    def has_attention(self) -> bool:
        return any(not isinstance(cache, MambaSpec) for cache in self.caches)

    @property
    def draft_like(self) -> int | None:
        """Index of the layer that a layer of multi-token prediction is like; None where nothing attends.

        The last that keeps keys and values; of latents, some with an indexer, the last with one: it always has its own.
        """
        attending = [
            n for n, layer in enumerate(self.layers) if any(not isinstance(cache, MambaSpec) for cache in layer)
        ]
        latents = [n for n in attending if all(isinstance(cache, MlaSpec) for cache in self.layers[n])]
        if latents and len(latents) == len(attending):
            most = max(len(self.layers[n]) for n in latents)
            attending = [n for n in latents if len(self.layers[n]) == most]
        return attending[-1] if attending else None

    @property
    def state(self) -> MambaSpec | None:
        """The recurrent layers' state, which all of a model share."""
        return next((cache for cache in self.caches if isinstance(cache, MambaSpec)), None)
