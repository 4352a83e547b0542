"""How many replicas a model has: what Serve is told of it, and what stays as it is when that changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chart.rendering import CHART, MODEL, Render, model

BOUNDS = {"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 8}


def scaled(*, serving: dict[str, Any] | None = None, **deployment: Any) -> dict[str, Any]:
    return {"serving": serving or {}, "models": {MODEL: model(deployment_config=deployment)}}


@pytest.mark.parametrize(
    "serving",
    [{}, {"delivery": "inline"}, {"routing": "unified"}, {"path": "throughput"}],
    ids=["configMap", "inline", "unified", "throughput"],
)
def test_other_numbers_of_replicas_and_requests_change_nothing_but_what_serve_is_told(
    render_with: Render, serving: dict[str, Any]
) -> None:
    more = {**BOUNDS, "min_replicas": 3, "policy": {"policy_function": "mine:Policy"}}
    before, after = (
        render_with(scaled(serving=serving, **deployment))
        for deployment in (
            {"autoscaling_config": BOUNDS, "max_ongoing_requests": 16},
            {"autoscaling_config": more, "max_ongoing_requests": 32},
        )
    )

    assert before.templates == after.templates
    assert before.of("ConfigMap") == after.of("ConfigMap")
    (old,), (new,) = before.applications.values(), after.applications.values()
    assert old["args"] == new["args"]
    assert new["deployments"] == [
        {"name": f"LLMServer:{MODEL}", "autoscaling_config": more, "max_ongoing_requests": 32},
    ]


@pytest.mark.parametrize(
    ("deployment", "told"),
    [
        ({}, None),
        ({"num_replicas": 2}, {"num_replicas": 2, "autoscaling_config": None}),
        ({"num_replicas": "auto"}, None),
        (
            {"num_replicas": "auto", "autoscaling_config": BOUNDS},
            {"num_replicas": "auto", "autoscaling_config": BOUNDS},
        ),
    ],
    ids=["nothing", "fixed", "auto", "auto within bounds"],
)
def test_every_way_to_say_the_replicas_stands_in_one_place(
    render_with: Render, deployment: dict[str, Any], told: dict[str, Any] | None
) -> None:
    rendered = render_with(scaled(**deployment))

    (config,) = rendered.files.values()
    stated = rendered.applications[MODEL].get("deployments")
    assert stated == ([{"name": f"LLMServer:{MODEL}", **told}] if told else None)
    assert config["deployment_config"] == {"graceful_shutdown_timeout_s": 600, **({} if told else deployment)}


def test_what_a_class_of_ones_own_is_called_is_not_known_so_its_scaling_stays_in_the_file(render_with: Render) -> None:
    mine = model(server_cls="ray.serve.llm:LLMServer", deployment_config={"autoscaling_config": BOUNDS})
    rendered = render_with({"models": {MODEL: mine}})

    (config,) = rendered.files.values()
    assert "deployments" not in rendered.applications[MODEL]
    assert config["deployment_config"]["autoscaling_config"] == BOUNDS


SCHEDULE = {
    "timeZone": "Europe/Berlin",
    "windows": {"office": {"days": "mon-fri", "from": "07:30", "to": "19:00", "min": 3}},
}


def scheduled(*, least: int = 3, **deployment: Any) -> dict[str, Any]:
    window = {**SCHEDULE["windows"]["office"], "min": least}
    one = model(deployment_config={"autoscaling_config": BOUNDS, **deployment})
    return {"models": {MODEL: {**one, "scaling": {"schedule": {**SCHEDULE, "windows": {"office": window}}}}}}


def test_a_schedule_is_a_policy_that_reads_its_file_on_every_pod(render_with: Render) -> None:
    rendered = render_with(scheduled())

    application = rendered.applications[MODEL]
    (told,) = application["deployments"]
    assert told["autoscaling_config"] == {
        **BOUNDS,
        "policy": {
            "policy_function": "ray_serve_llm_schedule:Schedule",
            "policy_kwargs": {"path": f"/home/ray/models/_schedules/{MODEL}.json"},
        },
    }
    files = rendered.named("ConfigMap", "falcon3-schedules")["data"]
    assert json.loads(files[f"{MODEL}.json"]) == SCHEDULE
    assert files["ray_serve_llm_schedule.py"] == (CHART / "files" / "ray_serve_llm_schedule.py").read_text()
    for pod in rendered.templates:
        assert rendered.volumes(pod)["schedules"]["configMap"] == {"name": "falcon3-schedules"}
        assert rendered.env(pod)["PYTHONPATH"] == "/home/ray/models/_schedules"


def test_another_schedule_changes_its_file_alone(render_with: Render) -> None:
    before, after = render_with(scheduled()), render_with(scheduled(least=4))

    assert before.service == after.service
    assert before.named("ConfigMap", "falcon3-schedules") != after.named("ConfigMap", "falcon3-schedules")


def test_an_application_that_is_scaled_from_outside_says_so(render_with: Render) -> None:
    one = model(deployment_config={"num_replicas": 1})
    rendered = render_with({"models": {MODEL: {**one, "scaling": {"external": True}}}})

    application = rendered.applications[MODEL]
    assert application["external_scaler_enabled"] is True
    assert application["deployments"] == [{"name": f"LLMServer:{MODEL}", "num_replicas": 1, "autoscaling_config": None}]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (scheduled(least=5), "scaling.schedule.windows.office.min: 5 replicas are more than max_replicas, which is 4."),
        (scheduled() | {"pods": {"env": {"PYTHONPATH": "/mine"}}}, "Begin it with /home/ray/models/_schedules:"),
        (scheduled(autoscaling_config={}), "Say min_replicas and max_replicas there"),
        (scheduled(autoscaling_config={**BOUNDS, "policy": {"policy_function": "a:b"}}), "Remove one of them."),
        (
            {"models": {MODEL: {**model(), "scaling": {"external": True}}}},
            f"Set num_replicas, the number to begin with, in its place in models.{MODEL}.llmConfig.deployment_config.",
        ),
        (
            {
                "serving": {"routing": "unified"},
                "models": {MODEL: {**model(deployment_config={"num_replicas": 1}), "scaling": {"external": True}}},
            },
            "Set serving.routing to perModel.",
        ),
    ],
)
def test_what_cannot_scale_so_is_refused(render_error: Any, values: dict[str, Any], message: str) -> None:
    assert message in render_error(values)
