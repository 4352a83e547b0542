"""What the chart's tests share: helm, and the ways to render the smallest values with a change over them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import (
    CHART,
    LOADER,
    MINIMAL,
    Manifest,
    Render,
    Rendered,
    Values,
    crd_folders,
    program,
    values_files,
)
from tests.support.fuzz_report import pytest_terminal_summary as pytest_terminal_summary
from tests.support.waiting import HANGS_S
from tools import kubernetes_schemas


@pytest.fixture(scope="session")
def helm() -> str:
    return program("HELM", "helm")


@pytest.fixture
def helm_template(helm: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(
        values: Values | list[Values | Path],
        *,
        release: str = "falcon3",
        namespace: str = "ai",
        chart: Path | str = CHART,
        arguments: tuple[str, ...] = (),
    ) -> subprocess.CompletedProcess[str]:
        command = [helm, "template", release, str(chart), "--namespace", namespace, *arguments]
        for number, each in enumerate(values if isinstance(values, list) else [values]):
            path = each if isinstance(each, Path) else tmp_path / f"values-{number}.yaml"
            if not isinstance(each, Path):
                path.write_text(json.dumps(each), encoding="utf-8")
            command += ["--values", str(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=HANGS_S, check=False)

    return run


@pytest.fixture
def render(helm_template: Callable[..., subprocess.CompletedProcess[str]]) -> Render:
    """Render values files (one, or a list in the order of `-f`) as they are."""

    def run(values: Values | list[Values | Path], **options: Any) -> Rendered:
        done = helm_template(values, **options)
        assert done.returncode == 0, done.stderr
        objects: dict[bool, list[Manifest]] = {False: [], True: []}
        for each in yaml.load_all(done.stdout, LOADER):
            if each:
                objects["helm.sh/hook" in each.get("metadata", {}).get("annotations", {})].append(each)
        return Rendered(text=done.stdout, objects=objects[False], hooks=objects[True])

    return run


@pytest.fixture
def render_with(render: Render) -> Render:
    """Render the smallest values with a change over them."""
    return lambda change=None, **options: render([MINIMAL, change or {}], **options)


@pytest.fixture
def render_error(helm_template: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., str]:
    """What the templates' own checks say of the smallest values with a change over them.

    Helm's schema, which refuses some of it before, is left out: its messages have tests of their own.
    """

    def run(change: Values | list[Values], *, base: Values = MINIMAL, **options: Any) -> str:
        changes = change if isinstance(change, list) else [change]
        done = helm_template([base, *changes], arguments=("--skip-schema-validation",), **options)
        assert done.returncode != 0, done.stdout
        return done.stderr

    return run


@pytest.fixture(params=list(values_files()), ids=lambda path: f"{path.parent.name}/{path.stem}")
def values_file(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with kubeconform's schemas, by KubeRay version."""
    specification = os.environ.get("KUBERNETES_SPEC")
    gateway = os.environ.get("GATEWAY_CRDS")
    if not crd_folders() or not specification or not gateway:
        pytest.fail(
            "KUBERAY_CRDS (<version>=<folder with CRDs>, separated by ':'), GATEWAY_CRDS (a folder) or KUBERNETES_SPEC "
            "(path of Kubernetes' swagger.json) is not set: run `make chart`, which sets all",
            pytrace=False,
        )
    folders = {}
    for version, crds in crd_folders().items():
        folders[version] = tmp_path_factory.mktemp(version)
        kubernetes_schemas.main([str(folders[version]), "--crds", str(crds), "--openapi", specification])
        kubernetes_schemas.main([str(folders[version]), "--crds", gateway])
    return folders


@pytest.fixture
def kubeconform(schemas: dict[str, Path]) -> Callable[[str, str], subprocess.CompletedProcess[str]]:
    def run(version: str, manifests: str) -> subprocess.CompletedProcess[str]:
        location = f"{schemas[version]}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
        command = [program("KUBECONFORM", "kubeconform"), "-strict", "-output", "json", "-schema-location", location]
        return subprocess.run(command, input=manifests, capture_output=True, text=True, timeout=HANGS_S, check=False)

    return run
