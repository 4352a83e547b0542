"""What a changed cluster takes beside the one that serves: double, or as much as KubeRay's steps ask for."""

from __future__ import annotations

from typing import Any

import pytest

from generator.plan.plan import make_plan
from generator.plan.plans import Home
from generator.plan.upgrade import steps, surge_percent, workers_at_once
from tests.support.builders import catalog, environment, model


def in_steps(surge: int | None) -> dict[str, Any]:
    options = {"gatewayClassName": "istio", "stepSizePercent": 10, "intervalSeconds": 60}
    return {
        "type": "NewClusterWithIncrementalUpgrade",
        "clusterUpgradeOptions": options | ({} if surge is None else {"maxSurgePercent": surge}),
    }


@pytest.mark.parametrize("surge", [1, 7, 20, 25, 33, 50, 99, 100])
def test_both_clusters_have_between_all_and_the_surge_more_until_the_new_one_has_all(surge: int) -> None:
    taken = list(steps(surge))
    assert taken[0] == (100, 0) and taken[-1] == (0, 100)
    assert all(100 <= active + pending <= 100 + surge for active, pending in taken)


def test_what_a_strategy_brings_at_a_time() -> None:
    strategies = ({}, {"type": "NewCluster"}, in_steps(None), in_steps(20), {"type": "None"})
    assert [surge_percent(strategy) for strategy in strategies] == [100, 100, 100, 20, 0]


@pytest.mark.parametrize(
    ("replicas", "surge", "workers"),
    [
        ([10], 100, 20),
        ([10], 20, 12),
        ([10], 1, 11),  # the new cluster's first replica, however small the step
        ([1], 20, 2),
        ([1, 1, 1], 20, 6),  # models of one replica are there twice
        ([3], 25, 4),
        ([0], 25, 0),
        ([10], 0, 10),
    ],
)
def test_the_worker_pods_of_both_clusters_at_their_most(replicas: list[int], surge: int, workers: int) -> None:
    homes = [Home(node_pool=None, piece=1, pieces=1, least=least, most=least) for least in replicas]  # type: ignore[arg-type]
    assert workers_at_once(homes, 1, surge) == workers


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        (None, "makes a new cluster beside the old one, which takes 3 H100-80GB more than the pool has"),
        (in_steps(50), "makes a new cluster that takes over in steps of 50 %, which takes 1 H100-80GB more"),
        (in_steps(25), None),
        ({"type": "None"}, None),
    ],
)
def test_a_plan_tells_what_its_update_takes(strategy: dict[str, Any] | None, told: str | None) -> None:
    made = environment(
        {"p": {"gpu": "H100-80GB", "gpusPerNode": 1, "nodes": 5}},
        chart={"upgradeStrategy": strategy} if strategy else {},
        defaults={"replicas": {"min": 4, "max": 5}},
    )
    decided = make_plan("test", made, catalog(family={"m": model()}), where="environments/test.yaml")
    text = "\n".join(map(str, decided.warnings))
    assert ("a changed model" in text) == bool(told)
    assert told is None or told in text
