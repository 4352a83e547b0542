"""The caches of layers that attend: keys and values, windows, latents, the encoder's output.

Each rule takes a configuration and gives every decoder layer's caches. Sources: `vllm/model_executor/models/` and
`transformers_utils/model_arch_config_convertor.py`, 0.29.0, unless said otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from generator.errors import UserError
from generator.sizing.cache.specs import (
    AttentionSpec,
    CacheSpec,
    CrossAttentionSpec,
    LayerSpecs,
    MlaSpec,
    PackedMlaSpec,
)
from generator.sizing.config.config import ModelConfig

SLIDING, FULL = "sliding_attention", "full_attention"


def kv_heads(config: ModelConfig) -> int:
    """Key-value heads of a layer; as many as query heads where the configuration names none."""
    # The first Falcons (7B): one head of keys and values, whatever num_kv_heads says.
    if config.get("multi_query") is True and not config.get("new_decoder_architecture"):
        return 1
    if config.get("attn_config") is not None and (heads := config.part("attn_config").integer("kv_n_heads")):  # DBRX
        return heads
    return config.integer("num_key_value_heads") or config.needed("num_attention_heads")


def head_dim(config: ModelConfig) -> int:
    """Entries of a head's key."""
    return config.integer("head_dim") or _width(config, config.needed("num_attention_heads"))


def _width(config: ModelConfig, heads: int) -> int:
    """Entries of one of so many heads."""
    return max(1, config.needed("hidden_size") // heads)


def _window(config: ModelConfig) -> int | None:
    """Tokens of the sliding window; None where there is none, or where the configuration says not to use it."""
    window = config.get("sliding_window", config.get("sliding_window_size"))
    return window if config.get("use_sliding_window", True) and isinstance(window, int) and window > 0 else None


def layer_kinds(config: ModelConfig) -> tuple[str, ...] | None:
    """Each layer's word in `layer_types`, or by the pattern that stood for it before; None where nothing is said."""
    count = config.layers
    stated = config.get("layer_types")
    if isinstance(stated, list) and len(stated) >= count:
        return tuple(str(kind) for kind in stated[:count])
    pattern = config.get("sliding_window_pattern")
    if isinstance(pattern, str) and pattern:  # EXAONE 4: LLLG
        return tuple(SLIDING if pattern[i % len(pattern)] == "L" else FULL for i in range(count))
    every = {"gemma2": 2, "gpt_oss": 2}.get(config.model_type, pattern)
    if isinstance(every, int) and every > 0:
        return tuple(SLIDING if (i + 1) % every else FULL for i in range(count))
    return None


def attention(config: ModelConfig) -> LayerSpecs:
    """Keys and values in every layer: of a window where `layer_types` says so, or where all layers have one."""
    kinds, window = layer_kinds(config), _window(config)
    if kinds is None or all(kind == SLIDING for kind in kinds):
        return tuple((_plain(config, window),) for _ in range(config.layers))
    return tuple((_plain(config, window if kind == SLIDING else None),) for kind in kinds)


def attention_without_kinds(config: ModelConfig) -> LayerSpecs:
    """As `attention`, of models whose code in vLLM does not read `layer_types`: mixed layers all keep everything."""
    kinds, window = layer_kinds(config), _window(config)
    mixed = kinds is not None and any(kind != SLIDING for kind in kinds)
    return tuple((_plain(config, None if mixed else window),) for _ in range(config.layers))


def inclusive_window(config: ModelConfig) -> LayerSpecs:
    """Command R (`commandr.py`): as `attention`, the window counted without the token that looks."""
    window = _window(config)
    seen = None if window is None else window + 1
    kinds = layer_kinds(config) or (FULL,) * config.layers
    return tuple((_plain(config, seen if kind == SLIDING else None),) for kind in kinds)


def _plain(config: ModelConfig, window: int | None) -> AttentionSpec:
    dim = head_dim(config)
    return AttentionSpec(heads=kv_heads(config), key_dim=dim, value_dim=dim, window=window)


def chunked(config: ModelConfig) -> LayerSpecs:
    """Llama 4: local attention in chunks, and every fourth layer (without rotary positions) over all tokens."""
    count, dim = config.layers, head_dim(config)
    rotary = config.get("no_rope_layers")
    if not isinstance(rotary, list) or len(rotary) != count:
        every = config.integer("no_rope_layer_interval") or 4
        rotary = [(i + 1) % every for i in range(count)]
    size = config.integer("attention_chunk_size")
    return tuple(
        (AttentionSpec(heads=kv_heads(config), key_dim=dim, value_dim=dim, chunk=size if local else None),)
        for local in rotary
    )


def shared(config: ModelConfig) -> LayerSpecs:
    """Gemma 3n and 4: the last layers read an earlier layer's keys and values; full layers may have wider heads."""
    kinds, window = layer_kinds(config), _window(config)
    count = config.layers
    kinds = kinds or (FULL,) * count
    # Gemma 4's, where nothing is said (transformers' Gemma4TextConfig).
    usual = 512 if config.model_type.startswith("gemma4") else head_dim(config)
    width = config.integer("global_head_dim") or usual
    wide = AttentionSpec(
        heads=(config.get("attention_k_eq_v") and config.integer("num_global_key_value_heads")) or kv_heads(config),
        key_dim=width,
        value_dim=width,
    )
    with_cache = count - config.whole("num_kv_shared_layers", 0)
    if with_cache < 1:
        raise UserError(f"none of {count} layers has a cache of its own", where=config.where, fix=config.fix)
    each = [(_plain(config, window) if kind == SLIDING else wide) for kind in kinds]
    return tuple((cache,) if i < with_cache else () for i, cache in enumerate(each))


def two_shapes(config: ModelConfig) -> LayerSpecs:
    """MiMo V2: window layers have heads of their own, and values may be narrower than keys."""
    full = AttentionSpec(
        heads=kv_heads(config),
        key_dim=head_dim(config),
        value_dim=config.integer("v_head_dim") or head_dim(config),
    )
    local = AttentionSpec(
        heads=config.integer("swa_num_key_value_heads") or full.heads,
        key_dim=config.integer("swa_head_dim") or full.key_dim,
        value_dim=config.integer("swa_v_head_dim") or config.integer("swa_head_dim") or full.value_dim,
        window=_window(config),
    )
    pattern = config.get("hybrid_layer_pattern")
    local_layers = pattern if isinstance(pattern, list) else [0] * config.layers
    return tuple((local,) if is_local else (full,) for is_local in local_layers)


def heads_by_layer(config: ModelConfig) -> LayerSpecs:
    """Llama Nemotron (`nemotron_nas.py`): `block_configs` gives each layer's heads in a group, or no attention."""
    dim, queries = head_dim(config), config.needed("num_attention_heads")
    blocks = config.get("block_configs")
    if not isinstance(blocks, list):
        return attention(config)
    parts = [replace(config, data=block if isinstance(block, dict) else {}).part("attention") for block in blocks]
    return tuple(
        (AttentionSpec(heads=max(1, queries // group), key_dim=dim, value_dim=dim),)
        if not stated.get("no_op") and (group := stated.integer("n_heads_in_group"))
        else ()
        for stated in parts
    )


def one_head(config: ModelConfig) -> LayerSpecs:
    """Step 3 (`step3_text.py`): one key-value head, whatever the configuration says."""
    dim = head_dim(config)
    return tuple((AttentionSpec(heads=1, key_dim=dim, value_dim=dim),) for _ in range(config.layers))


def uncompressed(config: ModelConfig) -> LayerSpecs:
    """MiniCPM 3: latent attention that vLLM caches uncompressed, values as wide as keys."""
    dim = config.needed("qk_nope_head_dim") + config.needed("qk_rope_head_dim")
    each = AttentionSpec(heads=config.needed("num_attention_heads"), key_dim=dim, value_dim=dim)
    return tuple((each,) for _ in range(config.layers))


def latent_of(config: ModelConfig) -> MlaSpec:
    return MlaSpec(width=config.needed("kv_lora_rank") + config.whole("qk_rope_head_dim", 0))


def latent(config: ModelConfig) -> LayerSpecs:
    """Multi-head latent attention; plain attention where the model's configuration has no latent (DeepSeek's first)."""
    if config.integer("kv_lora_rank") is None:
        return attention(config)
    return ((latent_of(config),),) * config.layers


def latent_twice(config: ModelConfig) -> LayerSpecs:
    """LongCat Flash: two attention modules in every layer."""
    return ((latent_of(config), latent_of(config)),) * config.layers


def sparse_latent(config: ModelConfig) -> LayerSpecs:
    """DeepSeek V3.2, GLM 5: beside the latent, the indexer's key, in layers that choose their tokens anew.

    The others take the choice of the layer before: by a pattern of F (full) and S (shared), or all but every
    `index_topk_freq`-th after the first ones (`vllm/models/deepseek_v32/attention.py`).
    """
    indexer = MlaSpec(width=_indexer_key(config.needed("index_head_dim")), bytes_each=1)
    pattern, every = config.get("index_topk_pattern") or "", config.whole("index_topk_freq", 1) or 1
    first = config.whole("index_skip_topk_offset", 2)

    def shares(layer: int) -> bool:
        if pattern:
            return layer < len(pattern) and pattern[layer] == "S"
        return max(layer - first + 1, 0) % every != 0

    whole, shared = (indexer, latent_of(config)), (latent_of(config),)
    return tuple(shared if shares(layer) else whole for layer in range(config.layers))


def _indexer_key(width: int) -> int:
    """Bytes of an indexer's key: an entry each, and four of scale for every 128."""
    return width + width // 128 * 4


def packed_latent(config: ModelConfig) -> LayerSpecs:
    """DeepSeek V4: a window in every layer; where `compress_ratios` says 4 or 128, a latent for so many tokens too.

    Tokens that are not compressed yet wait as two float32 vectors each; 4 compresses overlapping groups, so theirs are
    twice as wide and wait twice as long. At 4 an indexer keeps keys, compressed by the same rule.
    Sources: `models/deepseek_v4/attention.py`, `compressor.py::CompressorStateCache`.
    """
    count, indexed = config.layers, config.needed("index_head_dim")
    window = PackedMlaSpec(part="window", window=config.needed("sliding_window"))
    caches: dict[int, tuple[CacheSpec, ...]] = {
        0: (window,),
        1: (window,),
        4: (
            PackedMlaSpec(part="indexer", vector_bytes=_indexer_key(indexed), tokens_each=4),
            PackedMlaSpec(part="open", vector_bytes=2 * 2 * indexed * 4, window=8),
            window,
            PackedMlaSpec(part="compressed", tokens_each=4),
            PackedMlaSpec(part="open", vector_bytes=2 * 2 * head_dim(config) * 4, window=8),
        ),
        128: (
            window,
            PackedMlaSpec(part="compressed", tokens_each=128),
            PackedMlaSpec(part="open", vector_bytes=2 * head_dim(config) * 4, window=128),
        ),
    }
    ratios = config.get("compress_ratios")
    known = list(caches)  # in which also what has no hash may be looked for
    if not isinstance(ratios, list) or len(ratios) < count or any(ratio not in known for ratio in ratios[:count]):
        what = f"`compress_ratios` does not say 0, 1, 4 or 128 for each of {count} layers"
        raise UserError(what, where=config.where, fix=config.fix)
    return tuple(caches[ratio] for ratio in ratios[:count])


def encoder_decoder(config: ModelConfig) -> LayerSpecs:
    """Whisper: its own keys and values, and those of the encoder's output."""
    heads = config.integer("decoder_attention_heads") or config.needed("num_attention_heads")
    dim = _width(config, heads)
    decoding = AttentionSpec(heads=heads, key_dim=dim, value_dim=dim)
    cross = CrossAttentionSpec(heads=heads, key_dim=dim, tokens=config.needed("max_source_positions"))
    return ((decoding, cross),) * (config.more_layers("decoder_layers") or config.layers)


def nothing(config: ModelConfig) -> LayerSpecs:
    """Encoders (BERT and its like): a request is answered in one step, so nothing is kept."""
    return ((),) * config.more_layers("num_hidden_layers")
