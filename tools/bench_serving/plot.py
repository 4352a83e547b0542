"""The plot of a run: how the compared paths grow with concurrency, and what a request costs in each variant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from .report import LIMIT, PATHS, SUMMARY, first_token_ms, requests_per_s, role_cpu_ms, roles
from .rounds import OfPoint, Rounds

COMPARED = (LIMIT, *PATHS)
# Text stays text, and the same figures give the same bytes.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "ray-serve-llm", "font.size": 9}


def plot(result: dict[str, Any], path: Path) -> None:
    """Write the SVG of a run that has measured short prompts, streaming, at some concurrency: medians of its rounds."""
    rounds = Rounds(result["rounds"])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(13, 0.22 * len(rounds.names) + 3), layout="constrained")
        rates, first, cpu = figure.subplots(1, 3)
        _lines(rates, rounds, requests_per_s, "requests per second")
        _lines(first, rounds, first_token_ms, "first token, ms (median)")
        _stack(cpu, rounds)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _lines(axes: Any, rounds: Rounds, of_point: OfPoint, title: str) -> None:
    keys = [key for key in rounds.keys if (key.shape, key.stream) == (SUMMARY.shape, SUMMARY.stream)]
    keys.sort(key=lambda key: key.concurrency)
    for name in COMPARED:
        line = [(key.concurrency, median) for key in keys if (median := rounds.median(name, key, of_point)) is not None]
        if line:
            axes.plot(*zip(*line, strict=True), "o-", label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks([key.concurrency for key in keys], [str(key.concurrency) for key in keys])
    axes.set_xlabel("requests at a time (short, streaming)")
    axes.set_title(title)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)


def _stack(axes: Any, rounds: Rounds) -> None:
    """CPU milliseconds of a request by process, the dearest variant below."""
    names = [name for name in rounds.names if rounds.points(name, SUMMARY)]
    widths = {
        role: {name: rounds.median(name, SUMMARY, lambda point, role=role: role_cpu_ms(point, role)) for name in names}
        for role in roles(rounds, SUMMARY)
    }
    names.sort(key=lambda name: -sum(by_name[name] for by_name in widths.values()))
    left = [0.0] * len(names)
    colors = mpl.colormaps["tab20"].colors
    for number, (role, by_name) in enumerate(widths.items()):
        bars = [by_name[name] for name in names]
        axes.barh(names, bars, left=left, label=role, color=colors[number % len(colors)])
        left = [start + width for start, width in zip(left, bars, strict=True)]
    axes.set_title(f"CPU ms of a request, {SUMMARY.concurrency} at a time")
    axes.legend(frameon=False, fontsize=7)
