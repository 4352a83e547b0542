"""The cluster tier: helm, KubeRay and pods on the cluster that KUBECONFIG names. Run by `make test-cluster`.

The tests of a file are one story and run in its order: every Ray cluster takes minutes, so each is used for all that it
can show. They make namespaces of their own and touch nothing else.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import kubernetes
import pytest
from pytest_helm_charts.clusters import ExistingCluster
from pytest_helm_charts.k8s.namespace import ensure_namespace_exists

from tests.cluster import figures
from tests.cluster.client import Client
from tests.cluster.release import Release
from tests.cluster.waiting import wait
from tests.support.long_run import keep_figures
from tests.support.paths import ROOT
from tests.support.registry import pushed, registry
from tools.cluster.settings import state_folder

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    # Not by `pytest_plugins`, which a conftest below the top may not have, nor for all tiers, which do not use it.
    pluginmanager.import_plugin("pytest_helm_charts.plugin")
    told = "serving.path of every release; by default the values' own"
    parser.addoption("--serving-path", choices=("standard", "throughput"), help=told)


@pytest.fixture(scope="module")
def kubeconfig(kube_cluster: ExistingCluster) -> Path:
    """The kubeconfig that pytest-helm-charts takes from --kubeconfig or KUBECONFIG; so do helm and the generator."""
    os.environ["KUBECONFIG"] = kube_cluster.kube_config_path
    kubernetes.config.load_kube_config(kube_cluster.kube_config_path)
    return Path(kube_cluster.kube_config_path)


@pytest.fixture(scope="session")
def made_namespaces() -> Iterator[list[str]]:
    """Those that the run has made: when all its stories are over, none may be left.

    A story does not wait for its own to go, which takes a Ray cluster half a minute.
    """
    made: list[str] = []
    yield made
    core = kubernetes.client.CoreV1Api()
    wait(
        lambda: not set(made) & {namespace.metadata.name for namespace in core.list_namespace().items},
        f"namespaces {', '.join(made)} gone",
        seconds=180,
    )


@pytest.fixture(scope="module")
def make_namespace(
    kube_cluster: ExistingCluster, kubeconfig: Path, made_namespaces: list[str]
) -> Iterator[Callable[[str], str]]:
    """Makes restricted namespaces with a name that no one else has; they are deleted after the file's last test."""
    made: list[str] = []

    def make(purpose: str) -> str:
        name = f"rsl-{purpose}-{uuid.uuid4().hex[:5]}"
        ensure_namespace_exists(kube_cluster.kube_client, name, extra_metadata={"labels": RESTRICTED})
        made.append(name)
        made_namespaces.append(name)
        return name

    yield make
    for name in made:
        kubernetes.client.CoreV1Api().delete_namespace(name)


@pytest.fixture(scope="module")
def client(make_namespace: Callable[[str], str]) -> Client:
    """A pod that asks, in a namespace beside the release's."""
    client = Client(make_namespace("client"))
    client.start()
    return client


@pytest.fixture(scope="module")
def chart() -> tuple[str, ...]:
    """What the file's release is installed from: the clone's own folder."""
    return ("chart",)


@pytest.fixture(scope="module")
def published_chart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """The chart in a registry on this machine, where helm runs; the cluster does not see it."""
    folder = tmp_path_factory.mktemp("charts")
    helm = os.environ["HELM"]
    subprocess.run([helm, "package", ROOT / "chart", "--destination", folder], check=True, capture_output=True)
    with registry(folder / "registry") as host:
        yield pushed(helm, next(folder.glob("*.tgz")), host)


@pytest.fixture(scope="module")
def release(
    make_namespace: Callable[[str], str], client: Client, chart: tuple[str, ...], request: pytest.FixtureRequest
) -> Release:
    """The file's release, not installed yet."""
    path = request.config.getoption("--serving-path") or ""
    return Release("llm", make_namespace("llm"), client, path, chart)


@pytest.fixture(scope="module")
def our_cluster(kubeconfig: Path) -> None:
    """Skips, and says so, where the test would touch what belongs to someone else's cluster."""
    if not kubeconfig.is_relative_to(state_folder()):
        pytest.skip("NOT RUN: it is about the node itself, and this cluster was not made by `make cluster`")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    measured = figures.in_words()
    if measured:
        terminalreporter.section("figures of this run")
        width = max(map(len, measured))
        for what, figure in measured.items():
            terminalreporter.line(f"{what:<{width}}  {figure}")
    keep_figures(figures.as_data())
