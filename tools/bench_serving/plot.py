"""The plot of a run: how the compared paths grow with concurrency, and what a request costs in each variant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from .report import CLIENT, find, server_cpu_ms

COMPARED = ("engine", "original", "standard", "throughput")
STACKED_AT = 32
# Text stays text, and the same figures give the same bytes.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "ray-serve-llm", "font.size": 9}


def plot(result: dict[str, Any], path: Path) -> None:
    """Write the SVG of a run that has measured short prompts, streaming, at some concurrency."""
    variants = [one for one in result["variants"] if one["points"]]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(13, 0.22 * len(variants) + 3), layout="constrained")
        rates, first, cpu = figure.subplots(1, 3)
        _lines(rates, variants, "requests_per_s", "requests per second")
        _lines(first, variants, "ttft_p50_ms", "first token, ms (median)")
        _stack(cpu, variants)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _lines(axes: Any, variants: list[dict[str, Any]], key: str, title: str) -> None:
    for one in variants:
        if one["name"] in COMPARED:
            points = sorted(filter(_short, one["points"]), key=lambda point: point["load"]["concurrency"])
            axes.plot([p["load"]["concurrency"] for p in points], [p[key] for p in points], "o-", label=one["name"])
    counts = sorted({point["load"]["concurrency"] for one in variants for point in filter(_short, one["points"])})
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_xlabel("requests at a time (short, streaming)")
    axes.set_title(title)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)


def _short(point: dict[str, Any]) -> bool:
    return point["load"]["shape"] == "short" and point["load"]["stream"]


def _stack(axes: Any, variants: list[dict[str, Any]]) -> None:
    """CPU milliseconds of a request by process, the dearest variant below."""
    bars = []
    for one in variants:
        point = find(one, lambda load: _short({"load": load}) and load["concurrency"] == STACKED_AT)
        if point:
            bars.append((one["name"], point))
    bars.sort(key=lambda bar: -server_cpu_ms(bar[1]))
    roles = sorted({role for _, point in bars for role in point["cpu_s"]}, key=lambda role: (role == CLIENT, role))
    left = [0.0] * len(bars)
    colors = mpl.colormaps["tab20"].colors
    for number, role in enumerate(roles):
        widths = [1000 * point["cpu_s"].get(role, 0) / max(1, point["completed"]) for _, point in bars]
        axes.barh([name for name, _ in bars], widths, left=left, label=role, color=colors[number % len(colors)])
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.set_title(f"CPU ms of a request, {STACKED_AT} at a time")
    axes.legend(frameon=False, fontsize=7)
