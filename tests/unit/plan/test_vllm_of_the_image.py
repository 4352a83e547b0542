"""An image whose vLLM is another than its Ray release's."""

from __future__ import annotations

import pytest
import yaml

from generator.documents.load import Origin
from generator.errors import UserError
from generator.formats.check import check_document
from generator.formats.read import read_environment
from generator.plan.plan import make_plan
from generator.values import family_values
from tests.support.builders import catalog, environment, model

L4 = {"small": {"gpu": "L4-24GB", "nodes": 4}}
OPEN = {"networkPolicy": {"enabled": False}}


def plan(served=None, **fields):
    models = {"m": served or model()}
    return make_plan("test", environment(L4, **fields), catalog(family=models), where="environments/test.yaml")


def read(tmp_path, **fields):
    path = tmp_path / "environments" / "test.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({"namespace": "ai", "pools": L4, "chart": OPEN, **fields}))
    return read_environment(path)


def engine(**words):
    return {"defaults": {"llmConfig": {"engine_kwargs": words}}}


def test_arguments_are_those_of_the_vllm_that_is_said(tmp_path):
    words = engine(attention_config={})
    assert read(tmp_path, ray="2.49.1", vllm="0.29.0", **words).vllm == "0.29.0"


def test_what_that_vllm_does_not_know_is_told_with_its_version(tmp_path):
    with pytest.raises(UserError, match=r"'attention_config' for Ray 2.60.0 with vLLM 0.10.0"):
        read(tmp_path, ray="2.60.0", vllm="0.10.0", **engine(attention_config={}))


def test_its_parsers_are_the_known_ones(tmp_path):
    with pytest.raises(UserError, match="tool_call_parser"):
        read(tmp_path, ray="2.60.0", vllm="0.10.0", **engine(tool_call_parser="gemma4"))


def test_one_that_is_not_known_is_told_with_those_that_are(tmp_path):
    with pytest.raises(
        UserError, match=r"test.yaml:\d+: vllm: what the engine of vLLM 0.15.1 accepts(.|\n)*0.10.0, 0.29.0"
    ):
        read(tmp_path, ray="2.60.0", vllm="0.15.1")


def test_the_least_vllm_of_a_model_is_held_against_it():
    newer = model().model_copy(update={"minVllmVersion": "0.11.0"})
    with pytest.raises(UserError, match=r"needs vLLM 0.11.0 or later, and the environment says 0.10.0"):
        plan(newer, vllm="0.10.0")
    assert plan(newer, ray="2.49.1", vllm="0.29.0", chart=OPEN).release.vllm == "0.29.0"


def test_memory_is_counted_as_it_does():
    own, other = (plan(ray="2.49.1", chart=OPEN, **more) for more in ({}, {"vllm": "0.29.0"}))
    assert own.models["m"].placement.shape.utilization == 0.9
    assert other.models["m"].placement.shape.utilization == 0.92


@pytest.mark.parametrize("images", [{"chart": {"image": {"repository": "registry.example/llm"}}}, {}])
def test_the_plan_says_when_no_image_with_it_is_named(images):
    decided = plan(vllm="0.10.0", **images)
    said = [warning.text for warning in decided.warnings if "vLLM 0.10.0 is planned for" in warning.text]
    assert bool(said) is not bool(images)


def test_the_values_say_it_and_are_held_against_it():
    decided = plan(ray="2.49.1", vllm="0.29.0", chart=OPEN)
    values = family_values(decided, "family")
    assert values["ray"] == {"version": "2.49.1", "vllm": "0.29.0"}
    check_document(values, "values", Origin("values/test/family.yaml"))
    values["models"]["m"]["llmConfig"]["engine_kwargs"]["attention_config"] = {}
    check_document(values, "values", Origin("values/test/family.yaml"))
    values["ray"]["vllm"] = ""
    with pytest.raises(UserError, match="attention_config"):
        check_document(values, "values", Origin("values/test/family.yaml"))


def test_the_releases_own_is_not_repeated():
    assert family_values(plan(vllm="0.29.0"), "family")["ray"] == {"version": "2.60.0"}
