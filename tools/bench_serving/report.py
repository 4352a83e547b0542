"""The tables of docs/performance.md, from the JSON of a run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from generator.errors import UserError

from .rounds import Key, OfPoint, Point, Rounds

BEGIN = "<!-- measured: begin. Written by `make bench-serving`; what is written here by hand is lost. -->"
END = "<!-- measured: end -->"
LIMIT = "engine"
BASE = "standard"
CLIENT = "client"
PATHS = ("throughput", "standard", "original")
SUMMARY = Key("short", 32, stream=True)

Result = Mapping[str, Any]


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
    rounds = Rounds(result["rounds"])
    lines = [_machine(result, rounds), ""]
    lines += ["![Requests per second, time to the first token and CPU time by variant](serving-benchmark.svg)", ""]
    lines += ["### The aims, short prompts", "", *_aims(rounds), ""]
    lines += ["### Every variant: short prompts, 32 at a time, streaming", "", *_summary(rounds), ""]
    lines += ["### CPU milliseconds of one request, by process", "", *_cpu(rounds), ""]
    for (shape, stream), keys in _sweeps(rounds).items():
        way = f"{shape}, {'streaming' if stream else 'plain'}"
        lines += [f"### Requests per second: {way}", "", *_sweep(rounds, keys, requests_per_s), ""]
        if (shape, stream) == (SUMMARY.shape, SUMMARY.stream):
            lines += [f"### Milliseconds to the first token: {way}", "", *_sweep(rounds, keys, first_token_ms), ""]
    lines += _stopped(rounds)
    return lines[:-1] if lines[-1] == "" else lines


def requests_per_s(point: Point) -> float:
    rate: float = point["requests_per_s"]
    return rate


def first_token_ms(point: Point) -> float:
    """The median of a streamed load."""
    median: float = point["ttft_p50_ms"]
    return median


def server_cpu_ms(point: Point) -> float:
    """CPU milliseconds of one request in all processes but the client."""
    return sum(role_cpu_ms(point, role) for role in point["cpu_s"] if role != CLIENT)


def role_cpu_ms(point: Point, role: str) -> float:
    """CPU milliseconds of one request in the processes of a role."""
    spent_s: float = point["cpu_s"].get(role, 0.0)
    completed: int = point["completed"]
    return 1000 * spent_s / max(1, completed)


ONE_TOKEN_MS = 0.5
"""Where less lies between most pieces of a stream, a piece is several tokens, or several pieces came at once."""


def streams_in_a_step(point: Point) -> float | None:
    """Streams that the engine decodes at once: by Little's law, requests/s times the time from first to last token.

    None where pieces are not tokens: of those the client does not see when the first one was ready.
    """
    if point["itl_p50_ms"] < ONE_TOKEN_MS:
        return None
    decoding_s: float = (point["load"]["answer_tokens"] - 1) * point["tpot_mean_ms"] / 1000
    return requests_per_s(point) * decoding_s


def engine_step_cpu_ms(point: Point) -> float | None:
    """CPU milliseconds of the engine's two processes for one step; a stream takes part in as many as it has tokens."""
    streams = streams_in_a_step(point)
    if streams is None:
        return None
    of_request = role_cpu_ms(point, "engine core") + role_cpu_ms(point, "engine worker")
    tokens: int = point["load"]["answer_tokens"]
    return of_request * streams / (tokens - 1)


_STREAMS = (SUMMARY, SUMMARY._replace(concurrency=128))
_PLAIN = tuple(key._replace(stream=False) for key in _STREAMS)


class _Aim(NamedTuple):
    """A ratio that the project wants to hold for its paths."""

    what: str
    aim: str
    figure: OfPoint
    base: str
    at: tuple[Key, ...]


AIMS = (
    _Aim("requests/s, of `engine`", "0.9 or more", requests_per_s, LIMIT, _STREAMS + _PLAIN),
    _Aim("first token (median), of `engine`", "1.5 or less", first_token_ms, LIMIT, _STREAMS),
    _Aim("CPU time of a request, of `engine`", "1.25 or less", server_cpu_ms, LIMIT, _STREAMS + _PLAIN),
    _Aim("requests/s, of `original`", "3 or more", requests_per_s, "original", _STREAMS + _PLAIN),
)


def roles(rounds: Rounds, key: Key) -> list[str]:
    """Of the processes that a load was measured with; the client last."""
    found = {role for name in rounds.names for point in rounds.points(name, key) for role in point["cpu_s"]}
    return sorted(found, key=lambda role: (role == CLIENT, role))


def _machine(result: Result, rounds: Rounds) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return (
        f"{result['date']}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}; {versions}. Client and server share the cores. "
        f"Load of the machine before: {machine['load_before']}. {_said(rounds)} `of limit` and `of standard` are "
        "ratios of requests/s, `machine` of the machine's speed before and after the variant to that around `engine`, "
        "each within one round; CPU is that of all processes but the client; memory is the sum of the processes' "
        "peaks, and counts pages that they share in each; `failed` is of all points."
    )


def _said(rounds: Rounds) -> str:
    if rounds.count == 1:
        return "One run of each point."
    return (
        f"{rounds.count} rounds: of what was measured in several, the median, and in brackets the least and the most; "
        "where there is one figure, it was measured in one round."
    )


def _aims(rounds: Rounds) -> list[str]:
    """The ratios of tokens/s are those of requests/s: all answers are of one length."""
    rows = []
    for one in AIMS:
        for key in one.at:
            cells = [_spread(rounds.ratios(name, one.base, key, one.figure), 2) for name in PATHS]
            way = "streaming" if key.stream else "plain"
            rows.append([f"{one.what}: {key.concurrency} at a time, {way}", one.aim, *cells])
    return _table(["", "aim", *(f"`{name}`" for name in PATHS)], rows)


def _stopped(rounds: Rounds) -> list[str]:
    """What did not start or broke off. What it had measured until then is in the tables."""
    return [
        f"- **{one['name']}**, round {number}: stopped after {len(one['points'])} points: {_reason(one['error'])}"
        for number, one in rounds.stopped
    ]


def _summary(rounds: Rounds) -> list[str]:
    rows = []
    for name in rounds.names:
        points = rounds.points(name, SUMMARY)
        if not points:
            continue
        documents = rounds.documents(name)
        rows.append(
            [
                f"`{name}`", documents[0]["what"], _median(rounds.speeds(name, LIMIT), 2),
                _spread([requests_per_s(point) for point in points]),
                _spread(rounds.ratios(name, LIMIT, SUMMARY, requests_per_s), 2),
                _spread(rounds.ratios(name, BASE, SUMMARY, requests_per_s), 2),
                _median([point["tokens_per_s"] for point in points]),
                *(_pair(points, of) for of in ("ttft", "tpot", "itl")),
                _spread([server_cpu_ms(point) for point in points], 1),
                _median([_memory_mib(point) / 1024 for point in points], 1),
                _median([document["start_s"] for document in documents]),
                str(rounds.failed(name)),
            ]
        )  # fmt: skip
    head = ["variant", "in values", "machine", "requests/s", "of limit", "of standard", "tokens/s"]
    head += [f"{name} ms p50 / p99" for name in ("first token", "next token", "between pieces")]
    head += ["CPU ms a request", "memory GiB", "start s", "failed"]
    return _table(head, rows, text=2)


def _cpu(rounds: Rounds) -> list[str]:
    found = roles(rounds, SUMMARY)
    rows = [
        [
            f"`{name}`",
            *(_median([role_cpu_ms(point, role) for point in points], 2) for role in found),
            *(_median(_present(points, of), 1) for of in (streams_in_a_step, engine_step_cpu_ms)),
        ]
        for name in rounds.names
        if (points := rounds.points(name, SUMMARY))
    ]
    return _table(["variant", *found, "streams in a step", "engine, of a step"], rows)


def _present(points: Sequence[Point], figure: Callable[[Point], float | None]) -> list[float]:
    return [found for point in points if (found := figure(point)) is not None]


def _sweeps(rounds: Rounds) -> dict[tuple[str, bool], list[Key]]:
    """The loads of each shape and way of answering, from the fewest at a time."""
    found: dict[tuple[str, bool], list[Key]] = {}
    for key in rounds.keys:
        found.setdefault((key.shape, key.stream), []).append(key)
    return {way: sorted(keys, key=lambda key: key.concurrency) for way, keys in found.items()}


def _sweep(rounds: Rounds, keys: Sequence[Key], figure: OfPoint) -> list[str]:
    """A column for each of the loads: the median, and that of its ratios to the limit."""
    rows = []
    for name in rounds.names:
        cells = []
        for key in keys:
            median = rounds.median(name, key, figure)
            ratios = rounds.ratios(name, LIMIT, key, figure)
            of_limit = f" ({_median(ratios, 2)})" if ratios else ""
            cells.append("" if median is None else f"{median:.0f}{of_limit}")
        if any(cells):
            rows.append([f"`{name}`", *cells])
    return _table(["variant", *(f"{key.concurrency} at a time (of limit)" for key in keys)], rows)


def _median(values: Sequence[float], digits: int = 0) -> str:
    return f"{statistics.median(values):.{digits}f}" if values else ""


def _spread(values: Sequence[float], digits: int = 0) -> str:
    """`0.73 (0.70 to 0.75)`: the median of several, with the least and the most."""
    least, most = (f"{one(values):.{digits}f}" if values else "" for one in (min, max))
    return _median(values, digits) + (f" ({least} to {most})" if least != most else "")


def _pair(points: Sequence[Point], of: str) -> str:
    return " / ".join(_median([point[f"{of}_{percentile}_ms"] for point in points]) for percentile in ("p50", "p99"))


def _memory_mib(point: Point) -> float:
    peaks: Mapping[str, float] = point["peak_mib"]
    return sum(mib for role, mib in peaks.items() if role != CLIENT)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, text: int = 1) -> list[str]:
    """Markdown; the first `text` columns are words, the others numbers."""
    rule = ["---"] * text + ["--:"] * (len(head) - text)
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def _reason(text: str) -> str:
    """The line that says it: the first of a message, the last of a traceback."""
    lines = text.strip().splitlines()
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def without_trace(told: str) -> str:
    """A fault's first and last line, without the traceback between them: its paths are this machine's."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    first = lines[0].removesuffix("Traceback (most recent call last):").strip(" :")
    return ": ".join(dict.fromkeys(part for part in (first, lines[-1]) if part))
