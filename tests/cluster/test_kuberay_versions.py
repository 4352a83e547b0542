"""Every KubeRay version that the chart promises, by its own CRDs in an API server of its own: nothing runs there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api_server import api_server
from tests.support.output import published
from tests.support.paths import ROOT
from tools.cluster.settings import program, run, versions

VERSIONS = [version.removeprefix("v") for version in versions()["KUBERAY_VERSIONS"].split()]


@pytest.fixture(scope="module", params=VERSIONS)
def kuberay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A version, and the kubeconfig of an API server that has its CRDs and no nodes."""
    with api_server(tmp_path_factory.mktemp("api"), kuberay=request.param) as plane:
        run(program("kubectl"), "--kubeconfig", plane.admin, "create", "namespace", "ai")
        yield request.param, plane.admin


@pytest.fixture(scope="module")
def preflight(kuberay: tuple[str, Path]) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and findings of `preflight --environment prod` there."""
    command = [sys.executable, "-m", "generator", "preflight", "--environment", "prod", "--json"]
    command += ["--kubeconfig", str(kuberay[1]), "--namespace", "ai"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, published("preflight", done.stdout)["findings"]


@pytest.mark.parametrize("values", sorted((ROOT / "values" / "prod").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_version_accepts_the_chart_less_what_it_lacks(kuberay: tuple[str, Path], values: Path) -> None:
    version, kubeconfig = kuberay
    lacks = ["--set", "auth.mode=disabled"] if version == "1.4.2" else []
    rendered = run(
        os.environ["HELM"], "template", "llm", "chart", "--no-hooks", "-n", "ai", "-f", values, *lacks, cwd=ROOT
    )

    told = run(
        *(program("kubectl"), "--kubeconfig", kubeconfig, "apply", "-n", "ai", "-f", "-"),
        *("--dry-run=server", "--validate=strict"),
        input=rendered,
    )

    assert "rayservice.ray.io/llm created (server dry run)" in told


def test_preflight_names_what_a_version_lacks(
    kuberay: tuple[str, Path], preflight: tuple[int, list[dict[str, Any]]]
) -> None:
    version, _ = kuberay
    _, findings = preflight

    lacking = [f for f in findings if f["subject"] == "KubeRay" and f["level"] == "fail"]
    accepted = [f["message"] for f in findings if f["subject"] == "objects" and f["level"] == "pass"]
    if version == "1.4.2":
        (told,) = lacking
        assert told["message"].startswith("KubeRay on this cluster does not know spec.rayClusterConfig.authOptions")
        assert "auth: {mode: disabled}" in told["fix"]
        assert not any("RayService" in text for text in accepted)
    else:
        assert not lacking
        assert any("1 RayService" in text for text in accepted)


def test_preflight_says_that_nothing_could_run_there(preflight: tuple[int, list[dict[str, Any]]]) -> None:
    code, findings = preflight

    assert code == 1
    failed = {f["subject"]: f["message"] for f in findings if f["level"] == "fail"}
    assert any(subject.startswith("pool") for subject in failed), failed  # no node at all
    assert any("hf-token" in what for what in failed.values()), failed  # the Secret that the environment names
