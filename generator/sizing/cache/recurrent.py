"""The caches of models with recurrent layers: Mamba, gated delta nets, linear attention, short convolutions.

Shapes: each model's `get_mamba_state_shape_from_config` in `vllm/model_executor/models/`, 0.29.0, or as said there.
"""

from __future__ import annotations

from collections.abc import Sequence

from generator.sizing.cache.attention import FULL, head_dim, kv_heads, latent_of
from generator.sizing.cache.specs import AttentionSpec, CacheSpec, LayerSpecs, MambaSpec
from generator.sizing.config.config import ModelConfig


def _attention(config: ModelConfig) -> AttentionSpec:
    dim = head_dim(config)
    return AttentionSpec(heads=kv_heads(config), key_dim=dim, value_dim=dim)


def _kinds(config: ModelConfig) -> Sequence[str] | None:
    stated = config.get("layer_types")
    return [str(kind) for kind in stated] if isinstance(stated, list) else None


def _one_of(kinds: Sequence[str], caches: dict[str, tuple[CacheSpec, ...]]) -> LayerSpecs:
    """Each layer's caches by its word; a word that names none keeps nothing (MLP, mixture of experts)."""
    return tuple(caches.get(kind, ()) for kind in kinds)


def _mamba1(*, inner: int, state: int, kernel: int) -> MambaSpec:
    return MambaSpec(kind="mamba1", channels=inner, rows=kernel - 1, heads=inner, matrix=state)


def _mamba2(
    *,
    inner: int,
    state: int,
    kernel: int,
    groups: int,
    heads: int,
    dim: int,
    speculative: bool = False,
    matrix_dtype: str | None = None,
) -> MambaSpec:
    return MambaSpec(
        kind="mamba2",
        channels=inner,
        groups=groups,
        group_channels=2 * state,
        rows=kernel - 1,
        speculative_rows=speculative,
        heads=heads,
        matrix=dim * state,
        matrix_dtype=matrix_dtype,
    )


def mamba(config: ModelConfig) -> LayerSpecs:
    inner = config.integer("intermediate_size") or config.needed("expand") * config.needed("hidden_size")
    state = _mamba1(inner=inner, state=config.needed("state_size"), kernel=config.needed("conv_kernel"))
    return ((state,),) * config.layers


def mamba2(config: ModelConfig) -> LayerSpecs:
    state = _mamba2(
        inner=int(config.factor("expand", 2) * config.needed("hidden_size")),
        state=config.needed("state_size"),
        kernel=config.needed("conv_kernel"),
        groups=config.needed("n_groups"),
        heads=config.needed("num_heads"),
        dim=config.needed("head_dim"),
        speculative=True,
    )
    return ((state,),) * config.layers


def jamba(config: ModelConfig) -> LayerSpecs:
    state = _mamba1(
        inner=config.needed("mamba_expand") * config.needed("hidden_size"),
        state=config.needed("mamba_d_state"),
        kernel=config.needed("mamba_d_conv"),
    )
    period, offset = config.integer("attn_layer_period") or 8, config.whole("attn_layer_offset", 4)
    attending = _attention(config)
    return tuple((attending,) if i % period == offset else (state,) for i in range(config.layers))


def _mamba2_beside_attention(config: ModelConfig) -> MambaSpec:
    """The Mamba 2 words that Falcon-H1, Bamba and Granite share."""
    inner = config.integer("mamba_d_ssm") or int(config.factor("mamba_expand", 2) * config.needed("hidden_size"))
    heads = config.needed("mamba_n_heads")
    dim = None if config.get("mamba_d_head") == "auto" else config.integer("mamba_d_head")
    return _mamba2(
        inner=inner,
        state=config.needed("mamba_d_state"),
        kernel=config.needed("mamba_d_conv"),
        groups=config.needed("mamba_n_groups"),
        heads=heads,
        dim=dim or max(1, inner // heads),
    )


def falcon_h1(config: ModelConfig) -> LayerSpecs:
    """Attention and a Mamba 2 mixer side by side in every layer."""
    both = (_mamba2_beside_attention(config), _attention(config))
    return (both,) * config.layers


def granite(config: ModelConfig) -> LayerSpecs:
    kinds = _kinds(config) or ["mamba"] * config.layers
    attending = (_attention(config),)
    kinds = ["mamba" if kind == "linear_attention" else kind for kind in kinds]  # as transformers 5 writes it
    if "mamba" not in kinds:  # Granite 4 Micro has the hybrid's configuration and attention only
        return _one_of(kinds, {"attention": attending, FULL: attending})
    return _one_of(kinds, {"attention": attending, FULL: attending, "mamba": (_mamba2_beside_attention(config),)})


def bamba(config: ModelConfig) -> LayerSpecs:
    """Source: `bamba.py`, 0.22.0, the last release with it."""
    attending, state = (_attention(config),), (_mamba2_beside_attention(config),)
    where = config.listed("attn_layer_indices")
    return tuple(attending if i in where else state for i in range(config.layers))


def nemotron_h(config: ModelConfig) -> LayerSpecs:
    """`hybrid_override_pattern`: M is Mamba 2, * attention, - an MLP, E a mixture of experts."""
    heads, dim = config.needed("mamba_num_heads"), config.needed("mamba_head_dim")
    state = _mamba2(
        inner=heads * dim,
        state=config.needed("ssm_state_size"),
        kernel=config.needed("conv_kernel"),
        groups=config.needed("n_groups"),
        heads=heads,
        dim=dim,
        speculative=True,
        matrix_dtype=config.word("mamba_ssm_cache_dtype") or "float32",
    )
    return _one_of(hybrid_pattern(config) or "", {"M": (state,), "*": (_attention(config),)})


def hybrid_pattern(config: ModelConfig) -> str | None:
    """A letter for each layer of Nemotron-H, also where transformers 5 has written words; None for other models."""
    stated, kinds = config.word("hybrid_override_pattern"), _kinds(config)
    if stated or kinds is None or not config.model_type.startswith("nemotron_h"):
        return stated
    letters = {"mamba": "M", "linear_attention": "M", "attention": "*", "full_attention": "*", "mlp": "-", "moe": "E"}
    return "".join(letters.get(kind, "?") for kind in kinds)


def zamba2(config: ModelConfig) -> LayerSpecs:
    """Mamba 2 in every layer; in some also attention, which is one module's weights but has a cache at each place."""
    state = _mamba2(
        inner=config.needed("mamba_expand") * config.needed("hidden_size"),
        state=config.needed("mamba_d_state"),
        kernel=config.needed("mamba_d_conv"),
        groups=config.needed("mamba_ngroups"),
        heads=config.needed("n_mamba_heads"),
        dim=config.needed("mamba_headdim"),
    )
    heads = config.needed("num_attention_heads")
    dim = config.integer("attention_head_dim") or max(1, 2 * config.needed("hidden_size") // heads)
    both = (state, AttentionSpec(heads=heads, key_dim=dim, value_dim=dim))
    kinds = _kinds(config) or []
    where = config.listed("hybrid_layer_ids") or [i for i, kind in enumerate(kinds) if kind == "hybrid"]
    return tuple(both if i in where else (state,) for i in range(config.layers))


def gated_delta_net(config: ModelConfig) -> LayerSpecs:
    """Qwen 3 Next, Qwen 3.5, OLMo Hybrid: every fourth layer attends, where `layer_types` does not say otherwise.

    Qwen 3.5 alone reads `full_attention_interval` (`transformers_utils/configs/qwen3_5.py` and `qwen3_next.py`). Since
    0.32 transformers' classes stand for these, and Qwen 3 Next's reads it too, which is not counted here.
    """
    keys, values = config.needed("linear_num_key_heads"), config.needed("linear_num_value_heads")
    key_dim, value_dim = config.needed("linear_key_head_dim"), config.needed("linear_value_head_dim")
    state = MambaSpec(
        kind="gated_delta_net",
        channels=2 * keys * key_dim + values * value_dim,
        rows=config.needed("linear_conv_kernel_dim") - 1,
        speculative_rows=True,
        heads=values,
        matrix=key_dim * value_dim,
        matrix_dtype=config.word("mamba_ssm_dtype"),
        # OLMo Hybrid's layers are a class of their own (`olmo_gdn_linear_attn.py`, 0.33.0).
        key_dim=None if config.model_type == "olmo_hybrid" else key_dim,
    )
    stated = config.model_type.startswith("qwen3_5") and config.integer("full_attention_interval")
    every, count = stated or 4, config.layers
    kinds = _kinds(config) or [FULL if (i + 1) % every == 0 else "linear_attention" for i in range(count)]
    return _one_of(kinds, {"linear_attention": (state,), FULL: (_attention(config),)})


def linear_attention(config: ModelConfig) -> LayerSpecs:
    """MiniMax Text 01 and M1: `attn_type_list`, 0 is linear. Source: `minimax_text_01.py`, 0.22.0, the last with it."""
    dim = head_dim(config)
    state = MambaSpec(kind="linear_attention", heads=config.needed("num_attention_heads"), matrix=dim * dim)
    kinds = config.listed("attn_type_list") or [int(kind == FULL) for kind in _kinds(config) or []]
    return tuple((_attention(config),) if full else (state,) for full in kinds)


def linear_beside_latent(config: ModelConfig) -> LayerSpecs:
    """Ling and Ring 2.5 (`bailing_moe_linear.py`): linear attention, and every n-th layer latent attention."""
    dim = head_dim(config)
    state = MambaSpec(kind="linear_attention", heads=config.needed("num_attention_heads"), matrix=dim * dim)
    every = config.integer("layer_group_size") or 1
    return tuple((state,) if (i + 1) % every else (latent_of(config),) for i in range(config.layers))


def kimi_linear(config: ModelConfig) -> LayerSpecs:
    """Kimi Linear (`models/kimi_k3/`): Kimi delta attention, whose matrix is float32, and latent attention."""
    linear = config.part("linear_attn_config")
    heads, dim = linear.whole("num_heads", 0), linear.whole("head_dim", 0)
    state = MambaSpec(
        kind="kimi_delta",
        channels=3 * heads * dim,
        rows=(linear.integer("short_conv_kernel_size") or 4) - 1,
        speculative_rows=True,
        heads=heads,
        matrix=dim * dim,
        matrix_dtype="float32",
    )
    recurrent = linear.listed("kda_layers")  # which count from 1
    return tuple((state,) if i + 1 in recurrent else (latent_of(config),) for i in range(config.layers))


def short_convolution(config: ModelConfig) -> LayerSpecs:
    """LFM2: a convolution over the last tokens, and attention."""
    state = MambaSpec(
        kind="short_conv",
        channels=config.integer("conv_dim") or config.needed("hidden_size"),
        rows=config.needed("conv_L_cache") - 1,
    )
    kinds = _kinds(config)
    if kinds is None:
        where = config.listed("full_attn_idxs")
        kinds = [FULL if i in where else "conv" for i in range(config.layers)]
    return _one_of(kinds, {"conv": (state,), FULL: (_attention(config),)})
