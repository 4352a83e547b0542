"""What preflight says of a cluster with and without a Prometheus operator."""

from __future__ import annotations

import pytest

from generator.cluster.preflight.monitoring import KINDS, MONITORING, monitoring_findings

NOBODY = dict.fromkeys(KINDS, False)
OPERATOR = dict.fromkeys(KINDS, True)


def said(known: dict[str, bool], *made: str) -> list[tuple[str, str, str]]:
    manifests = [{"apiVersion": MONITORING, "kind": kind, "metadata": {"name": "r"}} for kind in made]
    return [(each.level, each.message, each.fix) for each in monitoring_findings(known, manifests)]


def test_a_cluster_without_an_operator_and_a_release_that_asks_for_none() -> None:
    assert said(NOBODY) == []


def test_objects_that_the_cluster_does_not_know_are_a_failure_with_both_ways_out() -> None:
    ((level, message, fix),) = said(NOBODY, "PodMonitor", "PrometheusRule")
    assert level == "fail"
    assert "does not know PodMonitor and PrometheusRule" in message
    assert "kube-prometheus-stack" in fix
    assert "take monitoring.podMonitor and monitoring.prometheusRule out" in fix


@pytest.mark.parametrize(
    ("made", "what", "key"),
    [((), "is collected", "podMonitor"), (("PodMonitor",), "alerts", "prometheusRule")],
)
def test_an_operator_that_nobody_uses_is_a_warning(made: tuple[str, ...], what: str, key: str) -> None:
    ((level, message, fix),) = said(OPERATOR, *made)
    assert level == "warn"
    assert message.endswith(f"nothing of this release {what}")
    assert f"`{key}: {{enabled: true}}`" in fix


def test_an_operator_that_is_used() -> None:
    ((level, message, _),) = said(OPERATOR, "PodMonitor", "PrometheusRule")
    assert level == "pass"
    assert "PodMonitor and PrometheusRule" in message
