"""The long runs, and the parts that each has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.cluster.settings import ROOT

PRODUCT = ("generator", "schemas", "chart")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Less than twenty minutes of a long run."""

    name: str
    tests: str
    """What pytest is given."""
    files: Sequence[str]
    """Paths from the project's folder: a change below them makes its last result one of another state."""


def _fuzz() -> list[Part]:
    """A part for each file of targets."""
    shared = ("tests/support/fuzzing.py", "tests/support/mutations.py")
    files = [*_tests("tests/fuzz"), ROOT / "tests" / "chart" / "test_fuzzed_values.py"]
    return _parts(files, *PRODUCT, *shared)


def _ways() -> list[Part]:
    """A part for each file of ways. What an engine answers hangs on its packages too."""
    checkpoints = ("tools/tiny_checkpoints.py", "tools/way_checkpoints")
    return _parts(_tests("tests/ways"), *PRODUCT, *checkpoints, "requirements/engine.txt", "tests/ways/served.py")


def _chaos() -> list[Part]:
    """A part for each fault of a release on a cluster."""
    client = ("tests/cluster/client.py", "tests/cluster/in_pod.py", "tests/cluster/release.py")
    return _parts(_tests("tests/cluster/chaos"), *PRODUCT, "values/kind", "tools/cluster", "tools/go", *client)


def _pod_ways() -> list[Part]:
    """A part for each way of serving that needs several pods."""
    client = ("tests/cluster/client.py", "tests/cluster/in_pod.py", "tests/cluster/release.py")
    shared = ("environments/kind.yaml", "tools/way_checkpoints", "tools/cluster", "images", *client)
    return _parts(_tests("tests/cluster/ways"), *PRODUCT, *shared, "requirements/engine.txt")


def _watch() -> list[Part]:
    """What alerts and dashboards say of a release that a real Prometheus collects."""
    shared = (
        "tools/watch",
        "tools/go/prometheus",
        "tests/support/metrics.yaml",
        "tests/watch/prometheus.py",
        "requirements/engine.txt",
    )
    return _parts(_tests("tests/watch"), *PRODUCT, *shared)


def _tests(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("test_*.py"))


def _parts(tests: Sequence[Path], *shared: str) -> list[Part]:
    """A part for each file of tests; `shared` is what each hangs on beside itself."""
    names = [str(path.relative_to(ROOT)) for path in tests]
    return [Part(name=Path(name).stem.removeprefix("test_"), tests=name, files=(*shared, name)) for name in names]


LONG_RUNS: Mapping[str, Callable[[], list[Part]]] = {
    "fuzz": _fuzz,
    "ways": _ways,
    "chaos": _chaos,
    "pod-ways": _pod_ways,
    "watch": _watch,
}
