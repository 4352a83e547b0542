"""What Ray and vLLM refuse of an LLMConfig, told by Helm: by the schema, or by the chart's checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
