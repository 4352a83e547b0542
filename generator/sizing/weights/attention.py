"""The matrices of layers that attend."""

from __future__ import annotations

from collections.abc import Iterator

from generator.sizing.cache.attention import head_dim
from generator.sizing.cache.specs import AttentionSpec, PackedMlaSpec
from generator.sizing.config.config import ModelConfig
from generator.sizing.weights.matrix import Matrix


def attention(config: ModelConfig, cache: AttentionSpec, name: str) -> Iterator[Matrix]:
    hidden = config.needed("hidden_size") * (2 if config.model_type == "zamba2" else 1)
    queries = config.integer("num_attention_heads") or cache.heads
    # These have it where nothing is said (vllm/model_executor/models/qwen3_next.py, afmoe.py).
    gate = 2 if config.get("attn_output_gate", config.model_type.startswith(("qwen3_next", "qwen3_5", "afmoe"))) else 1
    yield Matrix(name=f"{name}.q_proj", rows=queries * cache.key_dim * gate, columns=hidden)
    for part, dim in (("k_proj", cache.key_dim), ("v_proj", cache.value_dim)):
        rows = cache.heads * dim
        yield Matrix(name=f"{name}.{part}", rows=rows, columns=hidden, sharding="qkv", heads=cache.heads)
    inner = queries * cache.value_dim
    yield Matrix(name=f"{name}.o_proj", rows=config.needed("hidden_size"), columns=inner, sharding="row")
    small = _small_of_attention(config, queries * cache.key_dim, cache.heads * cache.key_dim)
    if small:
        yield Matrix(name=f"{name}.small", rows=1, columns=small, linear=False)


def zamba2_joint(config: ModelConfig) -> Iterator[Matrix]:
    """What each place where Zamba 2 attends has of its own: thin matrices beside the shared ones, and a projection.

    Source: `vllm/model_executor/models/zamba2.py`.
    """
    hidden, rank = config.needed("hidden_size"), config.whole("adapter_rank", 0)
    adapted = [("feed_forward.gate_up_proj", hidden, 2 * config.needed("intermediate_size"))]
    if config.get("use_shared_attention_adapter"):
        adapted += [(f"self_attn.linear_{part}", 2 * hidden, 2 * hidden) for part in "qkv"]
    for name, inputs, outputs in adapted:
        yield Matrix(name=f"{name}_adapter.A", rows=rank, columns=inputs)
        yield Matrix(name=f"{name}_adapter.B", rows=outputs, columns=rank)
    yield Matrix(name="linear", rows=hidden, columns=hidden, sharding="replicated")


def _small_of_attention(config: ModelConfig, queries: int, keys: int) -> int:
    """Entries of biases and of norms of queries and keys."""
    kind = config.model_type
    biases = queries + 2 * keys
    stated = config.get("attention_bias", config.get("qkv_bias"))
    entries = 0
    if stated is True:
        entries = biases + (0 if config.get("qkv_bias") else config.needed("hidden_size"))
    elif stated is None and (kind in ("qwen2", "qwen2_moe", "qwen2_vl", "qwen2_5_vl") or _is(config, "Qwen2")):
        entries = biases
    if kind.startswith(("qwen3", "gemma3", "gemma4")) or _is(config, "Qwen3"):
        entries += 2 * (config.integer("head_dim") or 0)
    return entries


def _is(config: ModelConfig, family: str) -> bool:
    """Whether the architecture is of a family, where the configuration has no `model_type`."""
    named = config.data.get("architectures")
    return not config.model_type and isinstance(named, list) and bool(named) and str(named[0]).startswith(family)


def latent_attention(config: ModelConfig) -> Iterator[Matrix]:
    hidden, heads = config.needed("hidden_size"), config.needed("num_attention_heads")
    latent, rope = config.needed("kv_lora_rank"), config.whole("qk_rope_head_dim", 64)
    plain, values = latent_dims(config)
    compressed = config.integer("q_lora_rank")
    if compressed:
        yield Matrix(name="self_attn.q_a_proj", rows=compressed, columns=hidden, sharding="replicated")
        yield Matrix(name="self_attn.q_b_proj", rows=heads * (plain + rope), columns=compressed)
    else:
        yield Matrix(name="self_attn.q_proj", rows=heads * (plain + rope), columns=hidden)
    yield Matrix(name="self_attn.kv_a_proj_with_mqa", rows=latent + rope, columns=hidden, sharding="replicated")
    yield Matrix(name="self_attn.kv_b_proj", rows=heads * (plain + values), columns=latent)
    yield Matrix(name="self_attn.o_proj", rows=hidden, columns=heads * values, sharding="row")


def latent_dims(config: ModelConfig) -> tuple[int, int]:
    """Entries of a head's key without positions, and of its value (128 each in DeepSeek's own defaults)."""
    return config.integer("qk_nope_head_dim") or 128, config.integer("v_head_dim") or 128


def absorbed(config: ModelConfig) -> Matrix | None:
    """What vLLM makes of latent attention's kv_b_proj beside it, unquantized, in each layer.

    Source: `vllm/model_executor/layers/attention/mla_attention.py::process_weights_after_loading` (W_UK, W_UV).
    """
    if config.integer("kv_lora_rank") is None or config.model_type == "minicpm3":
        return None
    rows = config.needed("num_attention_heads") * sum(latent_dims(config))
    return Matrix(name="absorbed", rows=rows, columns=config.needed("kv_lora_rank"), linear=False)


def indexer(config: ModelConfig) -> Iterator[Matrix]:
    heads, width, hidden = config.needed("index_n_heads"), config.needed("index_head_dim"), config.needed("hidden_size")
    name = "self_attn.indexer"
    yield Matrix(
        name=f"{name}.wq_b", rows=heads * width, columns=config.integer("q_lora_rank") or hidden, sharding="replicated"
    )
    yield Matrix(name=f"{name}.wk", rows=width, columns=hidden, sharding="replicated")
    yield Matrix(name=f"{name}.weights_proj", rows=heads, columns=hidden, sharding="replicated", linear=False)


def packed_latent(config: ModelConfig, cache: PackedMlaSpec) -> Iterator[Matrix]:
    """DeepSeek V4: attention where its window is, compressors where their open tokens are (`models/deepseek_v4/`)."""
    hidden, inner = config.needed("hidden_size"), config.needed("num_attention_heads") * head_dim(config)
    if cache.part == "window":
        queries, outputs = config.needed("q_lora_rank"), config.needed("o_groups") * config.needed("o_lora_rank")
        yield Matrix(name="attn.wq_a", rows=queries, columns=hidden, sharding="replicated")
        yield Matrix(name="attn.wq_b", rows=inner, columns=queries)
        yield Matrix(name="attn.wkv", rows=head_dim(config), columns=hidden, sharding="replicated")
        yield Matrix(name="attn.wo_a", rows=outputs, columns=inner // config.needed("o_groups"))
        yield Matrix(name="attn.wo_b", rows=hidden, columns=outputs, sharding="row")
        streams = config.needed("hc_mult")  # hyper-connections: a mix of so many residual streams, twice a layer
        yield Matrix(
            name="hyper_connections",
            rows=2 * (2 + streams) * streams,
            columns=streams * hidden,
            sharding="replicated",
            linear=False,
            width=4,
        )
    elif cache.part == "indexer":
        heads, queries = config.needed("index_n_heads"), config.needed("q_lora_rank")
        rows = heads * config.needed("index_head_dim")
        yield Matrix(name="attn.indexer.wq_b", rows=rows, columns=queries, sharding="replicated")
        yield Matrix(name="attn.indexer.weights_proj", rows=heads, columns=hidden, sharding="replicated", linear=False)
    elif cache.part == "open" and cache.vector_bytes and cache.window:
        width = cache.vector_bytes // 8  # keys, and what they are weighed by
        positions = 4 if cache.window == 8 else cache.window
        yield Matrix(name="attn.compressor", rows=2 * width, columns=hidden, sharding="replicated", linear=False)
        yield Matrix(
            name="attn.compressor.ape", rows=positions, columns=width, sharding="replicated", linear=False, width=4
        )
