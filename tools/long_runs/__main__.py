"""`python -m tools.long_runs`: see the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from generator.errors import UserError
from tools.cluster.settings import ROOT
from tools.long_runs.results import keep, require_committed, why_stale
from tools.long_runs.runs import LONG_RUNS, Part

FIGURES = "LONG_RUN_FIGURES"
"""Variable with the file into which a part's tests write their figures, a JSON object."""


@click.group(help=sys.modules["tools.long_runs"].__doc__)
def main() -> None:
    pass


@main.command()
@click.argument("name", type=click.Choice(sorted(LONG_RUNS)))
@click.argument("only", nargs=-1, metavar="[PART]...")
@click.option("--again", is_flag=True, help="Parts too whose files have not changed since they passed.")
def run(name: str, only: tuple[str, ...], again: bool) -> None:
    """Run the parts, or those named, that have to be run; the first that fails ends it with its exit code."""
    parts = _chosen(name, only)
    try:
        require_committed(sorted({file for part in parts for file in part.files}))
    except UserError as error:
        raise click.ClickException(str(error)) from None
    for number, part in enumerate(parts, 1):
        why = why_stale(name, part)
        click.echo(f"{name} {number} of {len(parts)}, {part.name}: {why or 'nothing changed since it passed'}")
        if why or again:
            keep(name, part, _figures(part))


def _chosen(name: str, only: tuple[str, ...]) -> list[Part]:
    parts = {part.name: part for part in LONG_RUNS[name]()}
    unknown = sorted(set(only) - parts.keys())
    if unknown:
        raise click.BadParameter(f"{name} has no part {', '.join(unknown)}; it has {', '.join(parts)}")
    return [parts[each] for each in only] or list(parts.values())


def _figures(part: Part) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        started = time.monotonic()
        command = [sys.executable, "-m", "pytest", "--quiet", part.tests]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, FIGURES: str(file)}, check=False)
        if done.returncode:
            raise SystemExit(done.returncode)
        figures: dict[str, object] = json.loads(file.read_text()) if file.exists() else {}
        return {**figures, "minutes": round((time.monotonic() - started) / 60, 1)}


@main.command()
def changed() -> None:
    """Name the parts whose files have changed since they passed."""
    for name, parts_of in LONG_RUNS.items():
        stale = {part.name: why for part in parts_of() if (why := why_stale(name, part))}
        click.echo(f"make {name}: " + ("as its files are" if not stale else ""))
        for part, why in stale.items():
            click.echo(f"  {part}: {why}")


if __name__ == "__main__":
    main()
