"""What Ray and vLLM refuse of an LLMConfig, told by Helm: by the schema, or by the chart's checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import MINIMAL, MODEL, model

AT = f"/models/{MODEL}/llmConfig"


def refused_by_the_schema(helm_template: Callable[..., Any], **llm_config: Any) -> str:
    done = helm_template([MINIMAL, {"models": {MODEL: model(**llm_config)}}])
    assert done.returncode != 0, done.stdout
    return str(done.stderr)


def test_helm_says_why_a_key_is_left_out(helm_template: Callable[..., Any]) -> None:
    told = refused_by_the_schema(
        helm_template,
        engine_kwargs={"model": "a/b", "task": "embed"},
        deployment_config={"ray_actor_options": {"num_gpus": 1}},
    )
    assert f"at '{AT}/engine_kwargs/model': value must be 'left out: Ray sets it from model_loading_config" in told
    assert f"at '{AT}/engine_kwargs/task': value must be 'left out. Say runner" in told
    assert f"at '{AT}/deployment_config/ray_actor_options/num_gpus': value must be 'left out: the engine" in told


@pytest.mark.parametrize(
    ("llm_config", "told"),
    [
        (
            {"engine_kwargs": {"disable_log_stats": True}},
            "engine_kwargs.disable_log_stats: Ray reads the engine's metrics",
        ),
        (
            {"engine_kwargs": {"distributed_executor_backend": "mp"}},
            "engine_kwargs.distributed_executor_backend: on GPUs Ray takes its own executor alone",
        ),
        (
            {"accelerator_type": "L4", "accelerator_config": {"kind": "cpu"}},
            "accelerator_type: the bundles, or accelerator_config, say CPUs",
        ),
        (
            {"accelerator_type": "L4", "accelerator_config": {"kind": "tpu"}},
            "accelerator_type: it is no TPU's, and the bundles, or accelerator_config, say TPUs",
        ),
        (
            {"engine_kwargs": {"kv_transfer_config": {"kv_role": "kv_both"}}},
            "engine_kwargs.kv_transfer_config: it names no connector, and Ray starts no engine without one",
        ),
        (
            {"engine_kwargs": {"enable_auto_tool_choice": True}},
            "engine_kwargs.enable_auto_tool_choice: without a parser every chat request that has tools gets HTTP 400",
        ),
        ({"lora_config": {}}, "lora_config: the engine has no slots for adapters"),
    ],
)
def test_what_ray_refuses_together_is_told(render_error: Callable[..., str], llm_config: Any, told: str) -> None:
    message = render_error({"models": {MODEL: model(**llm_config)}})
    assert f"models.{MODEL}.llmConfig.{told}" in message


@pytest.mark.parametrize(
    "llm_config",
    [
        {"engine_kwargs": {"disable_log_stats": True}, "log_engine_metrics": False},
        {"engine_kwargs": {"enable_auto_tool_choice": True, "tool_call_parser": "hermes"}},
        {"engine_kwargs": {"enable_lora": True}, "lora_config": {"dynamic_lora_loading_path": "s3://a/b"}},
        {"engine_kwargs": {"kv_transfer_config": {"kv_connector": "NixlConnector", "kv_role": "kv_both"}}},
        {"engine_kwargs": {"distributed_executor_backend": "ray"}},
    ],
)
def test_what_ray_takes_together_renders(render_with: Callable[..., Any], llm_config: Any) -> None:
    render_with({"models": {MODEL: model(**llm_config)}})
