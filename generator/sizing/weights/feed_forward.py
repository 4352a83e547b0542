"""The matrices of feed-forward parts: dense ones, and mixtures of experts."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from generator.errors import UserError
from generator.facts.files import read_data, version
from generator.sizing.cache.recurrent import hybrid_pattern
from generator.sizing.cache.specs import CacheSpec
from generator.sizing.config.config import ModelConfig
from generator.sizing.weights.matrix import Matrix

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


def experts_of(config: ModelConfig) -> int:
    """Routed experts of a layer that has them; 0 for a dense model."""
    count = config.get("num_experts")
    if isinstance(count, list):
        count = max((experts for experts in count if isinstance(experts, int)), default=0)
    return count if isinstance(count, int) and count > 1 else 0


def expert_width(config: ModelConfig) -> int:
    """Intermediate size of one routed expert."""
    return config.integer("moe_intermediate_size") or config.needed("intermediate_size")


def least_expert_rows(config: ModelConfig, vllm: str) -> int:
    """Rows that vLLM `vllm` pads a cut expert to on each GPU; 0 where it leaves them as they are."""
    known = read_data("memory.yaml")["leastExpertRows"]
    if config.model_type not in known["modelTypes"] or version(vllm) < version(known["since"]):
        return 0
    return config.integer("min_moe_intermediate_per_partition") or known["rows"]


def has_experts(config: ModelConfig, layer: int) -> bool:
    """Whether the layer's feed-forward part is a mixture, by the words that models have for it."""
    if not experts_of(config):
        return False
    pattern = hybrid_pattern(config)
    if pattern is not None:
        return pattern[layer : layer + 1] == "E"
    kinds = config.listed("mlp_layer_types")  # transformers 5: dense or sparse
    if kinds:
        if len(kinds) < config.layers:
            what = f"`mlp_layer_types` has {len(kinds)} words for {config.layers} layers"
            raise UserError(what, where=config.where, fix=config.fix)
        return bool(kinds[layer] != "dense")
    listed = config.get("moe_layers")
    if isinstance(listed, str):
        listed = [int(number) for number in listed.split(",") if number.strip().isdigit()]
    if isinstance(listed, list):
        return layer in listed
    frequency = config.get("moe_layer_freq", 1)
    if isinstance(frequency, list):
        return any(frequency[layer : layer + 1])
    if layer < config.whole("first_k_dense_replace", 0) or layer in config.listed("mlp_only_layers"):
        return False
    if config.get("expert_layer_period"):
        return layer % config.needed("expert_layer_period") == config.whole("expert_layer_offset", 0)
    steps = ("interleave_moe_layer_step", "decoder_sparse_step", "moe_layer_interval")
    step = next((interval for word in steps if config.get(word) and (interval := config.integer(word))), None)
    return (layer + 1) % step == 0 if step else layer % (config.whole("moe_layer_freq", 1) or 1) == 0


def feed_forward_kind(config: ModelConfig, layer: int, kept: tuple[CacheSpec, ...], own_caches: int) -> str:
    """Which feed-forward part the layer has: none, experts, mlp or a double-wide one."""
    pattern, kind = hybrid_pattern(config), config.model_type
    if pattern is not None and pattern[layer : layer + 1] in ("M", "*"):
        return "none"
    if kind in ("mamba", "falcon_mamba", "mamba2") or (kind == "zamba2" and len(kept) < 2):
        return "none"
    if has_experts(config, layer):
        return "experts"
    return "wide" if config.get("use_double_wide_mlp") and layer >= own_caches else "mlp"


def feed_forward(config: ModelConfig, kind: str) -> Iterator[Matrix]:
    name = _MLP_WORDS.get(config.model_type, "mlp")
    if kind == "experts":
        yield from _mixture(config, name)
        if config.model_type == "gemma4_text":  # the dense part stays beside its experts (`gemma4.py`)
            yield from _mlp(config, name, _dense_width(config), config.needed("hidden_size"))
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
        width = int(2 * width / 3 * config.factor("block_ffn_dim_multiplier", 1.0))
        multiple = config.integer("block_multiple_of") or 256
        width = ceil(width / multiple) * multiple
    return width


def _mlp(config: ModelConfig, name: str, width: int, columns: int) -> Iterator[Matrix]:
    if not is_ungated(config):
        yield Matrix(name=f"{name}.gate_proj", rows=width, columns=columns)
    yield Matrix(name=f"{name}.up_proj", rows=width, columns=columns)
    yield Matrix(name=f"{name}.down_proj", rows=columns, columns=width, sharding="row")
    if config.get("mlp_bias") is True:
        ups = 1 if is_ungated(config) else 2
        yield Matrix(name=f"{name}.bias", rows=1, columns=ups * width + columns, linear=False)


def is_ungated(config: ModelConfig) -> bool:
    """Whether the feed-forward part has two matrices, not three."""
    return config.model_type in _UNGATED


def _mixture(config: ModelConfig, name: str) -> Iterator[Matrix]:
    hidden, width, count = config.needed("hidden_size"), expert_width(config), experts_of(config)
    inner = config.integer("moe_latent_size") or hidden  # Nemotron 3 Super: experts work on a narrower vector
    if inner != hidden:
        yield Matrix(name=f"{name}.fc1_latent_proj", rows=inner, columns=hidden, sharding="replicated")
        yield Matrix(name=f"{name}.fc2_latent_proj", rows=hidden, columns=inner, sharding="replicated")
    yield Matrix(name=f"{name}.gate", rows=count, columns=hidden, sharding="replicated", linear=False)
    parts = [("up_proj", width, inner), ("down_proj", inner, width)]
    parts += [] if is_ungated(config) else [("gate_proj", width, inner)]
    for part, rows, columns in parts:
        first = f"{name}.experts.0.{part}"
        yield Matrix(name=first, rows=rows, columns=columns, sharding="expert", count=count)
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
