"""Values of `local`, rendered and served on this machine, and held to leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.chart import Manifest, render
from generator.local.http import free_port
from generator.local.ray import Running, machine_values, run_folder, running
from tests.local.machine import processes_with, shared_memory
from tests.support.paths import ROOT

EVERYTHING = ("briefs", "falcon-h1", "falcon3")
"""All of values/local/."""


@dataclass(frozen=True)
class Served:
    running: Running
    folder: Path
    """Of this run alone; every process of it names it."""
    manifests: Sequence[Manifest]
    """What was rendered, the pod of `helm test` with it."""

    def commands(self, words: str) -> dict[int, str]:
        """By process id, the command lines of its processes that have these words in them.

        Of this run's alone: pods of a cluster on this machine are processes of it too.
        """
        return {process: line for process, line in processes_with(str(self.folder)).items() if words in line}

    def logged(self, words: str) -> int:
        """How often Ray's processes have logged these words."""
        logs = self.folder / "ray" / "session_latest" / "logs"
        texts = [path.read_text(errors="replace") for path in logs.rglob("*") if path.is_file()]
        return sum(text.count(words) for text in texts)


@contextmanager
def served(names: Sequence[str], *, workdir: Path, path: str, apps: dict[str, Any]) -> Iterator[Served]:
    """These files of values/local/ as `helm install` would make them; afterwards, no process, file or shared memory.

    `path` is the `serving.path`; `apps` lies over the values' own.
    """
    before = shared_memory()
    with run_folder() as folder:
        overrides = machine_values(folder, port=free_port()) | {"apps": apps}
        overrides["serving"]["path"] = path
        files = [ROOT / "values" / "local" / f"{name}.yaml" for name in names]
        manifests = render(ROOT / "chart", files, overrides=overrides, release="local")
        with running(manifests, folder=folder, workdir=workdir, report=print, timeout_s=500) as found:
            yield Served(found, folder, manifests)
    assert not processes_with(str(folder)), "processes outlived the run"
    assert not folder.exists(), "the run's folder is left"
    assert shared_memory() <= before, "shared memory is left"
