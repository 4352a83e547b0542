"""The tables of docs/performance.md, from the JSON of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from generator.errors import UserError

BEGIN = "<!-- measured: begin. Written by `make bench-serving`; what is written here by hand is lost. -->"
END = "<!-- measured: end -->"
LIMIT = "engine"
BASE = "standard"
CLIENT = "client"

Result = Mapping[str, Any]
Point = Mapping[str, Any]


def with_block(page: str, result: Result | None) -> str:
    """The page with its marked block as the result says (None: nothing is measured). Without marks: UserError."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError("the page has lost the marks of what is measured", fix=f"Put `{BEGIN}` and `{END}` back.")
    lines = ["Nothing is measured yet: `make bench-serving`."] if result is None else block(result)
    return "\n".join([before + BEGIN, "", *lines, "", END]) + after


def block(result: Result) -> list[str]:
    """Every table, with the machine that it holds for."""
    variants = [one for one in result["variants"] if one["points"]]
    failed = [one for one in result["variants"] if one["error"]]
    lines = [_machine(result), ""]
    lines += ["![Requests per second, time to the first token and CPU time by variant](serving-benchmark.svg)", ""]
    lines += ["### Every variant: short prompts, 32 at a time, streaming", "", *_summary(variants, _short_32), ""]
    lines += ["### CPU milliseconds of one request, by process", "", *_cpu(variants, _short_32), ""]
    for title, key in _further(variants):
        lines += [f"### Requests per second: {title}", "", *_sweep(variants, key), ""]
    lines += [f"- **{one['name']}** was not measured: {_first_line(one['error'])}" for one in failed]
    return lines[:-1] if lines[-1] == "" else lines


def ratio(value: float, base: float | None) -> str:
    """`0.87` of another figure, or nothing where there is no other."""
    return f"{value / base:.2f}" if base else ""


def server_cpu_ms(point: Point) -> float:
    """CPU milliseconds of one request in all processes but the client."""
    spent = sum(seconds for role, seconds in point["cpu_s"].items() if role != CLIENT)
    return 1000 * spent / max(1, point["completed"])


def find(variant: Mapping[str, Any], wanted: Callable[[Mapping[str, Any]], bool]) -> Point | None:
    """The variant's point whose load is wanted."""
    return next((point for point in variant["points"] if wanted(point["load"])), None)


def _short_32(load: Mapping[str, Any]) -> bool:
    return load["shape"] == "short" and load["concurrency"] == 32 and load["stream"]


def _machine(result: Result) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return (
        f"{result['date']}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}; {versions}. Client and server share the cores. "
        f"Load of the machine before: {machine['load_before']}. One run of each point. `of limit` and `of standard` "
        "are ratios of requests/s; `machine` is one of its speed before and after the variant to that around `engine` "
        "(empty: not measured); CPU is that of all processes but the client; memory is the sum of the processes' "
        "peaks, and counts pages that they share in each."
    )


def _summary(variants: Sequence[Mapping[str, Any]], wanted: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    points = {one["name"]: find(one, wanted) for one in variants}
    limit, base = (_rate(points.get(name)) for name in (LIMIT, BASE))
    speeds = {one["name"]: 1 / one["yardstick_s"] for one in variants if "yardstick_s" in one}
    rows = []
    for one in variants:
        point = points[one["name"]]
        if point:
            rows.append(
                [
                    f"`{one['name']}`", one["what"], _compared(speeds, one["name"]),
                    f"{point['requests_per_s']:.0f}", ratio(point["requests_per_s"], limit),
                    ratio(point["requests_per_s"], base), f"{point['tokens_per_s']:.0f}",
                    *(_pair(point[f"{of}_p50_ms"], point[f"{of}_p99_ms"]) for of in ("ttft", "tpot", "itl")),
                    f"{server_cpu_ms(point):.1f}", f"{_memory_mib(point) / 1024:.1f}",
                    f"{one['start_s']:.0f}", str(point["failed"]),
                ]
            )  # fmt: skip
    head = ["variant", "in values", "machine", "requests/s", "of limit", "of standard", "tokens/s"]
    head += [f"{name} ms p50 / p99" for name in ("first token", "next token", "between pieces")]
    head += ["CPU ms a request", "memory GiB", "start s", "failed"]
    return _table(head, rows, text=2)


def _compared(speeds: Mapping[str, float], name: str) -> str:
    return ratio(speeds[name], speeds.get(LIMIT)) if name in speeds else ""


def _cpu(variants: Sequence[Mapping[str, Any]], wanted: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    points = [(one["name"], point) for one in variants if (point := find(one, wanted))]
    roles = sorted({role for _, point in points for role in point["cpu_s"]}, key=lambda role: (role == CLIENT, role))
    rows = [
        [f"`{name}`", *(f"{1000 * point['cpu_s'].get(role, 0) / max(1, point['completed']):.2f}" for role in roles)]
        for name, point in points
    ]
    return _table(["variant", *roles], rows)


Key = tuple[str, bool]


def _further(variants: Sequence[Mapping[str, Any]]) -> list[tuple[str, Key]]:
    """Every shape and way of answering that is measured, in the order of the points."""
    found: dict[Key, None] = {}
    for one in variants:
        for point in one["points"]:
            found[(point["load"]["shape"], point["load"]["stream"])] = None
    return [(f"{shape}, {'streaming' if stream else 'plain'}", (shape, stream)) for shape, stream in found]


def _sweep(variants: Sequence[Mapping[str, Any]], key: Key) -> list[str]:
    def of(load: Mapping[str, Any]) -> bool:
        return (load["shape"], load["stream"]) == key

    counts = sorted({p["load"]["concurrency"] for one in variants for p in one["points"] if of(p["load"])})
    limits = {}
    rows = []
    for one in variants:
        rates = {p["load"]["concurrency"]: p["requests_per_s"] for p in one["points"] if of(p["load"])}
        if one["name"] == LIMIT:
            limits = rates
        if rates:
            rows.append([f"`{one['name']}`", *(_with_ratio(rates.get(count), limits.get(count)) for count in counts)])
    return _table(["variant", *(f"{count} at a time (of limit)" for count in counts)], rows)


def _with_ratio(value: float | None, base: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f} ({ratio(value, base)})" if base else f"{value:.0f}"


def _rate(point: Point | None) -> float | None:
    return point["requests_per_s"] if point else None


def _pair(p50: float | None, p99: float | None) -> str:
    return "" if p50 is None or p99 is None else f"{p50:.0f} / {p99:.0f}"


def _memory_mib(point: Point) -> float:
    return sum(mib for role, mib in point["peak_mib"].items() if role != CLIENT)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, text: int = 1) -> list[str]:
    """Markdown; the first `text` columns are words, the others numbers."""
    rule = ["---"] * text + ["--:"] * (len(head) - text)
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]
