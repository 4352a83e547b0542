"""Numbers that must not be more than another, and switches that need another: Ray or vLLM would refuse every start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import GROUP, MODEL, Render, Values, model

RenderError = Callable[..., str]


def engine(**arguments: Any) -> Values:
    return {"models": {MODEL: model(engine_kwargs=arguments)}}


def of_model(**scaling: Any) -> Values:
    scaling = {"autoscaling_config": {"target_ongoing_requests": 5, **scaling}}
    return {"models": {MODEL: model(deployment_config=scaling)}}


def of_app(**options: Any) -> Values:
    own = {"name": "Own", "ray_actor_options": {"resources": {GROUP: 0.1}}, **options}
    return {"apps": {"own": {"application": {"import_path": "code:build", "deployments": [own]}}}}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (of_model(max_replicas=10, initial_replicas=50), "initial_replicas: 50 is more than max_replicas, 10"),
        (
            of_model(min_replicas=2, max_replicas=3, initial_replicas=1),
            "min_replicas: 2 is more than initial_replicas, 1",
        ),
        (of_model(min_replicas=2), "min_replicas: 2 is more than max_replicas, 1"),
        (
            of_app(autoscaling_config={"max_replicas": 3, "initial_replicas": 4}),
            "apps.own.application.deployments (Own).autoscaling_config.initial_replicas: 4 is more than max_replicas",
        ),
        (
            {"serving": {"ingress": {"autoscaling_config": {"initial_replicas": 50}}}},
            "serving.ingress.autoscaling_config.initial_replicas: 50 is more than max_replicas, 4. "
            "Raise max_replicas, or lower initial_replicas",
        ),
        (
            engine(max_num_seqs=64, max_num_batched_tokens=32),
            f"models.{MODEL}.llmConfig.engine_kwargs.max_num_seqs: 64 is more than max_num_batched_tokens, 32. "
            "Raise max_num_batched_tokens, or lower max_num_seqs",
        ),
        (engine(enable_lora=True, max_loras=3, max_cpu_loras=2), "max_loras: 3 is more than max_cpu_loras, 2"),
        (
            engine(enable_eplb=True),
            "engine_kwargs.enable_eplb: the engine takes it only with enable_expert_parallel. "
            "Set enable_expert_parallel to true, or remove enable_eplb",
        ),
    ],
)
def test_what_ray_or_vllm_would_refuse_on_every_start(render_error: RenderError, values: Values, told: str) -> None:
    assert told in render_error(values)


@pytest.mark.parametrize(
    "values",
    [
        of_model(min_replicas=0, max_replicas=3, initial_replicas=None),
        of_model(min_replicas=1, max_replicas=1, initial_replicas=1),
        of_app(num_replicas="auto", autoscaling_config={"min_replicas": 2}),
        engine(max_num_seqs=64, max_num_batched_tokens=64),
        engine(max_loras=3, max_cpu_loras=2),
        engine(enable_eplb=True, enable_expert_parallel=True),
    ],
)
def test_what_is_in_order_renders(render_with: Render, values: Values) -> None:
    render_with(values)


def test_a_number_of_the_command_line_is_compared_too(helm_template: Callable) -> None:
    at = f"models.{MODEL}.llmConfig.engine_kwargs"
    done = helm_template(
        engine(max_num_batched_tokens=32) | {"workerGroups": {GROUP: {"gpusPerWorker": 1}}},
        arguments=("--set", f"{at}.max_num_seqs=64"),
    )
    assert f"{at}.max_num_seqs: 64 is more than max_num_batched_tokens, 32" in done.stderr
