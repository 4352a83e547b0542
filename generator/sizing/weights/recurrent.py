"""The matrices of recurrent mixers, by the kind of their state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import ceil

from generator.sizing.cache.attention import head_dim
from generator.sizing.cache.specs import MambaSpec, StateKind
from generator.sizing.config.config import ModelConfig
from generator.sizing.weights.matrix import Matrix


def _mamba2(config: ModelConfig, state: MambaSpec) -> Iterator[Matrix]:
    hidden, convolved = config.needed("hidden_size"), state.channels + state.groups * state.group_channels
    name = "mixer" if config.model_type in ("nemotron_h", "mamba2") else "mamba"
    bias = 1 if config.get("mamba_conv_bias", config.get("use_conv_bias", True)) else 0
    kernel, groups = state.rows + 1 + bias, convolved - state.channels
    # A single group is repeated, as key-value heads are (mamba_mixer2.py::extra_groups_for_head_shards).
    grouped = partial(Matrix, rows=groups, sharding="qkv", heads=state.groups)
    yield Matrix(name=f"{name}.in_proj", rows=2 * state.channels + state.heads, columns=hidden, merged=3)
    yield grouped(name=f"{name}.in_proj", columns=hidden, merged=2)
    yield Matrix(name=f"{name}.conv1d", rows=state.channels, columns=kernel, linear=False)
    yield grouped(name=f"{name}.conv1d", columns=kernel, linear=False)
    yield Matrix(name=f"{name}.heads", rows=3, columns=state.heads, linear=False, width=4)
    small = state.channels if config.get("mamba_rms_norm") else 0
    small += hidden if config.get("projectors_bias") else 0
    small += state.channels + convolved + state.heads if config.get("mamba_proj_bias") else 0
    if small:
        yield Matrix(name=f"{name}.small", rows=1, columns=small, linear=False)
    yield Matrix(name=f"{name}.out_proj", rows=hidden, columns=state.channels, sharding="row")


def _mamba1(config: ModelConfig, state: MambaSpec) -> Iterator[Matrix]:
    hidden = config.needed("hidden_size")
    word = "mamba_dt_rank" if config.get("mamba_dt_rank") is not None else "time_step_rank"
    rank = (None if config.word(word) else config.integer(word)) or ceil(hidden / 16)  # a word is "auto"
    yield Matrix(name="mamba.in_proj", rows=2 * state.channels, columns=hidden)
    yield Matrix(name="mamba.conv1d", rows=state.channels, columns=state.rows + 2, linear=False)
    yield Matrix(name="mamba.x_proj", rows=rank + 2 * state.matrix, columns=state.channels)
    yield Matrix(name="mamba.dt_proj", rows=state.channels, columns=rank)
    yield Matrix(name="mamba.A_log", rows=state.channels, columns=state.matrix, linear=False, width=4)
    yield Matrix(name="mamba.out_proj", rows=hidden, columns=state.channels, sharding="row")


def _gated_delta_net(config: ModelConfig, state: MambaSpec) -> Iterator[Matrix]:
    hidden, values = config.needed("hidden_size"), state.heads * config.needed("linear_value_head_dim")
    yield Matrix(name="linear_attn.in_proj_qkvz", rows=state.channels + values, columns=hidden)
    yield Matrix(name="linear_attn.in_proj_ba", rows=2 * state.heads, columns=hidden)
    yield Matrix(name="linear_attn.conv1d", rows=state.channels, columns=state.rows + 1, linear=False)
    yield Matrix(name="linear_attn.out_proj", rows=hidden, columns=values, sharding="row")


def _linear_attention(config: ModelConfig, state: MambaSpec) -> Iterator[Matrix]:
    hidden, inner = config.needed("hidden_size"), state.heads * head_dim(config)
    yield Matrix(name="self_attn.qkv_proj", rows=3 * inner, columns=hidden)
    yield Matrix(name="self_attn.output_gate", rows=inner, columns=hidden)
    yield Matrix(name="self_attn.out_proj", rows=hidden, columns=inner, sharding="row")


def _short_convolution(config: ModelConfig, state: MambaSpec) -> Iterator[Matrix]:
    hidden = config.needed("hidden_size")
    yield Matrix(name="conv.in_proj", rows=3 * state.channels, columns=hidden)
    yield Matrix(name="conv.conv", rows=state.channels, columns=state.rows + 1, linear=False)
    yield Matrix(name="conv.out_proj", rows=hidden, columns=state.channels, sharding="row")


def _kimi_delta(config: ModelConfig, state: MambaSpec) -> Iterator[Matrix]:
    hidden, inner = config.needed("hidden_size"), state.channels // 3
    rank = inner // max(1, state.heads)
    yield Matrix(name="self_attn.qkv_proj", rows=state.channels, columns=hidden)
    yield Matrix(name="self_attn.conv1d", rows=state.channels, columns=state.rows + 1, linear=False)
    for part in "fg":  # of the decay and of the gate, each in two narrow steps
        yield Matrix(name=f"self_attn.{part}_a_proj", rows=rank, columns=hidden, sharding="replicated")
        yield Matrix(name=f"self_attn.{part}_b_proj", rows=inner, columns=rank)
    yield Matrix(name="self_attn.b_proj", rows=state.heads, columns=hidden)
    yield Matrix(name="self_attn.o_proj", rows=hidden, columns=inner, sharding="row")


MIXERS: Mapping[StateKind, Callable[[ModelConfig, MambaSpec], Iterator[Matrix]]] = {
    "mamba1": _mamba1,
    "mamba2": _mamba2,
    "gated_delta_net": _gated_delta_net,
    "linear_attention": _linear_attention,
    "short_conv": _short_convolution,
    "kimi_delta": _kimi_delta,
}
"""By the kind of state that the layer keeps."""
