"""What the catalog says of a model's engine: under the environment's words, and held against the release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.errors import UserError
from generator.formats.catalog import CatalogLLMConfig
from generator.formats.read import SAID_ELSEWHERE, read_catalog
from generator.plan.plan import Plan, make_plan
from generator.values import family_values
from tests.support.builders import catalog, environment, model

L4 = {"small": {"gpu": "L4-24GB", "nodes": 4}}
PARSERS = {"tool_call_parser": "hermes", "enable_auto_tool_choice": True}


def plan(engine: dict[str, Any], *, variables: dict[str, str] | None = None, least: str = "", **fields: Any) -> Plan:
    runtime_env = {"env_vars": variables} if variables else {}
    words = CatalogLLMConfig(engine_kwargs=engine, runtime_env=runtime_env)
    served = model().model_copy(update={"llmConfig": words, "minVllmVersion": least or None})
    return make_plan("test", environment(L4, **fields), catalog(family={"m": served}), where="environments/test.yaml")


def llm_config(decided: Plan) -> dict[str, Any]:
    config: dict[str, Any] = family_values(decided, "family")["models"]["m"]["llmConfig"]
    return config


def test_they_reach_the_values() -> None:
    config = llm_config(plan(PARSERS, variables={"VLLM_USE_DEEP_GEMM": "0"}))

    assert config["engine_kwargs"].items() >= PARSERS.items()
    assert config["runtime_env"] == {"env_vars": {"VLLM_USE_DEEP_GEMM": "0"}}


@pytest.mark.parametrize(
    "where",
    [
        {"defaults": {"llmConfig": {"engine_kwargs": {"tool_call_parser": "pythonic"}}}},
        {"serve": {"family": {"llmConfig": {"engine_kwargs": {"tool_call_parser": "pythonic"}}}}},
        {"serve": {"family": {"models": {"m": {"llmConfig": {"engine_kwargs": {"tool_call_parser": "pythonic"}}}}}}},
    ],
    ids=["defaults", "family", "model"],
)
def test_the_environment_overrules_one_and_keeps_the_others(where: dict[str, Any]) -> None:
    engine = llm_config(plan(PARSERS, **where))["engine_kwargs"]

    assert (engine["tool_call_parser"], engine["enable_auto_tool_choice"]) == ("pythonic", True)


def test_the_plan_counts_them() -> None:
    alone, halved = (plan(words).models["m"].placement.memory for words in ({}, {"kv_cache_dtype": "fp8"}))
    images = plan({"limit_mm_per_prompt": {"image": 1}}).models["m"].placement.memory

    assert halved.kv_tokens > 1.9 * alone.kv_tokens
    assert "limit_mm_per_prompt" in "".join(images.model_notes)


@pytest.mark.parametrize(
    ("ray", "engine", "told"),
    [
        ("2.60.0", {"tool_call_parser": "hermmes"}, "did you mean 'hermes'?"),
        ("2.49.1", {"tool_call_parser": "glm45"}, "'tool_call_parser' is 'glm45'"),
        ("2.49.1", {"runner": "pooling"}, "unknown key 'runner' for Ray 2.49.1"),
        ("2.60.0", {"reasoning_parser": 3}, "'reasoning_parser' is 3"),
        ("2.60.0", {"tensor_parallel": 2}, "unknown key 'tensor_parallel'"),
    ],
)
def test_a_word_that_the_release_does_not_know_is_told_at_plan(ray: str, engine: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as refused:
        plan(engine, ray=ray, chart={"networkPolicy": {"enabled": False}})

    assert told in str(refused.value)
    assert "models.m.llmConfig.engine_kwargs" in str(refused.value)


def test_a_release_whose_vllm_is_too_old_is_told_at_plan() -> None:
    with pytest.raises(UserError) as refused:
        plan({}, least="0.30.0")

    assert "model 'm' needs vLLM 0.30.0 or later, and Ray 2.60.0 has 0.29.0" in str(refused.value)
    assert plan({}, least="0.29.0")


@pytest.mark.parametrize("argument", SAID_ELSEWHERE)
def test_what_has_another_place_is_refused_in_the_catalog(argument: str) -> None:
    entry = model().model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    entry["llmConfig"] = {"engine_kwargs": {argument: 1}}

    with pytest.raises(UserError) as refused:
        read_catalog({Path("catalog/f.yaml"): f"family: f\nmodels: {{m: {entry}}}\n".replace("'", '"')})

    assert f"'{argument}' has no place in the catalog" in str(refused.value)
    assert SAID_ELSEWHERE[argument] in str(refused.value)


@pytest.mark.parametrize(
    ("gated", "fields", "told"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"chart": {"huggingFace": {"existingSecret": "hf-token"}}}, False),
        (True, {"chart": {"pods": {"env": {"HF_ENDPOINT": "https://hub.example"}}}}, False),
        (True, {"defaults": {"source": "s3://weights/m"}}, False),
    ],
    ids=["no token", "not gated", "a token", "a mirror", "a bucket"],
)
def test_a_gated_model_without_a_token_is_told(gated: bool, fields: dict[str, Any], told: bool) -> None:
    served = model().model_copy(update={"gated": gated})
    decided = make_plan(
        "test", environment(L4, **fields), catalog(family={"m": served}), where="environments/test.yaml"
    )

    assert any("kubectl create secret" in str(warning) for warning in decided.warnings) == told


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({"engine_kwargs": {"disable_log_stats": True}}, "model 'm': 'disable_log_stats' is not accepted: Ray reads"),
        (
            {"engine_kwargs": {"tool_call_parser": None}},
            "model 'm': 'enable_auto_tool_choice' is not accepted: without",
        ),
        ({"lora_config": {}}, "model 'm': 'lora_config' is not accepted: the engine has no slots"),
    ],
)
def test_what_files_say_that_are_right_alone_is_told_together(stated: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as raised:
        plan(PARSERS, defaults={"llmConfig": stated})
    assert told in str(raised.value)
    assert "environments/test.yaml: serve.family.m: " in str(raised.value)
