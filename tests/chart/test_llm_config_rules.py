"""What Ray and vLLM refuse of an LLMConfig, told by Helm: by the schema, or by the chart's checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import GROUP, MINIMAL, MODEL, model
from tests.support.llm_config_rules import EXAMPLES, Example, names

# What other checks ask for: where the types are, and the path that has adapters of the image.
ROOM = {
    "workerGroups": {GROUP: {"rayResources": {GROUP: 1, "accelerator_type:L4": 1, "accelerator_type:TPU-V6E": 1}}},
    "serving": {"path": "throughput"},
}
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


@pytest.mark.parametrize("example", EXAMPLES, ids=names)
def test_what_ray_refuses_together_is_told(render_error: Callable[..., str], example: Example) -> None:
    message = render_error({"models": {MODEL: model(**example.broken)}})

    for rule in example.rules:
        assert f"models.{MODEL}.llmConfig.{rule.at}: {rule.why}. {rule.instead}." in message


@pytest.mark.parametrize("example", EXAMPLES, ids=names)
def test_what_ray_takes_together_renders(render_with: Callable[..., Any], example: Example) -> None:
    render_with({"models": {MODEL: model(**example.mended)}, **ROOM})
