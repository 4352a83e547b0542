"""What is rendered is what the API servers of every supported KubeRay take, to the last field."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chart.rendering import CHART, MINIMAL, Render
from tools import kubernetes_schemas

# Its RayCluster has no `authOptions`: the API server would drop it without a word.
WITHOUT_TOKEN_AUTH = ("1.4",)


def test_every_values_file_renders_objects_that_every_kuberay_takes(
    render: Render, values_file: Path, schemas: dict[str, Path], kubeconform: Callable
) -> None:
    assert {"1.4", "1.5", "1.6"} <= {version.rpartition(".")[0] for version in schemas}
    assert "1.6.2" in schemas
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
