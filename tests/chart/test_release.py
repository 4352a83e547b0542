"""What a release publishes, from the build to a registry and to a team's first manifests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from generator import __version__
from tests.chart.rendering import MINIMAL
from tests.support.artefacts import artefacts, build, release_python, the
from tests.support.registry import pushed, registry
from tests.support.waiting import HANGS_S

MODELS = ("qwen3-8b", "bge-m3", "gemma-3-12b-it", "llama-3.1-8b-instruct", "whisper-large-v3")


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return artefacts(tmp_path_factory)


@pytest.fixture(scope="session")
def published(dist: Path, helm: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """The chart in a registry: the words by which helm takes it from there."""
    with registry(tmp_path_factory.mktemp("registry")) as host:
        yield pushed(helm, the(dist, "*-serve-llm-*.tgz"), host)


def run(*command: str | Path, folder: Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_artefact_is_there_with_its_checksum(dist: Path) -> None:
    told = dict(reversed(line.split("  ")) for line in (dist / "SHA256SUMS").read_text().splitlines())

    assert set(told) == {
        f"ray_serve_llm-{__version__}-py3-none-any.whl",
        f"ray_serve_llm-{__version__}.tar.gz",
        f"ray-serve-llm-{__version__}.tgz",
        f"ray_serve_llm-{__version__}.cdx.json",
    }
    for name, checksum in told.items():
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == checksum


def test_the_same_tree_is_built_to_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    build(tmp_path / "again")

    assert (tmp_path / "again" / "SHA256SUMS").read_text() == (dist / "SHA256SUMS").read_text()


def test_the_bill_of_materials_names_what_the_wheel_needs_and_nothing_of_this_machine(dist: Path) -> None:
    text = the(dist, "*.cdx.json").read_text()
    document = json.loads(text)

    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["version"] == __version__
    components = {component["name"].lower(): component for component in document["components"]}
    assert {"click", "pydantic", "highspy", "jsonschema", "pyyaml", "kubernetes", "huggingface_hub"} <= set(components)
    assert all(component["purl"].startswith("pkg:pypi/") for component in components.values())
    assert "file://" not in text and str(dist.parent) not in text


def test_the_charts_archive_says_to_artifact_hub_what_it_is(dist: Path) -> None:
    with tarfile.open(the(dist, "*-serve-llm-*.tgz")) as archive:
        names = archive.getnames()
        chart = yaml.safe_load(archive.extractfile("ray-serve-llm/Chart.yaml").read())

    assert chart["version"] == __version__
    assert yaml.safe_load(chart["annotations"]["artifacthub.io/changes"])
    assert "ray-serve-llm/LICENSE" in names
    assert not [name for name in names if "/ci/" in name or name.endswith(".gotmpl")]


def test_the_chart_of_a_registry_renders_what_the_folder_renders(
    published: tuple[str, ...], helm_template: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    reference, *options = published

    pulled = helm_template(MINIMAL, chart=reference, arguments=tuple(options))

    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stdout == helm_template(MINIMAL).stdout


def test_a_team_comes_from_the_wheel_to_manifests_without_a_network(dist: Path, helm: str, tmp_path: Path) -> None:
    """In an empty folder: pip install, init, five models of the library, plan, generate, helm template."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        pytest.skip("NOT RUN: a namespace without a network needs root and unshare")
    wheels = os.environ.get("WHEELS")
    assert wheels, "WHEELS is not set: run `make chart`, which sets it"
    run(release_python(), "-m", "venv", "--without-pip", tmp_path / "venv")
    pip = f"{release_python()} -m pip --python venv/bin/python install --quiet --no-index --find-links {wheels}"
    story = f"""set -euo pipefail
{pip} {the(dist, "*.whl")}
{pip} --dry-run 'ray-serve-llm[add,cluster]'  # of what is installed, with no other wheel of ours in reach
export PATH="$PWD/venv/bin:$PATH"
ray-serve-llm init fleet --gpu L40S-48GB --nodes 8
cd fleet
for model in {" ".join(MODELS)}; do ray-serve-llm add "$model" --environment dev; done
ray-serve-llm plan --environment dev
ray-serve-llm generate
ray-serve-llm generate --check
"$HELM" template llm "$(ray-serve-llm chart)" --namespace ai $(printf -- '-f %s ' values/dev/*.yaml) > ../manifests.yaml
"""
    bare = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "HELM": helm}

    done = subprocess.run(
        [unshare, "-n", "bash", "-c", story], cwd=tmp_path, env=bare, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    objects = list(yaml.safe_load_all((tmp_path / "manifests.yaml").read_text()))
    (service,) = [each for each in objects if each["kind"] == "RayService"]
    served = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    assert {application["name"] for application in served} == set(MODELS)
