"""Workers that come up beside the head: as many as the replicas of the start need at the least."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from generator.chart import render
from tests.chart.rendering import GROUP, INGRESS, MODEL, Render, Values, model
from tests.support.paths import ROOT

ENVIRONMENTS = sorted(path.name for path in (ROOT / "values").iterdir() if path.is_dir())


def scaled(model_options: Values | None = None, **deployment: Any) -> Values:
    return {"models": {MODEL: model(deployment_config=deployment, **(model_options or {}))}}


def beside(placement: Values, **deployment: Any) -> Values:
    """One more model, beside the one replica on one GPU of the smallest values."""
    return {"models": {"more": model(placement_group_config=placement, deployment_config=deployment)}}


def app(**deployment: Any) -> Values:
    application = {"import_path": "code:build", "deployments": [{"name": "Own", **deployment}]}
    return {"apps": {"own": {"application": application}}}


def models(*each: Values) -> Values:
    return {"models": {MODEL: each[0], **{f"more-{number}": one for number, one in enumerate(each[1:])}}}


TARGET = {"target_ongoing_requests": 5}
TENTH = {"GPU": 0.1, GROUP: 0.1}
ASKED: dict[str, tuple[Values, int]] = {
    "Ray's own one replica": ({}, 1),
    "the least of the autoscaling": (scaled(autoscaling_config={"min_replicas": 3, "max_replicas": 4, **TARGET}), 3),
    "none": (scaled(autoscaling_config={"min_replicas": 0, "max_replicas": 4, **TARGET}), 0),
    "more only at first": (
        scaled(autoscaling_config={"min_replicas": 1, "initial_replicas": 2, "max_replicas": 4, **TARGET}),
        2,  # Ray starts with them, and is not up before they are
    ),
    "a number": (scaled(num_replicas=2), 2),
    "Ray's own word": (scaled(num_replicas="auto"), 1),
    "a bundle for every GPU": (scaled({"engine_kwargs": {"tensor_parallel_size": 2, "pipeline_parallel_size": 2}}), 4),
    "ranks of data parallelism": (scaled({"engine_kwargs": {"data_parallel_size": 3}}), 3),
    "models that differ in their replicas alone": (
        models(model(deployment_config={"num_replicas": 1}), model(deployment_config={"num_replicas": 3})),
        4,
    ),
    "… in their ranks alone": (models(model(), model(engine_kwargs={"data_parallel_size": 2})), 3),
    "… in their bundles alone": (models(model(), model(engine_kwargs={"tensor_parallel_size": 3})), 4),
    "bundles": (beside({"bundles": [{"GPU": 1, GROUP: 1}, *[{GROUP: 1}] * 2], "strategy": "PACK"}), 4),
    "ten tenths": (models(*[model(placement_group_config={"bundle_per_worker": TENTH})] * 10), 1),
    "eleven tenths": (models(*[model(placement_group_config={"bundle_per_worker": TENTH})] * 11), 2),
    "a GPU that only one group has": (beside({"bundle_per_worker": {"GPU": 1}}), 2),
    "the replica's own resources": (
        beside({"bundles": [{"GPU": 1}]}, ray_actor_options={"resources": {GROUP: 1}}),
        2,
    ),
    "an app's replicas": (app(num_replicas=2, ray_actor_options={"num_gpus": 1, "resources": {GROUP: 1}}), 3),
    "an app whose code says its replicas": (app(ray_actor_options={"num_gpus": 1, "resources": {GROUP: 1}}), 1),
    "an app's bundles": (app(num_replicas=1, placement_group_bundles=[{"GPU": 1, GROUP: 1}] * 2), 3),
    "the group's own least": ({"workerGroups": {GROUP: {"minReplicas": 2}}}, 2),
}


@pytest.mark.parametrize(("values", "workers"), ASKED.values(), ids=ASKED)
def test_a_group_starts_with_the_workers_that_replicas_need(render_with: Render, values: Values, workers: int) -> None:
    assert render_with(values).groups[GROUP]["replicas"] == workers


def test_larger_workers_are_fewer(render_with: Render) -> None:
    wide = {"workerGroups": {GROUP: {"gpusPerWorker": 2}}, **scaled(num_replicas=3)}
    assert render_with(wide).groups[GROUP]["replicas"] == 2


def test_models_of_several_sizes_are_left_to_the_autoscaler(render_with: Render) -> None:
    """On two workers that are there, two small models would leave none whole for the wide one (docs/placement.md)."""
    wide = model(
        placement_group_config={"bundle_per_worker": {"GPU": 1, GROUP: 1}, "strategy": "STRICT_PACK"},
        engine_kwargs={"tensor_parallel_size": 4},
    )
    values = {"workerGroups": {GROUP: {"gpusPerWorker": 4}}}
    assert render_with(values | models(model(), wide)).groups[GROUP]["replicas"] == 0
    assert render_with(values | models(wide, wide)).groups[GROUP]["replicas"] == 2


def test_a_number_on_the_command_line_is_one_too(render_with: Render) -> None:
    number = f"models.{MODEL}.llmConfig.deployment_config.num_replicas=3"
    assert render_with(arguments=("--set", number)).groups[GROUP]["replicas"] == 3


def on_either(replicas: int, first: Values, second: Values) -> Values:
    """One replica on GROUP, and so many more that ask for what GROUP and `others` both have."""
    both = {"placement_group_config": {"bundle_per_worker": {"GPU": 1, "either": 1}}}
    return {
        "workerGroups": {
            GROUP: {"gpusPerWorker": 1, "rayResources": {GROUP: 1, "either": 1}, **first},
            "others": {"gpusPerWorker": 1, "rayResources": {"others": 1, "either": 1}, **second},
        },
        **beside(both["placement_group_config"], num_replicas=replicas),
    }


EITHER: dict[str, tuple[Values, tuple[int, int]]] = {
    "by name where no priority is said": (on_either(2, {"maxReplicas": 5}, {"maxReplicas": 5}), (1, 2)),
    "the highest priority": (on_either(2, {"maxReplicas": 5, "priority": 1}, {"maxReplicas": 5}), (3, 0)),
    "the rest goes to the next": (on_either(4, {"maxReplicas": 3, "priority": 1}, {"maxReplicas": 5}), (3, 2)),
    "beside its own pieces on one worker": (
        on_either(
            2, {"maxReplicas": 5, "priority": 1, **{"gpusPerWorker": 4, "rayResources": {GROUP: 4, "either": 4}}}, {}
        ),
        (1, 0),
    ),
    "none where sizes are mixed": (
        on_either(2, {"maxReplicas": 5, "priority": 1, "rayResources": {GROUP: 1, "either": 2}}, {}),
        (0, 0),
    ),
}


@pytest.mark.parametrize(("values", "workers"), EITHER.values(), ids=EITHER)
def test_what_several_groups_have_is_counted_for_the_first_in_order(
    render_with: Render, values: Values, workers: tuple[int, int]
) -> None:
    groups = render_with(values).groups
    assert (groups[GROUP]["replicas"], groups["others"]["replicas"]) == workers
    assert groups[INGRESS]["replicas"] == 1


def test_groups_are_in_the_order_of_their_priority(render_with: Render) -> None:
    """Ray's autoscaler goes by it among workers that would do alike (contract tier, test_placement_in_ray.py)."""
    more = {"gpusPerWorker": 1, "maxReplicas": 1}
    groups = {"a": more, "b": {**more, "priority": 2}, "c": {**more, "priority": 10}}
    assert list(render_with({"workerGroups": groups}).groups) == [INGRESS, "c", "b", "a", GROUP]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_all_of_an_environment_starts_with_what_the_plan_says_is_the_least(environment: str) -> None:
    command = [sys.executable, "-m", "generator", "plan", "--environment", environment, "--json"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    least = {name: pool["workers_min"] for name, pool in json.loads(told)["environments"][environment]["pools"].items()}

    values = sorted(Path(ROOT / "values" / environment).glob("*.yaml"))
    (service,) = (each for each in render(ROOT / "chart", values) if each["kind"] == "RayService")
    groups = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]

    assert {each["groupName"]: each["replicas"] for each in groups if each["groupName"] != INGRESS} == least
