"""How many parameters a model has, from its architecture alone, for the architectures whose form is known here.

Formulas: the modules of transformers' modeling files for these architectures (`models/llama`, `qwen2`, `qwen3`,
`falcon_h1`), summed up.
"""

from __future__ import annotations

from typing import NamedTuple

from .catalog import Architecture
from .sizing.config import ModelConfig

COUNTED_ARCHITECTURES = frozenset(
    {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM", "FalconH1ForCausalLM"}
)


class ParameterCount(NamedTuple):
    linear: int
    """Of the linear layers: those that quantization makes smaller."""
    other: int

    @property
    def total(self) -> int:
        return self.linear + self.other


def count_parameters(a: Architecture, config: ModelConfig) -> ParameterCount | None:
    """Return the count, or None where the architecture's form is not known. `config` says which biases there are."""
    if a.name not in COUNTED_ARCHITECTURES:
        return None
    queries, keys = a.num_attention_heads * a.head_dim, a.num_key_value_heads * a.head_dim
    linear = a.hidden_size * (2 * queries + 2 * keys) + 3 * a.hidden_size * a.intermediate_size  # attention, MLP
    other = 2 * a.hidden_size  # norms
    if a.name == "Qwen2ForCausalLM":
        other += queries + 2 * keys
    elif config.get("attention_bias") is True:
        other += queries + 2 * keys + a.hidden_size
    if config.get("mlp_bias") is True:
        other += 2 * a.intermediate_size + a.hidden_size
    if a.name == "Qwen3ForCausalLM":
        other += 2 * a.head_dim  # norms of queries and keys
    if a.name == "FalconH1ForCausalLM":
        mixer = _count_mixer(a, config)
        linear, other = linear + mixer.linear, other + mixer.other
    embeddings = a.vocab_size * a.hidden_size * (1 if a.tie_word_embeddings else 2)
    return ParameterCount(a.num_hidden_layers * linear, a.num_hidden_layers * other + embeddings + a.hidden_size)


def _count_mixer(a: Architecture, config: ModelConfig) -> ParameterCount:
    """Parameters of one Mamba 2 mixer: its projections, and the rest (convolution, A, D, dt, biases, norm)."""
    d_ssm, heads = a.mamba_d_ssm or 0, a.mamba_n_heads or 0
    width = d_ssm + 2 * (a.mamba_n_groups or 0) * (a.mamba_d_state or 0)
    into = d_ssm + width + heads
    rest = width * (a.mamba_d_conv or 0) + 3 * heads
    if config.get("mamba_conv_bias", True):
        rest += width
    if config.get("mamba_proj_bias"):
        rest += into
    if config.get("projectors_bias"):
        rest += a.hidden_size
    if config.get("mamba_rms_norm"):
        rest += d_ssm
    return ParameterCount(a.hidden_size * (into + d_ssm), rest)
