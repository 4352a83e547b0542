"""Every matrix of a model by name, layer for layer. Takes its config.json and the layers' caches, gives their modules.

What a layer caches tells what it is made of: keys and values mean attention, a state means a recurrent mixer. Forms:
transformers' modeling files and `vllm/model_executor/models/` 0.29.0. Names are those of the checkpoints, since
quantization names the layers it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal

from .attention_layers import head_dim, kv_heads
from .config import ModelConfig
from .layers import Cache, CacheLayers, CrossKeyValues, KeyValues, Latent, PackedLatent, State

Share = Literal["tensor", "key_value", "expert", "vocabulary", "whole"]
"""What tensor parallelism does with a module: divide it, divide it by key-value heads, by experts, or repeat it."""


@dataclass(frozen=True, kw_only=True)
class Module:
    name: str
    rows: int
    """Outputs."""
    columns: int
    """Inputs."""
    share: Share = "tensor"
    count: int = 1
    """Of experts."""
    heads: int = 0
    """Key-value heads, where `share` is key_value."""
    linear: bool = True
    """False: no linear layer, which quantization leaves as it is."""
    width: int | None = None
    """Bytes of an entry where the type is fixed."""

    @property
    def parameters(self) -> int:
        return self.rows * self.columns * self.count


# Feed-forward layers of two matrices; all others have a gate as third.
_UNGATED = frozenset(
    [
        "bloom",
        "codegen",
        "falcon",
        "gpt2",
        "gpt_bigcode",
        "gpt_neox",
        "gptj",
        "mpt",
        "nemotron",
        "nemotron_h",
        "opt",
        "persimmon",
        "phi",
        "starcoder2",
        "whisper",
        "xglm",
        "bert",
        "roberta",
        "xlm-roberta",
        "apertus",
        "arcee",
    ]
)
# The word for the feed-forward part, and for the mixer, in the names of a checkpoint's tensors.
_MLP_WORDS = {"mixtral": "block_sparse_moe", "phimoe": "block_sparse_moe", "minimax_m2": "block_sparse_moe"}
_MLP_WORDS |= {
    "llama4_text": "feed_forward",
    "llama4": "feed_forward",
    "nemotron_h": "mixer",
    "lfm2_moe": "feed_forward",
}


def decoder(config: ModelConfig, caches: CacheLayers) -> list[tuple[Module, ...]]:
    """The modules of every decoder layer, in order; layers of one kind share a tuple.

    Raises UserError where a size is missing.
    """
    shared = config.whole("num_kv_shared_layers", 0)
    blocks = config.integer("num_mem_blocks") if config.model_type == "zamba2" else None
    attending, encodes = 0, is_encoder(config, caches)
    layers: list[tuple[Module, ...]] = []
    kinds: dict[object, tuple[Module, ...]] = {}
    for index, cached in enumerate(caches.layers):
        kept = (_encoding(config),) if encodes else cached
        if not cached and shared:  # they read another layer's cache with queries of their own
            kept = next(one for one in caches.layers if one)
        attending += len(cached) > 1
        if blocks is not None and len(cached) > 1 and attending > blocks:
            kept = cached[:1]  # Zamba 2 attends with the same few blocks' weights at all its places
        kind = (kept, _feed_forward_kind(config, index, kept, len(caches.layers) - shared))
        if kind not in kinds:
            kinds[kind] = (*_mixer(config, kept), *_feed_forward(config, kind[1]), *_norms(config))
        layers.append(kinds[kind])
    return layers


def is_encoder(config: ModelConfig, caches: CacheLayers) -> bool:
    """Whether the model attends and keeps nothing: it makes vectors, and has no output head."""
    return not caches.caches and config.integer("num_attention_heads") is not None


def _encoding(config: ModelConfig) -> KeyValues:
    return KeyValues(heads=kv_heads(config), key_dim=head_dim(config), value_dim=head_dim(config))


def _mixer(config: ModelConfig, cached: tuple[Cache, ...]) -> Iterator[Module]:
    for cache in cached:
        match cache:
            case KeyValues():
                yield from _attention(config, cache, "self_attn")
            case CrossKeyValues(heads=heads, key_dim=dim):
                yield from _attention(config, KeyValues(heads=heads, key_dim=dim, value_dim=dim), "encoder_attn")
            case Latent(bytes_each=None):
                yield from _latent_attention(config)
            case Latent():
                yield from _indexer(config)
            case PackedLatent():
                yield from _packed_latent(config, cache)
            case State():
                yield from _STATES[cache.kind](config, cache)


def _attention(config: ModelConfig, cache: KeyValues, name: str) -> Iterator[Module]:
    hidden = config.needed("hidden_size") * (2 if config.model_type == "zamba2" else 1)
    queries = config.integer("num_attention_heads") or cache.heads
    kv = {"share": "key_value", "heads": cache.heads}
    gate = 2 if config.get("attn_output_gate") else 1
    yield Module(name=f"{name}.q_proj", rows=queries * cache.key_dim * gate, columns=hidden)
    yield Module(name=f"{name}.k_proj", rows=cache.heads * cache.key_dim, columns=hidden, **kv)
    yield Module(name=f"{name}.v_proj", rows=cache.heads * cache.value_dim, columns=hidden, **kv)
    yield Module(name=f"{name}.o_proj", rows=config.needed("hidden_size"), columns=queries * cache.value_dim)
    small = _small_of_attention(config, queries * cache.key_dim, cache.heads * cache.key_dim)
    if small:
        yield Module(name=f"{name}.small", rows=1, columns=small, linear=False)


def _small_of_attention(config: ModelConfig, queries: int, keys: int) -> int:
    """Entries of biases and of norms of queries and keys."""
    kind = config.model_type
    biases = queries + 2 * keys
    stated = config.get("attention_bias", config.get("qkv_bias"))
    found = 0
    if stated is True:
        found = biases + (0 if config.get("qkv_bias") else config.needed("hidden_size"))
    elif stated is None and (kind in ("qwen2", "qwen2_moe", "qwen2_vl", "qwen2_5_vl") or _is(config, "Qwen2")):
        found = biases
    if kind.startswith(("qwen3", "gemma3", "gemma4")) or _is(config, "Qwen3"):
        found += 2 * (config.integer("head_dim") or 0)
    return found


def _is(config: ModelConfig, family: str) -> bool:
    """Whether the architecture is of a family, where the configuration has no `model_type`."""
    named = config.data.get("architectures")
    return not config.model_type and isinstance(named, list) and bool(named) and str(named[0]).startswith(family)


def _latent_attention(config: ModelConfig) -> Iterator[Module]:
    hidden, heads = config.needed("hidden_size"), config.needed("num_attention_heads")
    latent, rope = config.needed("kv_lora_rank"), config.whole("qk_rope_head_dim", 64)
    plain, values = _latent_dims(config)
    compressed = config.integer("q_lora_rank")
    if compressed:
        yield Module(name="self_attn.q_a_proj", rows=compressed, columns=hidden, share="whole")
        yield Module(name="self_attn.q_b_proj", rows=heads * (plain + rope), columns=compressed)
    else:
        yield Module(name="self_attn.q_proj", rows=heads * (plain + rope), columns=hidden)
    yield Module(name="self_attn.kv_a_proj_with_mqa", rows=latent + rope, columns=hidden, share="whole")
    yield Module(name="self_attn.kv_b_proj", rows=heads * (plain + values), columns=latent)
    yield Module(name="self_attn.o_proj", rows=hidden, columns=heads * values)


def _latent_dims(config: ModelConfig) -> tuple[int, int]:
    """Entries of a head's key without positions, and of its value (128 each in DeepSeek's own defaults)."""
    return config.integer("qk_nope_head_dim") or 128, config.integer("v_head_dim") or 128


def absorbed(config: ModelConfig) -> Module | None:
    """What vLLM makes of latent attention's kv_b_proj beside it, unquantized, in each layer.

    Source: `vllm/model_executor/layers/attention/mla_attention.py::process_weights_after_loading` (W_UK, W_UV).
    """
    if config.integer("kv_lora_rank") is None:
        return None
    rows = config.needed("num_attention_heads") * sum(_latent_dims(config))
    return Module(name="absorbed", rows=rows, columns=config.needed("kv_lora_rank"), linear=False)


def _indexer(config: ModelConfig) -> Iterator[Module]:
    heads, width, hidden = config.needed("index_n_heads"), config.needed("index_head_dim"), config.needed("hidden_size")
    name = "self_attn.indexer"
    yield Module(
        name=f"{name}.wq_b", rows=heads * width, columns=config.integer("q_lora_rank") or hidden, share="whole"
    )
    yield Module(name=f"{name}.wk", rows=width, columns=hidden, share="whole")
    yield Module(name=f"{name}.weights_proj", rows=heads, columns=hidden, share="whole", linear=False)


def _packed_latent(config: ModelConfig, cache: PackedLatent) -> Iterator[Module]:
    """DeepSeek V4: attention where its window is, compressors where their open tokens are (`models/deepseek_v4/`)."""
    hidden, inner = config.needed("hidden_size"), config.needed("num_attention_heads") * head_dim(config)
    if cache.part == "window":
        queries, outputs = config.needed("q_lora_rank"), config.needed("o_groups") * config.needed("o_lora_rank")
        yield Module(name="attn.wq_a", rows=queries, columns=hidden, share="whole")
        yield Module(name="attn.wq_b", rows=inner, columns=queries)
        yield Module(name="attn.wkv", rows=head_dim(config), columns=hidden, share="whole")
        yield Module(name="attn.wo_a", rows=outputs, columns=inner // config.needed("o_groups"))
        yield Module(name="attn.wo_b", rows=hidden, columns=outputs)
        streams = config.needed("hc_mult")  # hyper-connections: a mix of so many residual streams, twice a layer
        yield Module(
            name="hyper_connections",
            rows=2 * (2 + streams) * streams,
            columns=streams * hidden,
            share="whole",
            linear=False,
            width=4,
        )
    elif cache.part == "indexer":
        heads, queries = config.needed("index_n_heads"), config.needed("q_lora_rank")
        rows = heads * config.needed("index_head_dim")
        yield Module(name="attn.indexer.wq_b", rows=rows, columns=queries, share="whole")
        yield Module(name="attn.indexer.weights_proj", rows=heads, columns=hidden, share="whole", linear=False)
    elif cache.part == "open" and cache.vector_bytes:
        yield Module(name="attn.compressor", rows=cache.vector_bytes // 4, columns=hidden, share="whole", linear=False)


def _mamba2(config: ModelConfig, state: State) -> Iterator[Module]:
    hidden, convolved = config.needed("hidden_size"), state.channels + state.groups * state.group_channels
    name = "mixer" if config.model_type in ("nemotron_h", "mamba2") else "mamba"
    yield Module(name=f"{name}.in_proj", rows=state.channels + convolved + state.heads, columns=hidden)
    bias = 1 if config.get("mamba_conv_bias", config.get("use_conv_bias", True)) else 0
    yield Module(name=f"{name}.conv1d", rows=convolved, columns=state.rows + 1 + bias, linear=False)
    yield Module(name=f"{name}.heads", rows=3, columns=state.heads, linear=False, width=4)
    small = state.channels if config.get("mamba_rms_norm") else 0
    small += hidden if config.get("projectors_bias") else 0
    small += state.channels + convolved + state.heads if config.get("mamba_proj_bias") else 0
    if small:
        yield Module(name=f"{name}.small", rows=1, columns=small, linear=False)
    yield Module(name=f"{name}.out_proj", rows=hidden, columns=state.channels)


def _mamba1(config: ModelConfig, state: State) -> Iterator[Module]:
    hidden = config.needed("hidden_size")
    rank = config.get("mamba_dt_rank", config.get("time_step_rank"))
    rank = rank if isinstance(rank, int) else ceil(hidden / 16)
    yield Module(name="mamba.in_proj", rows=2 * state.channels, columns=hidden)
    yield Module(name="mamba.conv1d", rows=state.channels, columns=state.rows + 2, linear=False)
    yield Module(name="mamba.x_proj", rows=rank + 2 * state.matrix, columns=state.channels)
    yield Module(name="mamba.dt_proj", rows=state.channels, columns=rank)
    yield Module(name="mamba.A_log", rows=state.channels, columns=state.matrix, linear=False, width=4)
    yield Module(name="mamba.out_proj", rows=hidden, columns=state.channels)


def _gated_delta_net(config: ModelConfig, state: State) -> Iterator[Module]:
    hidden, values = config.needed("hidden_size"), state.heads * config.needed("linear_value_head_dim")
    yield Module(name="linear_attn.in_proj_qkvz", rows=state.channels + values, columns=hidden)
    yield Module(name="linear_attn.in_proj_ba", rows=2 * state.heads, columns=hidden)
    yield Module(name="linear_attn.conv1d", rows=state.channels, columns=state.rows + 1, linear=False)
    yield Module(name="linear_attn.out_proj", rows=hidden, columns=values)


def _linear_attention(config: ModelConfig, state: State) -> Iterator[Module]:
    hidden, inner = config.needed("hidden_size"), state.heads * head_dim(config)
    yield Module(name="self_attn.qkv_proj", rows=3 * inner, columns=hidden)
    yield Module(name="self_attn.output_gate", rows=inner, columns=hidden)
    yield Module(name="self_attn.out_proj", rows=hidden, columns=inner)


def _short_convolution(config: ModelConfig, state: State) -> Iterator[Module]:
    hidden = config.needed("hidden_size")
    yield Module(name="conv.in_proj", rows=3 * state.channels, columns=hidden)
    yield Module(name="conv.conv", rows=state.channels, columns=state.rows + 1, linear=False)
    yield Module(name="conv.out_proj", rows=hidden, columns=state.channels)


def _kimi_delta(config: ModelConfig, state: State) -> Iterator[Module]:
    hidden, inner = config.needed("hidden_size"), state.channels // 3
    rank = inner // max(1, state.heads)
    yield Module(name="self_attn.qkv_proj", rows=state.channels, columns=hidden)
    yield Module(name="self_attn.conv1d", rows=state.channels, columns=state.rows + 1, linear=False)
    for part in "fg":  # of the decay and of the gate, each in two narrow steps
        yield Module(name=f"self_attn.{part}_a_proj", rows=rank, columns=hidden, share="whole")
        yield Module(name=f"self_attn.{part}_b_proj", rows=inner, columns=rank)
    yield Module(name="self_attn.b_proj", rows=state.heads, columns=hidden)
    yield Module(name="self_attn.o_proj", rows=hidden, columns=inner)


_STATES = {
    "mamba1": _mamba1,
    "mamba2": _mamba2,
    "gated_delta_net": _gated_delta_net,
    "linear_attention": _linear_attention,
    "short_conv": _short_convolution,
    "kimi_delta": _kimi_delta,
}


def experts_of(config: ModelConfig) -> int:
    """Routed experts of a layer that has them; 0 for a dense model."""
    count = config.get("num_experts")
    if isinstance(count, list):
        count = max(count, default=0)
    return count if isinstance(count, int) and count > 1 else 0


def expert_width(config: ModelConfig) -> int:
    """Intermediate size of one routed expert."""
    return config.integer("moe_intermediate_size") or config.needed("intermediate_size")


def has_experts(config: ModelConfig, layer: int) -> bool:
    """Whether the layer's feed-forward part is a mixture, by the words that models have for it."""
    if not experts_of(config):
        return False
    pattern = config.get("hybrid_override_pattern")
    if isinstance(pattern, str):
        return pattern[layer] == "E"
    listed = config.get("moe_layers")
    if isinstance(listed, str):
        listed = [int(one) for one in listed.split(",") if one.strip()]
    if isinstance(listed, list):
        return layer in listed
    frequency = config.get("moe_layer_freq", 1)
    if isinstance(frequency, list):
        return bool(frequency[layer])
    if layer < config.whole("first_k_dense_replace", 0) or layer in (config.get("mlp_only_layers") or ()):
        return False
    if config.get("expert_layer_period"):
        return layer % config.get("expert_layer_period") == config.get("expert_layer_offset", 0)
    steps = ("interleave_moe_layer_step", "decoder_sparse_step", "moe_layer_interval")
    step = next((found for word in steps if (found := config.get(word))), None)
    return (layer + 1) % step == 0 if step else layer % max(1, frequency) == 0


def _feed_forward_kind(config: ModelConfig, layer: int, kept: tuple[Cache, ...], own_caches: int) -> str:
    """Which feed-forward part the layer has: none, experts, mlp or a double-wide one."""
    pattern, kind = config.get("hybrid_override_pattern"), config.model_type
    if isinstance(pattern, str) and pattern[layer] in "M*":
        return "none"
    if kind in ("mamba", "falcon_mamba", "mamba2") or (kind == "zamba2" and len(kept) < 2):
        return "none"
    if has_experts(config, layer):
        return "experts"
    return "wide" if config.get("use_double_wide_mlp") and layer >= own_caches else "mlp"


def _feed_forward(config: ModelConfig, kind: str) -> Iterator[Module]:
    name = _MLP_WORDS.get(config.model_type, "mlp")
    if kind == "experts":
        yield from _mixture(config, name)
    elif kind != "none":
        width = _dense_width(config) * (2 if kind == "wide" else 1)
        yield from _mlp(config, name, width, config.needed("hidden_size"))


def _dense_width(config: ModelConfig) -> int:
    kind = config.model_type
    width = config.integer("intermediate_size_mlp") or config.integer("intermediate_size")
    if kind.startswith("granitemoehybrid") or kind == "granitemoeshared":
        width = config.integer("shared_intermediate_size") or width
    if kind == "phi3small":
        width = config.integer("ff_intermediate_size") or width
    if config.get("block_ff_dim") and kind.startswith("lfm2"):
        width = _lfm2_width(config)
    return width or 4 * config.needed("hidden_size")


def _lfm2_width(config: ModelConfig) -> int:
    width = config.needed("block_ff_dim")
    if config.get("block_auto_adjust_ff_dim", True):
        width = int(2 * width / 3 * (config.get("block_ffn_dim_multiplier") or 1.0))
        multiple = config.integer("block_multiple_of") or 256
        width = ceil(width / multiple) * multiple
    return width


def _mlp(config: ModelConfig, name: str, width: int, columns: int) -> Iterator[Module]:
    if not is_ungated(config):
        yield Module(name=f"{name}.gate_proj", rows=width, columns=columns)
    yield Module(name=f"{name}.up_proj", rows=width, columns=columns)
    yield Module(name=f"{name}.down_proj", rows=columns, columns=width)
    if config.get("mlp_bias") is True:
        ups = 1 if is_ungated(config) else 2
        yield Module(name=f"{name}.bias", rows=1, columns=ups * width + columns, linear=False)


def is_ungated(config: ModelConfig) -> bool:
    """Whether the feed-forward part has two matrices, not three."""
    return config.model_type in _UNGATED


def _mixture(config: ModelConfig, name: str) -> Iterator[Module]:
    hidden, width, count = config.needed("hidden_size"), expert_width(config), experts_of(config)
    inner = config.integer("moe_latent_size") or hidden  # Nemotron 3 Super: experts work on a narrower vector
    if inner != hidden:
        yield Module(name=f"{name}.fc1_latent_proj", rows=inner, columns=hidden, share="whole")
        yield Module(name=f"{name}.fc2_latent_proj", rows=hidden, columns=inner, share="whole")
    yield Module(name=f"{name}.gate", rows=count, columns=hidden, share="whole", linear=False)
    matrices = [("up_proj", width, inner), ("down_proj", inner, width)]
    matrices += [] if is_ungated(config) else [("gate_proj", width, inner)]
    for matrix, rows, columns in matrices:
        one = f"{name}.experts.0.{matrix}"
        yield Module(name=one, rows=rows, columns=columns, share="expert", count=count)
    shared = shared_width(config)
    if shared:
        word = "shared_expert" if config.integer("shared_expert_intermediate_size") else "shared_experts"
        yield from _mlp(config, f"{name}.{word}", shared, hidden)


def shared_width(config: ModelConfig) -> int:
    """Intermediate size of the experts that every token passes, together; 0 where there are none."""
    stated = (
        config.integer("moe_shared_expert_intermediate_size")
        or (config.whole("shared_expert_intermediate_size", 0))
        or (config.whole("shared_intermediate_size", 0))
    )
    if stated:
        return stated
    if config.model_type in ("llama4", "llama4_text"):
        return config.needed("intermediate_size")
    return config.whole("n_shared_experts", 0) * expert_width(config)


def _norms(config: ModelConfig) -> Iterator[Module]:
    per_layer = 4 if config.model_type.startswith("gemma") else 2
    yield Module(name="norms", rows=per_layer, columns=config.needed("hidden_size"), share="whole", linear=False)
    small = config.whole("hidden_size_per_layer_input", 0)
    if small:
        hidden = config.needed("hidden_size")
        yield Module(name="per_layer_input_gate", rows=small, columns=hidden, share="whole")
        yield Module(name="per_layer_projection", rows=hidden, columns=small, share="whole")
