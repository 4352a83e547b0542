"""What stays while nodes are drained: budgets where a second pod serves, and none that would hold a drain for ever."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import GROUP, INGRESS, MINIMAL, MODEL, Render, Rendered, Values, model

POLICY = ("--kube-version", "1.34")


def replicas(least: int, **more: Any) -> Values:
    scaling = {"min_replicas": least, "max_replicas": 5, "target_ongoing_requests": 5, **more}
    return {"deployment_config": {"autoscaling_config": scaling}}


def models(*configs: Values) -> Values:
    return {
        "models": {MODEL if number == 0 else f"more-{number}": model(**each) for number, each in enumerate(configs)}
    }


def budgets(rendered: Rendered) -> dict[str, int]:
    """How many pods stay, by KubeRay's name of the group."""
    return {
        each["spec"]["selector"]["matchLabels"]["ray.io/group"]: each["spec"]["minAvailable"]
        for each in rendered.of("PodDisruptionBudget")
    }


TWO_PARTS = {"engine_kwargs": {"tensor_parallel_size": 1, "pipeline_parallel_size": 2}}
SPREAD: Values = {
    "serving": {"ingress": {"num_replicas": 3, "max_replicas_per_node": 1}},
    "ingressWorkers": {"minReplicas": 3},
}
KEPT: dict[str, tuple[Values, dict[str, int]]] = {
    "one replica": ({}, {}),
    "two": (models(replicas(2)), {GROUP: 1}),
    "more only at first": (models(replicas(1, initial_replicas=3)), {}),
    "none at the least": (models(replicas(0)), {}),
    "three models": (models({}, {}, {}), {GROUP: 2}),
    "two replicas of two pods each: only one of them is ready": (models(replicas(2) | TWO_PARTS), {GROUP: 1}),
    "one replica of two pods": (models(TWO_PARTS), {}),
    "idle workers, which are never ready": ({"workerGroups": {GROUP: {"minReplicas": 3}}}, {}),
    "ranks of data parallelism": (models({"engine_kwargs": {"data_parallel_size": 3}}), {GROUP: 2}),
    "a program outside sets them": (
        {"models": {MODEL: {**model(deployment_config={"num_replicas": 3}), "scaling": {"external": True}}}},
        {},
    ),
    "two ingresses, which one worker holds": ({"ingressWorkers": {"minReplicas": 2}}, {}),
    "ingresses on workers of their own": (SPREAD, {INGRESS: 2}),
    "ingresses of more models than a worker holds": (models(*[{}] * 5), {GROUP: 4, INGRESS: 1}),
    "asked for": (
        {
            "head": {"podDisruptionBudget": {"enabled": True}},
            "ingressWorkers": {"podDisruptionBudget": {"minAvailable": 1}},
            "workerGroups": {GROUP: {"podDisruptionBudget": {"enabled": True, "minAvailable": 4}}},
        },
        {"headgroup": 1, INGRESS: 1, GROUP: 4},
    ),
    "asked of every group": (
        {"pods": {"podDisruptionBudget": {"enabled": True}}},
        {"headgroup": 1, INGRESS: 1, GROUP: 1},
    ),
    "switched off": (models(replicas(3)) | {"pods": {"podDisruptionBudget": {"enabled": False}}}, {}),
    "switched off but for one group": (
        models(replicas(3))
        | {
            "pods": {"podDisruptionBudget": {"enabled": False}},
            "workerGroups": {GROUP: {"podDisruptionBudget": {"enabled": True}}},
        },
        {GROUP: 2},
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_a_budget_keeps_all_but_one_of_the_pods_that_are_always_ready(render_with: Render, case: str) -> None:
    values, kept = KEPT[case]
    assert budgets(render_with(values)) == kept


def test_a_budget_counts_the_pods_of_one_group(
    render_with: Render, schemas: dict[str, Path], kubeconform: Callable
) -> None:
    values = models(replicas(2)) | {"head": {"podDisruptionBudget": {"enabled": True}}}
    rendered = render_with(values, arguments=POLICY)
    worker, head = (rendered.named("PodDisruptionBudget", f"falcon3-{name}")["spec"] for name in (GROUP, "headgroup"))
    # No percentage: a RayCluster has no scale subresource, of which Kubernetes would ask.
    assert worker["minAvailable"] == 1
    assert worker["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    labels = rendered.templates[GROUP]["metadata"]["labels"]
    expected = {**labels, "ray.io/group": GROUP, "ray.io/node-type": "worker"}
    assert worker["selector"]["matchLabels"].items() <= expected.items()
    # The Job that clears Redis after a cluster has the head's labels, but for this one.
    assert head["selector"]["matchLabels"]["ray.io/node-type"] == "head"
    done = kubeconform(max(schemas), rendered.text)
    assert done.returncode == 0, done.stdout


def test_a_cluster_that_does_not_know_the_policy_is_not_told_of_it(render_with: Render) -> None:
    spec = render_with(models(replicas(2)), arguments=("--kube-version", "1.26")).one("PodDisruptionBudget")["spec"]
    assert "unhealthyPodEvictionPolicy" not in spec


def test_a_budget_makes_no_new_cluster(render: Render) -> None:
    budget = {"head": {"podDisruptionBudget": {"enabled": True}}}
    assert render([MINIMAL, budget]).cluster == render(MINIMAL).cluster


def test_a_budget_that_nothing_could_meet(render_error: Callable[..., str]) -> None:
    message = render_error(
        {
            "head": {"podDisruptionBudget": {"minAvailable": 2}},
            "ingressWorkers": {"podDisruptionBudget": {"enabled": False, "minAvailable": 1}},
            "workerGroups": {GROUP: {"podDisruptionBudget": {"minAvailable": 6}}},
        }
    )
    assert "head.podDisruptionBudget.minAvailable: 2 pods can never be there, since there is 1 at the most" in message
    assert f"workerGroups.{GROUP}.podDisruptionBudget.minAvailable: 6 pods can never be there" in message
    assert f"Lower it, or raise workerGroups.{GROUP}.maxReplicas" in message
    assert "ingressWorkers.podDisruptionBudget.minAvailable: there is no budget where enabled is false" in message
    message = render_error({"pods": {"podDisruptionBudget": {"minAvailable": 2}}})
    assert "pods.podDisruptionBudget.minAvailable: it would be that of every group, and of the one head" in message
