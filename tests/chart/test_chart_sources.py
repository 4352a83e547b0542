"""Where a chart may come from: a folder, an archive, a registry, a repository; and what is said where it does not."""

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
from tests.support.registry import pushed, registry

USER, WORD = "reader", "of-a-test"
# The word as bcrypt has it, which is what the registry's file of logins holds.
LOGIN = f"{USER}:$2b$04$NclDss./hQNjbc1ScP5Q7u4WLKRJZMtooQS/RmHPVV4VqIyRDr.c6"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def archive(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("charts")
    subprocess.run([helm, "package", CHART, "-d", folder], check=True, capture_output=True)
    return folder / f"ray-serve-llm-{__version__}.tgz"


@pytest.fixture(scope="module")
def charts(helm: str, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The `oci://` address of the charts of a registry that has this one."""
    with registry(tmp_path_factory.mktemp("registry")) as host:
        pushed(helm, archive, host)
        yield f"oci://{host}/charts"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same of a registry that asks for a login."""
    with registry(tmp_path_factory.mktemp("closed"), login=LOGIN) as host:
        yield f"oci://{host}/charts"


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


def test_the_same_is_rendered_wherever_the_chart_lies(
    images: Run, archive: Path, charts: str, repository: str, helm: str
) -> None:
    usual = images()
    assert usual.returncode == 0 and "ray-llm" in usual.stdout

    subprocess.run([helm, "repo", "add", "team", repository], check=True, capture_output=True)
    places = [CHART, archive, f"{charts}/ray-serve-llm", f"{repository}/ray-serve-llm", "team/ray-serve-llm"]
    for place in [*places, f"{charts}/ray-serve-llm:{__version__}", f"{repository}/{archive.name}"]:
        done = images("--chart", place)
        assert (done.returncode, done.stdout) == (0, usual.stdout), f"{place}: {done.stderr}"


def test_it_is_pulled_once_and_then_needs_no_network(images: Run, charts: str, fleet: Path) -> None:
    first, second = (images("--chart", f"{charts}/ray-serve-llm") for _ in range(2))

    assert f"pulling {charts}/ray-serve-llm --version {__version__}" in first.stderr
    assert "pulling" not in second.stderr and second.returncode == 0
    kept = [path.relative_to(fleet.parent / "cache") for path in (fleet.parent / "cache").rglob("*") if path.is_file()]
    assert [path.name for path in kept] == [f"ray-serve-llm-{__version__}.tgz"]


def test_an_environment_names_its_chart(fleet: Path, charts: str) -> None:
    environment = fleet / "environments" / "dev.yaml"
    environment.write_text(f"chartSource: {charts}/ray-serve-llm\n{environment.read_text()}")

    shown = generator("chart", "-e", "dev", folder=fleet)
    assert shown.returncode == 0 and shown.stdout.strip().endswith(f"ray-serve-llm-{__version__}.tgz")
    assert generator("list", "images", "-e", "dev", folder=fleet).returncode == 0
    added = generator("add", "qwen3-8b", "-e", "dev", folder=fleet)
    assert f"helm upgrade --install llm {charts}/ray-serve-llm --version {__version__} --plain-http" in added.stderr


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("nowhere", "--chart: no chart at 'nowhere'\n  Name a chart: a folder, a .tgz,"),
        ("environments", "'environments' has no Chart.yaml"),
        ("ftp://example.com/chart", "'ftp://' is no place of charts"),
        ("charts/--untar", "is no name of a chart"),
        ("{charts}/ray-serve-llm:9.9.9", "no such chart, or not of this version"),
        ("{charts}/ray-serve", "no such chart, or not of this version"),
        ("{repository}/ray-serve", "no such chart, or not of this version"),
        ("{closed}/ray-serve-llm", "lets nobody have it without a login\n  Log in with `helm registry login 127.0.0.1"),
        ("oci://127.0.0.1:9/ray-serve-llm", "127.0.0.1:9 cannot be reached"),
        ("strangers/ray-serve-llm", "helm knows no repository 'strangers'\n  Name it with `helm repo add strangers"),
        ("oci://reader:of-a-test@example.com/ray-serve-llm", "the chart's address has a login in it\n  Take it out"),
    ],
)
def test_what_cannot_be_had_is_one_message(
    images: Run, fleet: Path, charts: str, closed: str, repository: str, reference: str, told: str
) -> None:
    done = images("--chart", reference.format(charts=charts, closed=closed, repository=repository))

    assert done.returncode == 2 and done.stderr.count("error:") == 1 and told in done.stderr, done.stderr
    assert WORD not in done.stderr and not done.stdout
    assert not [path for path in (fleet.parent / "cache").rglob("*") if path.is_file()]


def test_without_helm_it_is_said_how_to_get_it(
    images: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, charts: str
) -> None:
    monkeypatch.delenv("HELM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    for arguments in ((), ("--chart", f"{charts}/ray-serve-llm:0.0.1")):
        done = images(*arguments)
        assert done.returncode == 2 and done.stderr.count("error:") == 1
        assert "helm is not installed\n  Install helm 3.14 or later" in done.stderr
