"""The chart refuses what Kubernetes and KubeRay refuse of a pod: a RayService is taken as it is, and no pod comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import GROUP, Render
from tests.support.pod_rules import REFUSED, TAKEN, below

RenderError = Callable[..., str]


@pytest.mark.parametrize(("values", "words"), REFUSED)
def test_what_the_api_server_or_the_operator_would_refuse(render_error: RenderError, values: Any, words: str) -> None:
    message = render_error(values)
    assert words in message
    assert "executing" not in message


@pytest.mark.parametrize("values", TAKEN)
def test_what_they_take(render_with: Render, values: Any) -> None:
    render_with(values)


def test_a_gpu_resource_that_contradicts_the_group(render_error: RenderError, render_with: Render) -> None:
    limits = f"workerGroups/{GROUP}/resources/limits"
    message = render_error(below(f"{limits}/nvidia.com~1gpu", 4))
    assert "nvidia.com/gpu: 4 contradicts gpusPerWorker, 1. Remove it here" in message
    message = render_error(below(f"{limits}/amd.com~1gpu", 1))
    assert "their name in gpuResourceName, which is nvidia.com/gpu. Set that to amd.com/gpu" in message
    render_with(below(f"{limits}/nvidia.com~1gpu", 1))


def test_a_privileged_container_that_may_gain_nothing(render_error: RenderError, render_with: Render) -> None:
    context = {"privileged": True}
    message = render_error(below("pods/securityContext", context))
    assert "pods.securityContext.privileged: Kubernetes refuses a privileged container without" in message
    render_with(below("pods/securityContext", context | {"allowPrivilegeEscalation": True}))


def test_root_in_a_pod_that_may_not_be_root(render_error: RenderError, render_with: Render) -> None:
    root, told = {"runAsUser": 0}, "runAsUser: 0 is root, and runAsNonRoot is true, as it is unless"
    for context in ("podSecurityContext", "securityContext"):
        message = render_error(below(f"pods/{context}", root))
        assert message.count(told) == 1 and f"- pods.{context}.{told}" in message
    message = render_error(below(f"workerGroups/{GROUP}/podSecurityContext", root))
    assert message.count(told) == 1 and f"- workerGroups.{GROUP}.podSecurityContext.{told}" in message
    render_with(
        {"pods": {"podSecurityContext": root | {"runAsNonRoot": False}}, "head": {"securityContext": {"runAsUser": 7}}}
    )
    render_with({"pods": {"podSecurityContext": root, "securityContext": {"runAsUser": 1000}}})


@pytest.mark.parametrize("where", ["modelCache/mountPath", "serving/modelsPath", "serving/appsPath"])
def test_no_folder_of_the_chart_is_where_tokens_are(render_error: RenderError, where: str) -> None:
    message = render_error(below(where, "/var/run/secrets/kubernetes.io/serviceaccount"))
    assert f"- {where.replace('/', '.')}: programs take what is in /var/run" in message


def test_memory_in_which_nothing_starts(render_error: RenderError, render_with: Render) -> None:
    def limited(**limits: str) -> dict[str, Any]:
        each = {role: {"resources": {"limits": {"memory": memory}}} for role, memory in limits.items()}
        return {
            "head": each["head"],
            "workerGroups": {GROUP: each["worker"]},
            "ingressWorkers": each["ingress"],
            "autoscalerOptions": each["autoscaler"],
        }

    message = render_error(limited(head="64Mi", worker="1Mi", ingress="50Mi", autoscaler="10Mi"))
    assert "- head.resources.limits.memory: nothing starts in 64Mi: Ray does not start with an object store" in message
    assert f"- workerGroups.{GROUP}.resources.limits.memory: nothing starts in 1Mi: Ray does not start with" in message
    assert "- ingressWorkers.resources.limits.memory: nothing starts in 50Mi: an ingress alone takes 0.9 GiB" in message
    assert "Set it to 900Mi or more, or remove it for the chart's own." in message
    assert "- autoscalerOptions.resources.limits.memory: nothing starts in 10Mi" in message
    render_with(limited(head="250Mi", worker="262144000", ingress="1Gi", autoscaler="64Mi"))
    for requested in ({"requests": {"memory": "1Mi"}}, {"limits": {"memory": 0}}):
        render_with({"head": {"resources": requested}})
