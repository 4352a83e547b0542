"""What `hf_overrides` makes of a model, and what is said of it. Against vLLM itself: tests/contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from generator.errors import UserError
from generator.sizing.config.config import ModelConfig
from generator.sizing.config.overrides import overridden as overridden_at
from generator.sizing.config.rotary import positions_of
from generator.sizing.engine.arguments import overrides_of
from tests.support.stored import QWEN, refusal, words


def overridden(config: ModelConfig, said: dict[str, Any], *, vllm: str = "0.29.0") -> ModelConfig:
    return overridden_at(config, said, vllm=vllm, where="model 'm'")


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


def test_a_context_beyond_the_positions_is_taken_where_hf_overrides_stretch_them():
    config = words(QWEN)
    assert "takes 40,960 tokens" in refusal(config, max_model_len=131072)
    for said in ({"rope_scaling": YARN}, {"rope_parameters": YARN}):
        assert refusal(overridden(config, said), max_model_len=131072) == ""
        assert "takes 131,072 tokens" in refusal(overridden(config, said), max_model_len=131073)


def test_a_catalogs_positions_are_stretched_anew_by_what_is_set():
    plain = ModelConfig({**words(QWEN).data}, "catalog", complete=True)
    assert positions_of(overridden(plain, {"rope_scaling": YARN})) == 131072
    # A catalog's positions are already those of its own scaling, which the other word takes the place of.
    scaled = ModelConfig(
        {**plain.data, "max_position_embeddings": 131072, "rope_scaling": YARN}, "catalog", complete=True
    )
    assert positions_of(scaled) == 131072
    assert positions_of(overridden(scaled, {"rope_theta": 5e6})) == 131072
    assert positions_of(overridden(scaled, {"rope_parameters": YARN | {"factor": 2.0}})) == 65536
    assert positions_of(overridden(scaled, {"rope_parameters": {"rope_type": "default"}})) == 32768
    # Its configuration is the language model's part, whatever file it came from.
    assert positions_of(overridden(plain, {"text_config": {"max_position_embeddings": 65536}})) == 65536


def test_what_is_set_beside_the_text_part_of_a_larger_model_is_said_to_do_nothing():
    vision = words("Qwen--Qwen3-VL-30B-A3B-Instruct")
    flat = ModelConfig({**vision.text, "architectures": vision.data["architectures"],
                        "vision_config": vision.data["vision_config"]}, "catalog", complete=True)  # fmt: skip
    for config in (vision, flat):
        beside = overridden(config, {"rope_parameters": YARN})
        assert positions_of(beside) == 262144
        assert any("not read beside its part" in warning for warning in beside.warnings)
        inside = overridden(config, {"text_config": {"rope_parameters": YARN}})
        assert (positions_of(inside), inside.warnings) == (131072, ())


def test_a_base_that_is_set_away_is_told_and_so_is_a_word_that_a_version_does_not_read():
    config = words(QWEN, rope_theta=1000000)
    (told,) = overridden(config, {"rope_parameters": YARN}).warnings
    assert "say the model's `rope_theta` (1,000,000) in it too" in told
    with_base = {"rope_parameters": YARN | {"rope_theta": 1e6}}
    assert overridden(config, with_base).warnings == ()
    early = overridden(config, with_base, vllm="0.10.0")
    assert positions_of(early) == 40960
    assert "does not read `rope_parameters`" in early.warnings[0]


WRONG = [
    (
        {"rope_parameters": {"rope_type": "yarn", "factor": 4.0}},
        "`original_max_position_embeddings` is None, and yarn needs it",
    ),
    ({"rope_parameters": YARN | {"factor": 1e308}}, "`factor` is 1e+308, and no number from 0 to 10,000"),
    ({"rope_parameters": {"factor": 4.0}}, "has no `rope_type`"),
    ({"rope_parameters": "x"}, "is 'x', and no object"),
    ({"text_config": {"num_hidden_layers": 2}}, "the model has no `text_config`"),
    ({"num_hidden_layers": "4"}, "`num_hidden_layers` is '4', not a whole number above 0"),
]


@pytest.mark.parametrize(("said", "why"), WRONG, ids=lambda value: str(value)[:40])
def test_a_fault_in_what_is_set_is_said_to_be_there(said: dict[str, Any], why: str):
    with pytest.raises(UserError, match="model 'm': hf_overrides") as error:
        refusal(overridden(words(QWEN), said))
    assert why in str(error.value)
    assert "download" not in str(error.value)


def test_arguments_for_rotary_positions_are_overrides_until_0_12():
    said = {"rope_scaling": YARN, "rope_theta": 5e6, "hf_overrides": {"num_hidden_layers": 2}}
    early = overrides_of(said, vllm="0.11.0", where="test")
    assert early == {"rope_scaling": YARN, "rope_theta": 5e6, "num_hidden_layers": 2}
    assert overrides_of(said, vllm="0.12.0", where="test") == {"num_hidden_layers": 2}
    assert overrides_of({"hf_overrides": json.dumps(early)}, vllm="0.29.0", where="test") == early
    with pytest.raises(UserError, match="hf_overrides is no JSON object"):
        overrides_of({"hf_overrides": "{"}, vllm="0.29.0", where="test")
