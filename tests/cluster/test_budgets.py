"""What Kubernetes makes of a release's budgets: its controller counts pods that only say that they are ready."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.local.http import free_port
from tests.chart.rendering import GROUP, MINIMAL, MODEL, model
from tests.cluster.api_server import api_server
from tests.cluster.waiting import wait
from tests.support.paths import ROOT
from tools.cluster.settings import program, run

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
TWO = {"autoscaling_config": {"min_replicas": 2, "max_replicas": 5, "target_ongoing_requests": 5}}
POD = {"nodeName": "n1", "containers": [{"name": "ray-worker", "image": "x"}], "terminationGracePeriodSeconds": 0}


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """kubectl of an API server, in a namespace with the account that pods need."""
    with api_server(tmp_path_factory.mktemp("api")) as plane:
        plane.start_manager(free_port(), "--controllers=disruption-controller,serviceaccount-controller")

        def ask(*arguments: str, told: Any = None) -> subprocess.CompletedProcess[str]:
            command = [program("kubectl"), "--kubeconfig", str(plane.admin), "--namespace", "ai", *arguments]
            return subprocess.run(command, input=told and json.dumps(told), capture_output=True, text=True, check=False)

        assert ask("create", "namespace", "ai").returncode == 0
        wait(lambda: ask("get", "serviceaccount", "default").returncode == 0, "the namespace's account", seconds=60)
        yield ask


@pytest.fixture(scope="module")
def budget(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """That of the worker group of a model with two replicas at the least."""
    values = tmp_path_factory.mktemp("values") / "values.yaml"
    values.write_text(yaml.safe_dump(MINIMAL | {"models": {MODEL: model(deployment_config=TWO)}}))
    command = [os.environ["HELM"], "template", "falcon3", "chart", "--namespace", "ai", "--kube-version", "1.34"]
    text = run(*command, "-f", values, "-s", "templates/poddisruptionbudgets.yaml", cwd=ROOT)
    (found,) = yaml.safe_load_all(text)
    return found


def workers(kubectl: Kubectl, budget: dict[str, Any], name: str, *ready: bool) -> None:
    """Pods of a RayCluster that the budget selects; the budget itself is of that name, and of that cluster alone."""
    cluster = {"headGroupSpec": {"rayStartParams": {}, "template": {"spec": POD}}}
    metadata = {"name": name, "namespace": "ai"}
    kubectl(
        "apply",
        "-f",
        "-",
        told={"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": metadata, "spec": cluster},
    )
    uid = kubectl("get", "raycluster", name, "-o", "jsonpath={.metadata.uid}").stdout
    owner = {"apiVersion": "ray.io/v1", "kind": "RayCluster", "name": name, "uid": uid, "controller": True}
    labels = budget["spec"]["selector"]["matchLabels"] | {"ray.io/cluster": name}
    for number, is_ready in enumerate(ready):
        named = {"name": f"{name}-{number}", "labels": labels, "ownerReferences": [owner]}
        made = kubectl("apply", "-f", "-", told={"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": POD})
        assert made.returncode == 0, made.stderr
        conditions = [{"type": "Ready", "status": str(is_ready)}]
        status = json.dumps({"status": {"phase": "Running", "conditions": conditions}})
        kubectl("patch", "pod", named["name"], "--subresource=status", "--type=merge", "-p", status)
    selector = {"matchLabels": labels}
    mine = budget | {"metadata": metadata, "spec": budget["spec"] | {"selector": selector}}
    made = kubectl("apply", "--validate=strict", "-f", "-", told=mine)
    assert made.returncode == 0, made.stderr
    seen = ("get", "pdb", name, "-o", "jsonpath={.status.conditions[0].reason}")
    wait(lambda: kubectl(*seen).stdout, "the controller's count", seconds=60)


def evicted(kubectl: Kubectl, pod: str, tmp_path: Path) -> bool:
    """Whether a drain would take the pod, and took it."""
    path = tmp_path / "eviction.json"
    path.write_text(
        json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "ai"}})
    )
    done = kubectl("create", "--raw", f"/api/v1/namespaces/ai/pods/{pod}/eviction", "-f", str(path))
    assert done.returncode == 0 or "disruption budget" in done.stderr, done.stderr
    return done.returncode == 0


def test_a_drain_takes_one_of_two_and_whatever_is_not_ready(
    kubectl: Kubectl, budget: dict[str, Any], tmp_path: Path
) -> None:
    assert budget["spec"]["selector"]["matchLabels"]["ray.io/group"] == GROUP
    workers(kubectl, budget, "serves", True, True, False)
    taken = [evicted(kubectl, f"serves-{number}", tmp_path) for number in range(3)]
    assert taken == [True, False, True]


@pytest.mark.parametrize("spec", [{"minAvailable": "50%"}, {"maxUnavailable": 1}], ids=["percent", "unavailable"])
def test_of_a_share_kubernetes_would_ask_a_raycluster_that_cannot_say(
    kubectl: Kubectl, budget: dict[str, Any], spec: dict[str, Any], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name = request.node.callspec.id
    others = {key: value for key, value in budget["spec"].items() if key != "minAvailable"}
    workers(kubectl, budget | {"spec": others | spec}, name, True, True)
    told = kubectl("get", "pdb", name, "-o", "jsonpath={.status.conditions[0].message}").stdout
    assert "does not implement the scale subresource" in told
    assert not evicted(kubectl, f"{name}-0", tmp_path)
