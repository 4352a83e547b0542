"""What Ray and vLLM refuse of an LLMConfig though keys and types are right is told, wherever it stands."""

from __future__ import annotations

from typing import Any

import pytest

from generator.documents.merge import merged
from generator.facts.llm_config_rules import llm_config_rules
from generator.formats.check import document_faults
from generator.formats.explain import Fault
from tests.support.llm_config_rules import EXAMPLES, RAY, Example, names
from tests.support.pod_rules import ENVIRONMENT

SOURCE = {"model_loading_config": {"model_source": "a/b"}}


def faults(config: dict[str, Any], ray: str = "2.60.0") -> list[Fault]:
    """What is told of a model's llmConfig."""
    model = {"family": "f", "llmConfig": merged(SOURCE, config)}
    return document_faults({"ray": {"version": ray}, "models": {"m": model}}, "values")


def fault(config: dict[str, Any], ray: str = "2.60.0") -> Fault:
    (only,) = faults(config, ray)
    return only


@pytest.mark.parametrize(
    ("engine", "fix"),
    [
        ({"tool_call_parser": "qwen3_coderr", "enable_auto_tool_choice": True}, "did you mean 'qwen3_coder'?"),
        ({"reasoning_parser": "qwen-3"}, "did you mean 'qwen3'?"),
        ({"load_format": "safetensor"}, "did you mean 'safetensors'?"),
        ({"quantization": "awq_marlni"}, "did you mean 'awq_marlin'?"),
        ({"tokenizer_mode": "mistrla"}, "did you mean 'mistral'?"),
        ({"config_format": "hff"}, "did you mean 'hf'?"),
        ({"kv_transfer_config": {"kv_connector": "NixlConnecter"}}, "did you mean 'NixlConnector'?"),
        ({"model_impl": "transformer"}, "did you mean 'transformers'?"),
        ({"speculative_config": {"method": "ngramm"}}, "did you mean 'ngram'?"),
        ({"block_size": 3}, "Give a multiple of 16."),
    ],
)
def test_a_name_that_vllm_does_not_know_is_refused_with_the_one_that_was_meant(engine: dict, fix: str) -> None:
    assert fault({"engine_kwargs": engine}).fix.startswith(fix)


def test_a_plugin_of_the_image_may_add_names_where_it_is_named() -> None:
    own = {"engine_kwargs": {"reasoning_parser": "ours", "load_format": "OURS", "quantization": "ours"}}

    told = faults(own)
    assert len(told) == 3
    assert all("name that in runtime_env.env_vars.VLLM_PLUGINS" in one.fix for one in told)
    assert faults({**own, "runtime_env": {"env_vars": {"VLLM_PLUGINS": "ours"}}}) == []


def test_what_vllm_reads_in_any_case_is_taken_in_any_case() -> None:
    assert faults({"engine_kwargs": {"quantization": "AWQ", "load_format": "Dummy"}}) == []


@pytest.mark.parametrize(
    ("config", "fix"),
    [
        (
            {"model_loading_config": {"model_source": "hf://a/b"}},
            "It must be text that begins with one of s3://, gs://",
        ),
        ({"model_loading_config": {"model_source": "https://hub/m"}}, "It must be text that begins with one of s3://"),
        ({"model_loading_config": {"model_source": {"bucket_uri": "https://minio/m"}}}, "It must be text that begins"),
        (
            {"lora_config": {"dynamic_lora_loading_path": "/loras"}, "engine_kwargs": {"enable_lora": True}},
            "It must be text that begins with one of s3://",
        ),
        ({"server_cls": "ray.serve.llm:LlmServer"}, "did you mean 'ray.serve.llm:LLMServer'?"),
        ({"server_cls": "my module"}, "It must be an import path, such as my_module:MyClass."),
        (
            {"deployment_config": {"request_router_config": {"request_router_class": "ray.serve.llm.PrefixRouter"}}},
            "",
        ),
    ],
)
def test_an_address_or_a_class_that_ray_does_not_have_is_refused(config: dict, fix: str) -> None:
    assert fault(config).fix.startswith(fix)


@pytest.mark.parametrize("source", ["a/b", "/models/b", "s3://bucket/b", "az://box/b", {"bucket_uri": "gs://bucket/b"}])
def test_a_source_that_ray_or_vllm_reads_is_taken(source: Any) -> None:
    assert faults({"model_loading_config": {"model_source": source}}) == []


def test_a_model_without_a_source_is_refused_in_values_alone() -> None:
    values = {"models": {"m": {"family": "f", "llmConfig": {"model_loading_config": {}}}}}

    (told,) = document_faults(values, "values")
    assert told.what == "'model_source' is missing"
    assert document_faults(ENVIRONMENT | {"defaults": {"llmConfig": {"model_loading_config": {}}}}, "environment") == []


BOTH = {"engine_kwargs": {"disable_log_stats": True}, "log_engine_metrics": True}
WHY = "'disable_log_stats' is not accepted: Ray reads the engine's metrics from these statistics"


@pytest.mark.parametrize("place", ["model", "half", "app", "list of an app", "environment"])
def test_keys_that_exclude_each_other_are_told_wherever_the_llm_config_stands(place: str) -> None:
    config, kind = merged(SOURCE, BOTH, {"model_loading_config": {"model_id": "m"}}), "values"
    half = {"llmConfig": config}
    application: dict[str, Any] = {"import_path": "ray.serve.llm:build_openai_app", "args": {"llm_configs": [config]}}
    if place == "app":
        application = {"import_path": "ray.serve.llm.build_dp_openai_app", "args": {"llm_config": config}}
    data = {
        "model": {"models": {"m": {"family": "f", "llmConfig": config}}},
        "half": {"models": {"m": {"family": "f", "prefill": half, "decode": half}}},
        "environment": ENVIRONMENT | {"defaults": {"llmConfig": BOTH}},
    }.get(place, {"apps": {"a": {"application": application}}})
    if place == "environment":
        kind = "environment"

    told = document_faults(data, kind)
    assert [one.what.startswith(WHY) for one in told] == [True] * (2 if place == "half" else 1)


def test_what_another_file_may_say_is_not_missed_in_a_part() -> None:
    config = {"engine_kwargs": {"disable_log_stats": True, "enable_auto_tool_choice": True}, "lora_config": {}}

    assert len(faults(config)) == 3
    assert document_faults(ENVIRONMENT | {"defaults": {"llmConfig": config}}, "environment") == []


def test_a_rule_is_of_the_releases_that_have_it() -> None:
    silent = {"engine_kwargs": {"disable_log_stats": True}}

    assert fault(silent).what.startswith(WHY)
    assert faults(silent, "2.49.1") == []  # which has no metrics by default


@pytest.mark.parametrize("example", EXAMPLES, ids=names)
def test_keys_that_exclude_each_other_are_refused_and_once_mended_taken(example: Example) -> None:
    (rule,) = example.rules

    told = fault(example.broken)
    assert told.what.endswith(f"' is not accepted: {rule.why}")
    assert told.path[-len(rule.at.split(".")) :] == tuple(rule.at.split("."))
    assert faults(example.mended) == []


def test_of_each_rule_it_is_known_what_ray_or_vllm_says() -> None:
    shown = [rule for example in EXAMPLES for rule in example.rules]

    assert [rule for rule in llm_config_rules(RAY) if rule not in shown] == []
