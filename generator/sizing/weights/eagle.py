"""EAGLE's heads: drafts of a layer or so that take the states of the model that they draft for, and its embedding.

Sources: `vllm/transformers_utils/configs/eagle.py`, `vllm/model_executor/models/llama_eagle.py` and `llama_eagle3.py`;
for what is shared after loading `vllm/v1/spec_decode/llm_base_proposer.py`; 0.29.0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from generator.sizing.config.config import ModelConfig
from generator.sizing.weights.matrix import Matrix

Generation = Literal[1, 3]
_STATES = {1: 2, 3: 3}
"""Vectors of hidden size that are joined: embedding and state, or the states of three layers."""


def generation_of(config: ModelConfig) -> Generation | None:
    """Which EAGLE the model is a head of; None where it is none. Eagle 2.5 VL is a model of its own."""
    name = config.named
    if re.search(r"^Eagle3|Eagle3$", name):
        return 3
    return 1 if re.search(r"^Eagle(?!\d)|Eagle$", name) else None


def as_head(config: ModelConfig, generation: Generation) -> ModelConfig:
    """The configuration as vLLM takes it for such a head: checkpoints name a plain model, or the head."""
    if generation_of(config) is not None:
        return config
    name = f"Eagle{generation if generation > 1 else ''}{config.named}"
    return replace(config, data={**config.data, "architectures": [name]})


def layers_of(layers: Sequence[tuple[Matrix, ...]], generation: Generation) -> list[tuple[Matrix, ...]]:
    """EAGLE-3's first layer attends to embedding and state side by side."""
    if generation == 1 or not layers:
        return list(layers)
    wide = (".q_proj", ".k_proj", ".v_proj")
    first = tuple(
        replace(matrix, columns=2 * matrix.columns) if matrix.name.endswith(wide) else matrix for matrix in layers[0]
    )
    return [first, *layers[1:]]


def joined(config: ModelConfig, generation: Generation) -> Matrix:
    """What makes one vector of the joined ones, whole on every GPU."""
    hidden = config.needed("hidden_size")
    each = config.integer("target_hidden_size") or hidden
    return Matrix(name="fc", rows=hidden, columns=_STATES[generation] * each, sharding="replicated")


def head_of(config: ModelConfig, generation: Generation) -> tuple[Matrix, ...]:
    """EAGLE-3 has an output head over its own vocabulary; before, it was the model's."""
    if generation == 1:
        return ()
    rows = config.integer("draft_vocab_size") or config.needed("vocab_size")
    return (Matrix(name="lm_head", rows=rows, columns=config.needed("hidden_size"), sharding="vocab"),)
