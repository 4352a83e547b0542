"""Whole-process times and memory of the generator and of helm, at sizes that people grow to.

    make bench      (or: python -m tools.bench [--runs N])

Each command runs once to warm up and then N times; the median is printed, with the fewest and the most. Peak memory is
the largest single process, as the operating system counts it. Aims are what the project wants to hold; a benchmark is
no test, and nothing fails here.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import yaml

from generator.helm import find_helm

from .peers import PEERS
from .project import ENVIRONMENTS, FILLED, MODELS, POOLS, ROOT, write_many_pools, write_project
from .release_secret import SECRET_LIMIT, secret_bytes
from .timing import Timing, table, timed

OURS = f"helm template: {MODELS:,} models"


def main() -> None:
    description = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=description)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command (default 5)")
    runs = parser.parse_args().runs
    helm = find_helm()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        write_project(project)
        timings = [*_generator(project, runs), *_helm(helm, project, runs)]
        charts = {OURS: _template(helm, project), **_peers(helm, project)}
        timings += [timed(name, command, runs, folder=ROOT) for name, command in charts.items() if name != OURS]
        print("\n".join(table(timings)), end="\n\n")
        medians = {timing.name: timing.median_s for timing in timings}
        for name, command in charts.items():
            rendered = len(subprocess.run(command, capture_output=True, check=True).stdout) / 1e6
            print(f"{name} prints {rendered:.2f} MB: {medians[name] / rendered:.3f} s for each MB")
        for count in (4, 50, 1000):
            size = secret_bytes(helm, project, count)
            print(f"Helm release Secret of {count:>4} models: {size:>9,} bytes, {size / SECRET_LIMIT:.1%} of the limit")


def _generator(project: Path, runs: int) -> Iterator[Timing]:
    """Afterwards the project's values are there."""
    program = [sys.executable, "-m", "generator"]
    time = partial(timed, runs=runs, folder=ROOT)
    yield time("generator --help", [*program, "--help"], aim="0.15 s")
    of_project = [*program, "--root", str(project)]
    yield time(
        f"generate: {MODELS:,} models x {ENVIRONMENTS} environments, from nothing",
        [*of_project, "generate"],
        aim="3 s",
        before=lambda: shutil.rmtree(project / "values", ignore_errors=True),
    )
    yield time("generate --check of the same", [*of_project, "generate", "--check"])
    for fill, nodes in FILLED.items():
        write_many_pools(project, nodes=nodes)
        plan = [*of_project, "plan", "--environment", "many-pools", "--json"]
        yield time(f"plan: {MODELS:,} models on {POOLS} pools, {fill}", plan, aim="2 s")


def _helm(helm: str, project: Path, runs: int) -> Iterator[Timing]:
    yield timed(OURS, _template(helm, project), runs, folder=ROOT, aim="0.5 s, 300 MB")
    small = ROOT / "values" / "dev" / "falcon3.yaml"
    command = [helm, "template", "one", str(ROOT / "chart"), f"--values={small}"]
    yield timed(f"helm template: {small.relative_to(ROOT)}", command, runs, folder=ROOT)


def _template(helm: str, project: Path) -> list[str]:
    """The command that renders the largest release of the project."""
    files = [f"--values={path}" for path in sorted((project / "values" / "env-0").glob("*.yaml"))]
    return [helm, "template", "fleet", str(ROOT / "chart"), *files]


def _peers(helm: str, project: Path) -> dict[str, list[str]]:
    """The commands that render as many models with other charts, by what they are called; only what can be fetched."""
    commands = {}
    for peer in PEERS:
        name = f"{OURS}, {peer.name}"
        chart = peer.fetch()
        if chart is None:
            print(f"{name}: not measured, since {peer.repository} cannot be reached")
            continue
        values = project / f"{chart.parent.name}.yaml"
        values.write_text(yaml.safe_dump(peer.values(MODELS)))
        commands[name] = [helm, "template", "fleet", str(chart), f"--values={values}"]
    return commands


if __name__ == "__main__":
    main()
