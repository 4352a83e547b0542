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
