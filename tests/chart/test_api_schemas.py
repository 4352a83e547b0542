"""What is rendered is what the API servers of every supported KubeRay take, to the last field."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chart.rendering import CHART, MINIMAL, Render, program
from tools import kubernetes_schemas

# Its RayCluster has no `authOptions`: the API server would drop it without a word.
WITHOUT_TOKEN_AUTH = ("1.4",)


def crd_folders() -> dict[str, Path]:
    """KubeRay versions and the folders of their CRDs, from KUBERAY_CRDS: `<version>=<folder>`, separated as in PATH."""
    pairs = [part.partition("=") for part in os.environ.get("KUBERAY_CRDS", "").split(os.pathsep) if part]
    return {version: Path(folder) for version, _, folder in pairs}


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with kubeconform's schemas, by KubeRay version."""
    specification = os.environ.get("KUBERNETES_SPEC")
    if not crd_folders() or not specification:
        pytest.fail(
            "KUBERAY_CRDS (<version>=<folder with CRDs>, separated by ':') or KUBERNETES_SPEC (path of Kubernetes' "
            "swagger.json) is not set: run `make chart`, which sets both",
            pytrace=False,
        )
    folders = {}
    for version, crds in crd_folders().items():
        folders[version] = tmp_path_factory.mktemp(version)
        kubernetes_schemas.main([str(folders[version]), "--crds", str(crds), "--openapi", specification])
    return folders


@pytest.fixture
def kubeconform(schemas: dict[str, Path]) -> Callable[[str, str], subprocess.CompletedProcess[str]]:
    def run(version: str, manifests: str) -> subprocess.CompletedProcess[str]:
        location = f"{schemas[version]}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
        command = [program("KUBECONFORM", "kubeconform"), "-strict", "-output", "json", "-schema-location", location]
        return subprocess.run(command, input=manifests, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_every_values_file_renders_objects_that_every_kuberay_takes(
    render: Render, values_file: Path, schemas: dict[str, Path], kubeconform: Callable
) -> None:
    assert {"1.4", "1.5", "1.6"} <= {version.rpartition(".")[0] for version in schemas}
    for version in schemas:
        old = version.startswith(WITHOUT_TOKEN_AUTH)
        rendered = render([values_file, {"auth": {"mode": "disabled"}} if old else {}])
        done = kubeconform(version, rendered.text)
        assert done.returncode == 0, f"KubeRay {version}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("maxReplicas: 5", "maxReplica: 5"),
        ("mountPath:", "mountPaths:"),
        ("rayVersion:", "rayversion:"),
        ("automountServiceAccountToken: false", "automountServiceAccountToken: 'no'"),
        ("sizeLimit: 10Gi", "sizeLimits: 10Gi"),
    ],
)
def test_a_field_that_kubernetes_does_not_know_would_be_seen(
    render: Render, schemas: dict[str, Path], kubeconform: Callable, right: str, wrong: str
) -> None:
    text = render(MINIMAL).text
    assert right in text
    version = max(schemas)
    assert kubeconform(version, text).returncode == 0
    done = kubeconform(version, text.replace(right, wrong))
    assert done.returncode == 1
    assert "statusInvalid" in json.dumps(json.loads(done.stdout))


def test_the_schemas_of_a_folder_without_crds_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no CRD there"):
        kubernetes_schemas.main([str(tmp_path / "out"), "--crds", str(CHART)])
