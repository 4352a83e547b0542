"""Ray 2.60.0 and vLLM 0.29.0 refuse what each rule of an LLMConfig refuses, and take it where it is made good."""

from __future__ import annotations

from pathlib import Path

import pytest
from ray.llm._internal.serve.core.configs.accelerators import TPU_ACCELERATOR_VALUES, AcceleratorType

from tests.contract.ray_2_60_0.replica import checkpoint, what_stops
from tests.support.llm_config_rules import EXAMPLES, Example, names


@pytest.fixture(scope="module")
def model_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.mark.parametrize("example", EXAMPLES, ids=names)
def test_what_a_rule_refuses_fails_in_ray_or_vllm_and_not_once_it_is_mended(
    example: Example, model_source: Path
) -> None:
    step, said = what_stops(model_source, example.broken, example.stops)

    assert example.says in said
    assert step == example.stops
    assert what_stops(model_source, example.mended, example.stops) == ("", "")


def test_a_tpus_type_is_told_by_its_beginning() -> None:
    assert {one.value for one in AcceleratorType if one.value.startswith("TPU-")} == TPU_ACCELERATOR_VALUES
