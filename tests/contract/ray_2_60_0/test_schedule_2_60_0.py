"""A schedule, from the values to the decisions of Ray 2.60.0's own autoscaler."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve._private.autoscaling_state import DeploymentAutoscalingState
from ray.serve._private.common import DeploymentID
from ray.serve._private.deployment_info import DeploymentInfo
from ray.serve.config import AutoscalingContext
from ray.serve.schema import ServeApplicationSchema

from generator.chart import render
from tests.contract.scaling import MODEL, as_values, deployed, restarts
from tests.support.paths import ROOT

OFFICE = {"days": "mon-fri", "from": "08:00", "to": "18:00", "min": 3}
MONDAY_MORNING, SUNDAY = datetime(2026, 11, 30, 9, tzinfo=UTC), datetime(2026, 11, 29, 9, tzinfo=UTC)
AT_ONCE = {"upscale_delay_s": 0, "downscale_delay_s": 0}
BOUNDS = {"min_replicas": 1, "max_replicas": 6, "target_ongoing_requests": 2, **AT_ONCE}


class Told:
    """The model's application with a schedule, and its files where the pods would have them."""

    def __init__(self, folder: Path, **window: Any) -> None:
        values = as_values("2.60.0", {"autoscaling_config": BOUNDS})
        values["serving"]["modelsPath"] = str(folder)
        values["models"][MODEL]["scaling"] = {"schedule": {"windows": {"office": {**OFFICE, **window}}}}
        manifests = render(ROOT / "chart", [], overrides=values)
        found = {manifest["kind"]: manifest for manifest in manifests}
        (self.application,) = yaml.safe_load(found["RayService"]["spec"]["serveConfigV2"])["applications"]
        self.cluster = found["RayService"]["spec"]["rayClusterConfig"]
        (head,) = self.cluster["headGroupSpec"]["template"]["spec"]["containers"]
        self.python_path = next(one["value"] for one in head["env"] if one["name"] == "PYTHONPATH")
        self.folder = folder / "_schedules"
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in found["ConfigMap"]["data"].items():
            (self.folder / name).write_text(text, encoding="utf-8")


def decision(info: DeploymentInfo, when: datetime, *, running: int, requests: int = 0) -> int:
    """How many replicas Ray decides on at that time, with so many that run and so many requests."""
    state = DeploymentAutoscalingState(DeploymentID(MODEL, "app"))
    state.register(info, running)
    context = AutoscalingContext(
        deployment_id=DeploymentID(MODEL, "app"),
        deployment_name=MODEL,
        app_name="app",
        current_num_replicas=running,
        target_num_replicas=running,
        running_replicas=[],
        total_num_requests=requests,
        total_queued_requests=0,
        aggregated_metrics=None,
        raw_metrics=None,
        capacity_adjusted_min_replicas=state.get_num_replicas_lower_bound(),
        capacity_adjusted_max_replicas=state.get_num_replicas_upper_bound(),
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=when.timestamp(),
        config=info.deployment_config.autoscaling_config,
    )
    assert state._policy is not None
    wanted, _ = state._policy(context)
    return state.apply_bounds(wanted)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    found = Told(tmp_path)
    monkeypatch.syspath_prepend(found.python_path)
    monkeypatch.delitem(sys.modules, "ray_serve_llm_schedule", raising=False)
    return found


def test_ray_finds_the_policy_on_the_path_of_the_pods(told: Told) -> None:
    policy = deployed(told.application).deployment_config.autoscaling_config.policy

    assert policy.get_policy()(**policy.policy_kwargs).path == told.folder / f"{MODEL}.json"


@pytest.mark.parametrize(
    ("when", "running", "requests", "decided"),
    [
        (SUNDAY, 1, 0, 1),
        (MONDAY_MORNING, 1, 0, 3),
        (MONDAY_MORNING, 3, 10, 5),  # requests win where they want more
        (MONDAY_MORNING, 3, 100, 6),  # never more than the most
        (SUNDAY, 3, 0, 1),
    ],
)
def test_the_least_replicas_rise_and_fall_by_the_clock(
    told: Told, when: datetime, running: int, requests: int, decided: int
) -> None:
    info = deployed(told.application)

    assert decision(info, when, running=running, requests=requests) == decided


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"timeZone": "Europe/Nowhere", "windows": {"w": OFFICE}})])
def test_a_schedule_that_cannot_be_read_scales_by_requests_alone(told: Told, text: str) -> None:
    info = deployed(told.application)
    (told.folder / f"{MODEL}.json").write_text(text)

    assert decision(info, MONDAY_MORNING, running=1, requests=4) == 2


def test_another_schedule_is_read_by_what_runs_and_restarts_nothing(told: Told, tmp_path: Path) -> None:
    info = deployed(told.application)
    assert decision(info, MONDAY_MORNING, running=1) == 3

    changed = Told(tmp_path, min=4)

    assert changed.application == told.application
    assert changed.cluster == told.cluster
    assert decision(info, MONDAY_MORNING, running=1) == 4


def test_another_least_without_the_schedule_restarts_nothing(told: Told) -> None:
    (deployment,) = told.application["deployments"]
    scaling = {**deployment["autoscaling_config"], "min_replicas": 2}
    other = {**told.application, "deployments": [{**deployment, "autoscaling_config": scaling}]}

    before, after = deployed(told.application), deployed(other)

    assert before.version == after.version
    assert not restarts(before, after)


def test_an_application_that_someone_else_scales_is_one_that_ray_takes(told: Told) -> None:
    values = as_values("2.60.0", {"num_replicas": 2})
    values["models"][MODEL]["scaling"] = {"external": True}
    service = next(one for one in render(ROOT / "chart", [], overrides=values) if one["kind"] == "RayService")
    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]

    assert ServeApplicationSchema(**application).external_scaler_enabled
    assert deployed(application).deployment_config.num_replicas == 2
