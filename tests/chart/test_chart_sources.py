"""Where a chart may come from: a folder, an archive, a repository; and what is said where it does not."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from generator import __version__
from tests.chart.rendering import CHART
from tests.support.command_line import generator

WORD = "of-a-test"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def archive(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("charts")
    subprocess.run([helm, "package", CHART, "-d", folder], check=True, capture_output=True)
    return folder / f"ray-serve-llm-{__version__}.tgz"


@pytest.fixture(scope="module")
def repository(helm: str, archive: Path) -> Iterator[str]:
    """The address of a helm repository: an index and the archive, over HTTP."""
    subprocess.run([helm, "repo", "index", archive.parent], check=True, capture_output=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(archive.parent)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one's own that serves a model, with a cache and a helm of its own."""
    monkeypatch.setenv("RAY_SERVE_LLM_CACHE", str(tmp_path / "cache"))
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"HELM_{name}_HOME", str(tmp_path / "helm" / name))
    with contextlib.chdir(tmp_path):
        generator("init", "fleet", "--gpu", "L4-24GB", "--nodes", "4", folder=tmp_path)
        done = generator("add", "qwen3-4b", "-e", "dev", folder=tmp_path / "fleet")
    assert done.returncode == 0, done.stderr
    return tmp_path / "fleet"


@pytest.fixture
def images(fleet: Path) -> Run:
    return partial(generator, "list", "images", "-e", "dev", folder=fleet)


def test_the_same_is_rendered_wherever_the_chart_lies(images: Run, archive: Path, repository: str, helm: str) -> None:
    usual = images()
    assert usual.returncode == 0 and "ray-llm" in usual.stdout

    subprocess.run([helm, "repo", "add", "team", repository], check=True, capture_output=True)
    places = [CHART, archive, f"{repository}/ray-serve-llm", "team/ray-serve-llm"]
    for place in [*places, f"{repository}/{archive.name}"]:
        done = images("--chart", place)
        assert (done.returncode, done.stdout) == (0, usual.stdout), f"{place}: {done.stderr}"


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("nowhere", "--chart: no chart at 'nowhere'\n  Name a chart: a folder, a .tgz,"),
        ("environments", "'environments' has no Chart.yaml"),
        ("ftp://example.com/chart", "'ftp://' is no place of charts"),
        ("{repository}/ray-serve", "no such chart, or not of this version"),
        ("oci://127.0.0.1:9/ray-serve-llm", "127.0.0.1:9 cannot be reached"),
        ("strangers/ray-serve-llm", "helm knows no repository 'strangers'\n  Name it with `helm repo add strangers"),
        ("oci://reader:of-a-test@example.com/ray-serve-llm", "the chart's address has a login in it\n  Take it out"),
    ],
)
def test_what_cannot_be_had_is_one_message(
    images: Run, fleet: Path, repository: str, reference: str, told: str
) -> None:
    done = images("--chart", reference.format(repository=repository))

    assert done.returncode == 2 and done.stderr.count("error:") == 1 and told in done.stderr, done.stderr
    assert WORD not in done.stderr and not done.stdout
    assert not [path for path in (fleet.parent / "cache").rglob("*") if path.is_file()]


def test_without_helm_it_is_said_how_to_get_it(images: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HELM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    for arguments in ((), ("--chart", "oci://127.0.0.1:9/charts/ray-serve-llm:0.0.1")):
        done = images(*arguments)
        assert done.returncode == 2 and done.stderr.count("error:") == 1
        assert "helm is not installed\n  Install helm 3.14 or later" in done.stderr
