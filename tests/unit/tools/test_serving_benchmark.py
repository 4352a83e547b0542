"""The serving benchmark: what its rounds measure, and the page that their figures become."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.errors import UserError
from tools.bench_serving.__main__ import PAGE, RESULT, main
from tools.bench_serving.report import (
    AIMS,
    BEGIN,
    END,
    engine_step_cpu_ms,
    server_cpu_ms,
    streams_in_a_step,
    with_block,
    without_trace,
)
from tools.bench_serving.rounds import compared, shared_out
from tools.bench_serving.variants import sweep, variants


@pytest.mark.parametrize("name", ["full", "key", "many", "replicas", "prompts", "quick"])
def test_every_point_of_a_sweep_keeps_as_many_requests_under_way_as_it_says(name: str) -> None:
    points = [load for load, _ in sweep(name)]
    assert all(point.requests >= 3 * point.concurrency for point in points)
    assert len({point.seed for point in points}) == len(points)


def test_what_the_aims_are_of_is_measured_for_twenty_seconds() -> None:
    long = {(load.shape, load.concurrency, load.stream) for load, at_least_s in sweep("full") if at_least_s >= 20}
    assert long == {key for aim in AIMS for key in aim.at}


def test_every_variant_says_what_it_changes_and_the_limit_comes_first() -> None:
    found = variants()
    assert found[0].engine == ()
    assert all(variant.title and variant.what for variant in found)
    # 1 to 128 at a time, both ways of answering, every shape: for what is compared throughout.
    swept = {variant.name for variant in compared(found)}
    assert swept == {"engine", "original", "standard", "throughput"}
    assert {(load.shape, load.stream) for load, _ in sweep("full")} == {
        (shape, stream)
        for shape in ("short", "long prompt", "long answer", "shared prefix")
        for stream in (True, False)
    }


def test_a_misspelt_variant_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'original'"):
        variants(["orignal"])


def point(rate: float, cpu: dict[str, float]) -> dict[str, Any]:
    load = {"shape": "short", "concurrency": 32, "stream": True, "answer_tokens": 16}
    times = {f"{of}_{p}_ms": 8.0 for of in ("ttft", "itl", "tpot", "answer") for p in ("p50", "p99", "mean")}
    return {
        "load": load, "completed": 100, "failed": 0, "errors": [], "requests_per_s": rate,
        "tokens_per_s": 16 * rate, "cpu_s": cpu, "peak_mib": {"client": 800, "replica": 1024}, **times,
    }  # fmt: skip


def result(*rates: tuple[float, float]) -> dict[str, Any]:
    """A run of as many rounds as requests/s of two variants are given; in the last, one more that did not start."""
    rounds: list[list[dict[str, Any]]] = [
        [
            {"name": "engine", "what": "the limit", "error": "", "start_s": 9, "yardstick_s": 0.6,
             "points": [point(engine, {"client": 0.5, "API server": 1.0})]},
            {"name": "standard", "what": "ours", "error": "", "start_s": 20, "yardstick_s": 0.8,
             "points": [point(standard, {"client": 0.5, "replica": 1.0, "proxy": 3.0})]},
        ]
        for engine, standard in rates or [(200.0, 50.0)]
    ]  # fmt: skip
    rounds[-1].append({"name": "broken", "what": "?", "error": "broken: no\nmore", "start_s": 0, "points": []})
    return {
        "date": "2026-01-02",
        "machine": {"processor": "a processor", "cores": 2, "memory_gib": 4.0, "system": "Linux", "python": "3.11",
                    "load_before": 0.1},
        "versions": {"ray": "2.60.0"},
        "rounds": rounds,
    }  # fmt: skip


def cells(page: str, heading: str) -> dict[str, dict[str, str]]:
    """The table below a heading: by its first column, the cells by their columns."""
    lines = [line for line in page.split(heading)[1].split("###")[0].splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


def test_the_page_compares_every_variant_with_the_limit_and_the_standard_path() -> None:
    page = with_block(f"before\n{BEGIN}\nold\n{END}\nafter", result())
    assert page.startswith("before\n")
    assert page.endswith("after")
    assert "old" not in page
    rows = cells(page, "### Every variant")
    assert (rows["`standard`"]["of limit"], rows["`engine`"]["of standard"]) == ("0.25", "4.00")
    # The machine took 0.8 s for what it had taken 0.6 s for.
    assert (rows["`engine`"]["machine"], rows["`standard`"]["machine"]) == ("1.00", "0.75")
    # Of the 4.5 seconds of 100 requests the client's half is not the server's.
    assert rows["`standard`"]["CPU ms a request"] == "40.0"
    assert rows["`standard`"]["memory GiB"] == "1.0"
    assert "**broken**, round 1: stopped after 0 points: broken: no" in page


def test_the_engines_part_is_told_by_the_step_where_pieces_are_tokens() -> None:
    cpu = {"engine core": 0.5, "engine worker": 1.0}
    # 200 streams/s, each 15 tokens of 8 ms after its first, are 24 at a time; the 3,000 ms of a second are 125 steps.
    assert streams_in_a_step(point(200, cpu)) == pytest.approx(24)
    assert engine_step_cpu_ms(point(200, cpu)) == pytest.approx(24)
    assert streams_in_a_step(point(200, cpu) | {"itl_p50_ms": 0.1}) is None


def test_a_variant_is_compared_with_the_limit_of_its_own_round() -> None:
    # Over the rounds the machine halves: every figure moves, and the ratio of each round much less.
    rows = cells(with_block(f"{BEGIN}{END}", result((200, 50), (100, 20), (150, 30))), "### Every variant")
    assert rows["`engine`"]["requests/s"] == "150 (100 to 200)"
    assert rows["`engine`"]["of limit"] == "1.00"
    assert rows["`standard`"]["requests/s"] == "30 (20 to 50)"
    assert rows["`standard`"]["of limit"] == "0.20 (0.20 to 0.25)"


def test_a_round_in_which_the_limit_is_missing_gives_no_ratio() -> None:
    document = result((200, 50), (100, 20))
    document["rounds"][0][0].update(points=[], error="gone")
    page = with_block(f"{BEGIN}{END}", document)
    assert cells(page, "### Every variant")["`standard`"]["of limit"] == "0.20"
    assert "**engine**, round 1: stopped after 0 points: gone" in page


def with_a_point_without_an_answer() -> dict[str, Any]:
    document = result((200, 50), (100, 20))
    lost = document["rounds"][0][1]["points"][0]
    lost.update(completed=0, failed=100, ttft_p50_ms=None, ttft_p99_ms=None, tpot_p50_ms=None, tpot_p99_ms=None)
    return document


def test_a_point_without_an_answer_has_no_figures_and_its_failures_are_told() -> None:
    document = with_a_point_without_an_answer()
    row = cells(with_block(f"{BEGIN}{END}", document), "### Every variant")["`standard`"]
    assert (row["requests/s"], row["of limit"], row["failed"]) == ("20", "0.20", "100")


def test_the_aims_are_ratios_within_a_round() -> None:
    rows = cells(with_block(f"{BEGIN}{END}", result((200, 50), (100, 20), (150, 30))), "### The aims")
    assert rows["requests/s, of `engine`: 32 at a time, streaming"]["`standard`"] == "0.20 (0.20 to 0.25)"
    assert rows["CPU time of a request, of `engine`: 32 at a time, streaming"]["`standard`"] == "4.00"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "0"], "0 rounds measure nothing"),
        (["--add", "grcp"], "--add: unknown variant 'grcp'"),
        (["--add", "throughput"], "--add: throughput is in every round"),
        (["--add", "grpc", "--quick"], "--add adds whole measurements"),
    ],
)
def test_a_run_that_cannot_be_made_is_a_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 3, 100])
def test_what_is_compared_is_in_every_round_and_each_single_setting_in_one(count: int) -> None:
    rounds = [[variant.name for variant in each] for each in shared_out(variants(), count)]
    assert len(rounds) == count
    swept = [variant.name for variant in compared(variants())]
    assert all(names[: len(swept)] in (swept, swept[::-1]) for names in rounds)
    others = [name for names in rounds for name in names[len(swept) :]]
    assert swept + others == [variant.name for variant in variants()]


def test_the_page_shows_where_the_processor_time_of_a_request_goes() -> None:
    rows = cells(with_block(f"{BEGIN}{END}", result()), "### CPU milliseconds")
    assert rows["`standard`"] == {
        "variant": "`standard`", "API server": "0.00", "proxy": "30.00", "replica": "10.00", "client": "5.00",
        "streams in a step": "6.0", "engine, of a step": "0.0",
    }  # fmt: skip
    assert server_cpu_ms(result()["rounds"][0][0]["points"][0]) == 10


def test_a_page_without_its_marks_is_left_alone() -> None:
    with pytest.raises(UserError, match="lost the marks"):
        with_block("no marks", result())


@pytest.fixture
def plot() -> Callable[[dict[str, Any], Path], None]:
    """Whoever works on the generator alone need not have matplotlib."""
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib: run `make unit`")
    from tools.bench_serving.plot import plot

    return plot


def test_a_point_without_an_answer_is_left_out_of_the_plot(
    plot: Callable[[dict[str, Any], Path], None], tmp_path: Path
) -> None:
    plot(with_a_point_without_an_answer(), tmp_path / "plot.svg")


def test_the_plot_is_the_same_bytes_for_the_same_figures(
    plot: Callable[[dict[str, Any], Path], None], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        plot(result(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert ">standard<" in (tmp_path / "a").read_text()


def test_the_committed_page_is_what_the_committed_figures_give() -> None:
    figures = json.loads(RESULT.read_text()) if RESULT.exists() else None
    assert with_block(PAGE.read_text(), figures) == PAGE.read_text()


def test_a_variant_that_failed_is_told_without_this_machines_paths() -> None:
    told = (
        'Serve refuses it: Traceback (most recent call last):\n  File "/a/b.py", line 1\n    f()\nRuntimeError: no port'
    )
    assert without_trace(told) == "Serve refuses it: RuntimeError: no port"
    assert without_trace("one line") == "one line"
