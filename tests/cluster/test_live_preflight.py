"""`preflight` against a real API server: what it says is what the server says. Nothing runs, so the nodes are fake."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.cluster.api import Cluster, api_path, connect
from tests.cluster.api_server import api_server
from tests.support.output import published
from tests.support.paths import ROOT
from tools.cluster.control_plane import ControlPlane

NAMESPACE = "preflight"


class Preflight:
    """A copy of the project, and `preflight` run in it against the API server."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self.folder = folder
        self.kubeconfig = kubeconfig
        for name in ("catalog", "environments", "values", "schemas", "chart"):
            shutil.copytree(ROOT / name, folder / name)

    def edit(self, environment: str, **changes: Any) -> None:
        """Change an environment's top-level keys, and generate its values."""
        path = self.folder / "environments" / f"{environment}.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
        assert self.generator("generate", "--environment", environment).returncode == 0

    def generator(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "generator", "--root", str(self.folder), *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def run(self, environment: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = ("--environment", environment, "--namespace", NAMESPACE, "--kubeconfig", str(self.kubeconfig))
        return self.generator("preflight", *options, *arguments)

    def findings(self, environment: str, *arguments: str) -> list[dict[str, str]]:
        done = self.run(environment, "--json", *arguments)
        document = published("preflight", done.stdout)
        assert done.returncode == (1 if document["counts"]["fail"] else 0), done.stderr
        return document["findings"]

    def of(self, subject: str, environment: str) -> list[tuple[str, str, str]]:
        """Level, text and remedy of the findings about a subject."""
        found = self.findings(environment)
        return [(one["level"], one["message"], one["fix"]) for one in found if one["subject"] == subject]


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with api_server(tmp_path_factory.mktemp("api")) as plane:
        yield plane


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Cluster:
    cluster = connect(kubeconfig=control_plane.admin)
    for name, labels, gpus in (
        ("fake-cpu", {}, 0),
        ("fake-l4-1", {"cloud.google.com/gke-accelerator": "nvidia-l4"}, 1),
        ("fake-l4-2", {"cloud.google.com/gke-accelerator": "nvidia-l4"}, 1),
    ):
        amounts = {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", "pods": "110"}
        amounts |= {"nvidia.com/gpu": str(gpus)} if gpus else {}
        node = {
            "metadata": {"name": name, "labels": labels},
            "status": {
                "allocatable": amounts,
                "capacity": amounts,
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        cluster.create(api_path("v1", "nodes"), {"apiVersion": "v1", "kind": "Node", **node}, dry_run=False)
    return cluster


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """The namespace, with the service account that a controller would make. What a test puts in is taken out."""
    if cluster.get_if_there(api_path("v1", "namespaces", NAMESPACE)) is None:
        make_namespace(cluster, NAMESPACE)
    yield NAMESPACE
    for plural in ("secrets", "configmaps", "limitranges"):
        listed = api_path("v1", plural, namespace=NAMESPACE)
        for one in cluster.items(listed):
            cluster.delete(f"{listed}/{one['metadata']['name']}")


def make_namespace(cluster: Cluster, name: str, **labels: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    cluster.create(api_path("v1", "namespaces"), body, dry_run=False)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    cluster.create(api_path("v1", "serviceaccounts", namespace=name), account, dry_run=False)


def put(cluster: Cluster, kind: str, name: str, **fields: Any) -> None:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **fields.pop("metadata", {})}, **fields}
    cluster.create(api_path("v1", f"{kind.lower()}s", namespace=NAMESPACE), body, dry_run=False)


@pytest.fixture
def preflight(tmp_path: Path, control_plane: ControlPlane, namespace: str) -> Preflight:
    return Preflight(tmp_path, control_plane.admin)


class TestNamespace:
    def test_a_missing_secret_then_a_wrong_key_then_all_is_well(self, cluster: Cluster, preflight: Preflight) -> None:
        ((level, what, fix),) = preflight.of("secrets", "dev")
        assert (level, what) == ("fail", f"Secret {NAMESPACE}/hf-token does not exist (environment variable HF_TOKEN)")
        assert fix.startswith("kubectl create secret generic hf-token")
        put(cluster, "Secret", "hf-token", stringData={"tokens": "hf_thevalueofthesecret"})
        assert "has no key 'token'" in preflight.of("secrets", "dev")[0][1]
        cluster.delete(api_path("v1", "secrets", "hf-token", namespace=NAMESPACE))
        put(cluster, "Secret", "hf-token", stringData={"token": "hf_thevalueofthesecret"})
        done = preflight.run("dev")
        assert "Secret preflight/hf-token is there with the key token" in done.stdout
        assert "hf_thevalueofthesecret" not in done.stdout + done.stderr

    def test_the_pod_security_level_answers_for_itself(self, cluster: Cluster, preflight: Preflight) -> None:
        make_namespace(cluster, "restricted", **{"pod-security.kubernetes.io/enforce": "restricted"})
        told = [one for one in preflight.findings("dev", "--namespace", "restricted") if one["subject"] == "pods"]
        assert {one["level"] for one in told} == {"pass"}, told
        preflight.edit("dev", chart={"pods": {"securityContext": {"allowPrivilegeEscalation": True}}})
        told = [one for one in preflight.findings("dev", "--namespace", "restricted") if one["subject"] == "pods"]
        assert {one["level"] for one in told} == {"fail"}, told
        assert all(
            'violates PodSecurity "restricted:latest": allowPrivilegeEscalation' in o["message"] for o in told
        ), told

    def test_limits_and_classes_answer_for_themselves(self, cluster: Cluster, preflight: Preflight) -> None:
        put(cluster, "LimitRange", "small", spec={"limits": [{"type": "Container", "max": {"memory": "20Gi"}}]})
        chart = {
            "serving": {"path": "standard"},
            "head": {"priorityClassName": "none-such"},
            "ingressWorkers": {"runtimeClassName": "none-such"},
        }
        preflight.edit("dev", chart=chart)
        said = {what.split()[3]: (what, fix) for level, what, fix in preflight.of("pods", "dev") if level == "fail"}
        assert "no PriorityClass with name none-such" in said["head"][0]
        assert "kubectl get priorityclasses" in said["head"][1]
        assert 'RuntimeClass "none-such" not found' in said["ingress-workers"][0]
        assert "maximum memory usage per Container is 20Gi, but limit is 24Gi" in said["small-model-workers"][0]
        assert "LimitRange" in said["small-model-workers"][1]

    def test_an_object_that_helm_does_not_own(self, cluster: Cluster, preflight: Preflight) -> None:
        put(cluster, "ConfigMap", "falcon3-family-config")
        level, what, _ = preflight.of("objects", "dev")[0]
        assert (level, what) == (
            "fail",
            "ConfigMap falcon3-family-config is there already and was not made by helm, so helm refuses to install",
        )

    def test_a_namespace_that_does_not_exist(self, preflight: Preflight) -> None:
        found = preflight.findings("dev", "--namespace", "nowhere")
        (missing,) = [one for one in found if one["subject"] == "namespace"]
        assert missing["fix"] == "kubectl create namespace nowhere"
        assert "pool small-model-workers" in [one["subject"] for one in found]

    def test_who_may_do_nothing_is_told_so(self, preflight: Preflight, control_plane: ControlPlane) -> None:
        preflight.kubeconfig = control_plane.kubeconfig("kube-proxy")
        found = preflight.findings("dev")
        (rights,) = [one for one in found if one["subject"] == "rights"]
        assert rights["level"] == "fail"
        assert "get, create, patch, delete rayservices" in rights["message"]
        unseen = {one["subject"] for one in found if one["message"].startswith("not checked, since you may not")}
        assert unseen == {"KubeRay", "edge", "namespace", "objects", "pods", "secrets"}

    def test_nothing_is_left_behind(self, cluster: Cluster, preflight: Preflight) -> None:
        def everything() -> list[str]:
            listed = [api_path("v1", kind, namespace=NAMESPACE) for kind in ("pods", "configmaps", "serviceaccounts")]
            listed.append(api_path("ray.io/v1", "rayservices", namespace=NAMESPACE))
            return [one["metadata"]["name"] for path in listed for one in cluster.items(path)]

        before = everything()
        preflight.findings("dev")
        assert everything() == before


class TestPools:
    POOL = "pool small-model-workers"

    def test_too_few_nodes(self, preflight: Preflight) -> None:
        ((level, what, _),) = preflight.of(self.POOL, "dev")
        assert level == "fail"
        assert what.startswith(
            "2 nodes hold 2 pods of 6 CPUs, 24 GiB, 1 nvidia.com/gpu, 30 GiB of disk; the plan needs "
        )

    def test_a_misspelt_label(self, preflight: Preflight) -> None:
        pool = {"gpu": "L4-24GB", "nodes": 10, "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l40"}}
        preflight.edit("dev", pools={"small-model-workers": pool})
        ((level, what, fix),) = preflight.of(self.POOL, "dev")
        assert level == "fail"
        assert what.startswith("0 of 3 nodes match nodeSelector")
        assert "did you mean 'nvidia-l4'?" in fix

    def test_too_little_memory_for_one_worker(self, preflight: Preflight) -> None:
        pool = {"gpu": "L4-24GB", "nodes": 10, "memoryPerNode": "64Gi"}
        preflight.edit("dev", pools={"small-model-workers": pool})
        ((level, what, fix),) = preflight.of(self.POOL, "dev")
        assert level == "fail"
        assert "a pod asks for 64 GiB and the largest of 3 nodes has 32 GiB" in what
        assert "memoryPerNode" in fix

    def test_too_little_disk_for_the_models_files(self, preflight: Preflight) -> None:
        group = {"resources": {"requests": {"ephemeral-storage": "200Gi"}}}
        preflight.edit("dev", pools={"small-model-workers": {"gpu": "L4-24GB", "nodes": 10, "workerGroup": group}})
        ((level, what, fix),) = preflight.of(self.POOL, "dev")
        assert level == "fail"
        assert "a pod asks for 200 GiB of disk and the largest of 3 nodes has 100 GiB of disk" in what
        assert "diskPerNode" in fix
