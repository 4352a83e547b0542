"""Placement groups that Ray refuses, and labels that no worker has: the release would wait forever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import GROUP, INGRESS, MODEL, Render, Values, model
from tests.support.pod_rules import below

RenderError = Callable[..., str]


def app(**deployment: Any) -> Values:
    own = {"import_path": "code:build", "deployments": [{"name": "Own", **deployment}]}
    return {"apps": {"own": {"application": own}}}


def of_model(**placement: Any) -> Values:
    return {"models": {MODEL: model(placement_group_config=placement)}}


GROUP_LABEL = "ray.io/node-group"


def of_group(condition: str, label: str = GROUP_LABEL) -> Values:
    selector = [{label: condition}]
    return {"models": {MODEL: model(deployment_config={"placement_group_bundle_label_selector": selector})}}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (app(placement_group_bundles=[]), "(Own).placement_group_bundles: it lists no bundle"),
        (app(placement_group_bundles=[{GROUP: 1}, {}]), "bundle 1 asks for nothing, and Ray refuses it"),
        (app(placement_group_bundles=[{"GPU": 0}]), "bundle 0 asks for nothing, and Ray refuses it"),
        (app(placement_group_bundles=[{"GPU": -1}]), "a bundle asks for -1 GPU. Give 0 or more"),
        (of_model(bundles=[]), f"models.{MODEL}.llmConfig.placement_group_config.bundles: it lists no bundle"),
        (of_model(bundle_per_worker={"GPU": 0, GROUP: 0}), "bundle_per_worker: bundle 0 asks for nothing"),
        (
            app(ray_actor_options={"num_gpus": 1}, placement_group_bundles=[{"CPU": 1}, {"GPU": 1}]),
            "the replica is in the first bundle and takes 1 GPU, of which that has 0",
        ),
        (
            app(ray_actor_options={"num_gpus": 1}, placement_group_bundles=[{"GPU": 1}]),
            "the replica is in the first bundle and takes 1 CPU, of which that has 0",
        ),
        (
            of_group("bar", "foo"),
            "placement_group_bundle_label_selector.foo: no worker has that label, so it would stay",
        ),
        (of_group("other"), f"no worker group is called other, so it would stay pending forever. There are: {INGRESS}"),
        (of_group("in("), '"in(" is no condition that Ray reads'),
        (
            app(ray_actor_options={"resources": {GROUP: 0.1}, "label_selector": {"foo": "bar"}}),
            "(Own).ray_actor_options.label_selector.foo: no worker has that label",
        ),
    ],
)
def test_what_ray_refuses_or_no_worker_is(render_error: RenderError, values: Values, told: str) -> None:
    assert told in render_error(values)


@pytest.mark.parametrize(
    "values",
    [
        app(ray_actor_options={"num_cpus": 0, "num_gpus": 1}, placement_group_bundles=[{"GPU": 1, GROUP: 1}]),
        of_group(GROUP),
        of_group(f"in(other, {GROUP})"),
        of_group("!bar", "foo"),
        of_group("L4", "ray.io/accelerator-type"),
        of_group("bar", "foo") | below(f"workerGroups/{GROUP}/env/RAY_OVERRIDE_LABELS", '{"foo": "bar"}'),
    ],
)
def test_what_may_be_found_renders(render_with: Render, values: Values) -> None:
    render_with(values)


def test_an_actor_that_falls_back_is_not_asked_for_its_first_wish(render_with: Render) -> None:
    wish = {"label_selector": {"foo": "bar"}, "fallback_strategy": [{"label_selector": {}}]}
    render_with(app(ray_actor_options={"resources": {GROUP: 0.1}, **wish}))
