"""Stored configurations, and what is predicted for them."""

from __future__ import annotations

import json
from typing import Any

from generator.facts.gpus import gpu
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.arguments import engine_of
from generator.sizing.fit import MemoryFit, fit
from generator.sizing.model import Model
from generator.sizing.weights.divisions import Split
from tests.support.paths import CONFIGS

QWEN, FP8_MIXTURE = "Qwen--Qwen3-8B", "Qwen--Qwen3-30B-A3B-FP8"


def words(name: str, **more: Any) -> ModelConfig:
    return ModelConfig(json.loads((CONFIGS / f"{name}.json").read_text()) | more, "config.json")


def predicted(
    config: ModelConfig, *, on: str = "H100-80GB", tp: int = 1, vllm: str = "0.29.0", **arguments: Any
) -> MemoryFit:
    """With engine arguments, which know the model itself as a draft."""
    model = Model(config)
    engine = engine_of(arguments, config, vllm=vllm, where="test", draft=lambda name: model)
    return fit(model, device=gpu(on, where=""), split=Split(tensor=tp), engine=engine)


def refusal(config: ModelConfig, **asked: Any) -> str:
    return predicted(config, **asked).refusal
