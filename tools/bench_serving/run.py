"""A run: every round measured, one variant at a time, and what is left of it as one JSON document."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.bench.load import LoadClient
from generator.cache import cache_folder
from generator.documents.files import write_files
from generator.errors import UserError
from generator.progress import Report

from .measure import Document, keep, kept, measure, plan, versions
from .processes import machine
from .rounds import compared
from .variants import Variant, variants


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is asked for."""

    rounds: Sequence[Sequence[Variant]]
    is_whole: bool
    """All variants, and what one round measured is kept until the run is complete."""
    is_quick: bool
    """A few requests of each."""
    timeout_s: float
    """How long a variant may take to start."""

    @property
    def folder(self) -> Path:
        """Logs, and the rounds that are kept."""
        return cache_folder() / "bench-serving" / ("whole" if self.is_whole else "part")

    def forget(self) -> None:
        """Measure everything anew the next time."""
        shutil.rmtree(self.folder, ignore_errors=True)


def measured(run: Run, *, after: Document | None, report: Report) -> Document:
    """The run's document; `after`: its rounds are added to those of an earlier run, which was of the same plan."""
    run.folder.mkdir(parents=True, exist_ok=True)
    document = _head(run) if after is None else after
    report(f"{len(run.rounds)} rounds of {', '.join(str(len(each)) for each in run.rounds)} variants")
    log = run.folder / "client.log"
    report(f"the client's log is {log}")
    with LoadClient(log=log, offline=True) as client:
        for number in range(len(run.rounds)):
            document["rounds"].append(_round(run, number, client, report))
    return document


def not_measured(rounds: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """The variants that did not start or broke off."""
    return sorted({variant["name"] for documents in rounds for variant in documents if variant["error"]})


def last_whole_run(path: Path) -> Document:
    """The run that rounds are added to. Raises UserError where machine, versions or chart were others."""
    if not path.exists():
        raise UserError("there is no whole run to add to", where="--add", fix="Run without it first.")
    document: Document = json.loads(path.read_text())
    then = {**document["machine"], **document["versions"], "load_before": None}
    now = {**machine(), **versions(), "load_before": None}
    for name in then.keys() | now.keys():
        if then.get(name) != now.get(name):
            raise UserError(
                f"the last whole run had {name} {then.get(name)}, and this would have {now.get(name)}",
                where="--add",
                fix="Run without it.",
            )
    plans = {variant["name"]: variant["plan"] for documents in document["rounds"] for variant in documents}
    for variant in compared(variants()):
        if plans.get(variant.name) != plan(variant, variant.points):
            raise UserError(
                f"{variant.name} is not what the last whole run measured: values, chart or points have changed",
                where="--add",
                fix="Run without it.",
            )
    return document


def write(document: Document, path: Path) -> None:
    write_files({path: json.dumps(document, indent=1) + "\n"})


def _head(run: Run) -> Document:
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "quick": run.is_quick,
        "rounds": [],
    }


def _round(run: Run, number: int, client: LoadClient, report: Report) -> list[Document]:
    """A round is measured at one go, or its ratios would be of different hours."""
    chosen = run.rounds[number]
    documents = kept(run.folder, number, chosen) if run.is_whole else None
    if documents:
        report(f"round {number + 1} is measured already (--fresh measures it again)")
        return documents
    documents = []
    for place, variant in enumerate(chosen, 1):
        report(f"round {number + 1}/{len(run.rounds)}, {place}/{len(chosen)} {variant.name}: {variant.title}")
        points = "quick" if run.is_quick else variant.points
        documents.append(measure(variant, points, client, report=report, timeout_s=run.timeout_s))
    if run.is_whole:
        keep(run.folder, number, documents)
    return documents
