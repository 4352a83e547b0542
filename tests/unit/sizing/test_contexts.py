"""What is worked out once for all contexts does not depend on them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from generator.facts.gpus import Device
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.engine import Engine
from generator.sizing.fit import _memory, fit
from generator.sizing.model import Model
from generator.sizing.weights.divisions import Split
from tests.support.paths import CONFIGS

FILES = sorted(CONFIGS.glob("*.json"))
H100 = Device(name="H100-80GB", memory_gib=79.11)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("vllm", ["0.10.0", "0.29.0"])
def test_a_context_gives_the_same_after_another_as_alone(path: Path, vllm: str) -> None:
    model = Model(ModelConfig(json.loads(path.read_text()), path.name))
    asked = [Engine(vllm=vllm, context=context, sequences=sequences) for context in (None, 512, 20_000)
             for sequences in (None, 16)]  # fmt: skip
    for engine in asked:
        found = fit(model, device=H100, split=Split(tensor=2), engine=engine)
        # Worked out with this context, and not from what is kept.
        alone = _memory.__wrapped__(model, H100, Split(tensor=2), engine)
        assert replace(found, refusal="") == alone
        assert found.context == engine.context or engine.context is None
