"""The serving benchmark: what is asked of the load generator, how its figures are read, and the page they become."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from generator.bench.bench import loads, served_models, target
from generator.bench.load import Load, LoadClient, Target, arguments, measured, table
from generator.errors import UserError
from tools.bench_serving.__main__ import PAGE, RESULT, main
from tools.bench_serving.plot import plot
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

FOUND = {
    "completed": 30, "failed": 2, "errors": ["status 503"], "duration": 1.5, "request_throughput": 20.0,
    "output_throughput": 320.0, "client_cpu_s": 0.25,
    **{f"p{p}_{of}_ms": 10.0 * p for p in (50, 99) for of in ("ttft", "itl", "tpot", "e2el")}, "mean_tpot_ms": 500.0,
}  # fmt: skip


def test_a_plain_load_asks_for_whole_answers_and_reports_no_time_to_the_first_token() -> None:
    load = Load(stream=False, concurrency=8)
    assert "--backend=openai-plain" in arguments(Target(url="http://x/m/v1", model="m", tokenizer="t"), load)
    found = measured(FOUND, load)
    assert (found.ttft_p50_ms, found.itl_p99_ms, found.tpot_p50_ms) == (None, None, None)
    assert found.answer_p50_ms == 500


def test_a_stream_is_asked_below_the_models_own_route() -> None:
    asked = arguments(Target(url="http://x:1/inference/m/v1/", model="m", tokenizer="t"), Load(prefix_tokens=9, seed=3))
    assert {"--base-url=http://x:1/inference/m", "--endpoint=/v1/completions", "--backend=openai"} < set(asked)
    assert {"--random-prefix-len=9", "--seed=3", "--served-model-name=m"} < set(asked)


def test_several_prefixes_are_shared_by_as_many_requests_each() -> None:
    several = Load(prefix_tokens=9, prefixes=4, prompt_tokens=5, answer_tokens=3)
    asked = arguments(Target(url="http://x/m/v1", model="m", tokenizer="t"), several)
    assert {"--dataset-name=prefix_repetition", "--prefix-repetition-num-prefixes=4"} < set(asked)
    assert {f"--prefix-repetition-{name}-len={n}" for name, n in (("prefix", 9), ("suffix", 5), ("output", 3))} < set(
        asked
    )
    assert not any(argument.startswith("--random") for argument in asked)


def test_the_table_has_a_line_for_each_point_and_says_what_failed() -> None:
    rows = [(load, measured(FOUND, load)) for load in (Load(), Load(stream=False))]
    head, _, stream, plain = [[cell.strip() for cell in line.strip("|").split("|")] for line in table(rows)]
    assert stream[head.index("failed")] == plain[head.index("failed")] == "2"
    assert stream[head.index("first token ms p50 / p99")] == "500.0 / 990.0"
    assert plain[head.index("first token ms p50 / p99")] == ""


def test_a_point_has_prompts_of_its_own_and_at_least_so_many_requests_as_run_at_once() -> None:
    points = loads(Load(), [1, 128])
    assert [point.concurrency for point in points] == [1, 128]
    assert all(point.requests >= point.concurrency for point in points)
    assert len({point.seed for point in points}) == 2
    assert [point.requests for point in loads(Load(), [1, 128], requests=200)] == [200, 200]
    with pytest.raises(UserError, match="100 requests are fewer than the 128 at a time"):
        loads(Load(), [1, 128], requests=100)
    with pytest.raises(UserError, match="64 prefixes of 0 tokens"):
        loads(Load(prefixes=64), [128])
    with pytest.raises(UserError, match=r"32 requests have no 64 prefixes\n.*--requests 512"):
        loads(Load(prefixes=64, prefix_tokens=8), [1, 128])


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


@pytest.fixture
def server() -> Iterator[str]:
    """A server that lists two models to whoever has the key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers["Authorization"] == "Bearer right" else 401)
            self.end_headers()
            self.wfile.write(json.dumps({"data": [{"id": "one"}, {"id": "two"}]}).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}/v1"
        found.shutdown()
        thread.join()


def test_the_model_is_chosen_by_name_and_its_tokenizer_is_the_catalogs(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    assert target(server, "two", None, {"two": "hub/two"}) == Target(url=server, model="two", tokenizer="hub/two")
    for model, sources, message in (
        (None, {}, "Choose with --model: one, two"),
        ("tow", {}, "did you mean 'two'"),
        ("one", {}, "the catalog does not know one"),
    ):
        with pytest.raises(UserError) as error:
            target(server, model, None, sources)
        assert message in str(error.value)


def test_a_server_that_asks_for_a_key_is_said_to(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(UserError, match="answers with status 401\n  Set OPENAI_API_KEY"):
        served_models(server)


@pytest.mark.parametrize("url", ["localhost:8000/v1", "http://127.0.0.1:9/v1"])
def test_what_is_no_server_is_a_message_and_not_a_traceback(url: str) -> None:
    with pytest.raises(UserError, match=r"is no URL|lists no models"):
        served_models(url)


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/false"])
def test_a_python_without_vllm_is_a_message_and_not_a_traceback(python: str, tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"cannot be run|load generator ended"),
        LoadClient(python, log=tmp_path / "log"),
    ):
        pass


def point(rate: float, cpu: dict[str, float]) -> dict[str, Any]:
    load = {"shape": "short", "concurrency": 32, "stream": True, "answer_tokens": 16}
    times = {f"{of}_{p}_ms": 8.0 for of in ("ttft", "itl", "tpot", "answer") for p in ("p50", "p99", "mean")}
    return {
        "load": load, "completed": 100, "failed": 0, "errors": [], "requests_per_s": rate,
        "tokens_per_s": 16 * rate, "cpu_s": cpu, "peak_mib": {"client": 800, "replica": 1024}, **times,
    }  # fmt: skip


def test_what_was_measured_before_a_point_failed_is_not_lost(server: str, tmp_path: Path) -> None:
    # What stands in for a Python with vLLM measures the warm-up and one point, and then ends.
    stand_in = tmp_path / "python"
    found = json.dumps(FOUND)
    stand_in.write_text(f"#!/bin/sh\necho '{{}}'; for _ in 1 2; do read -r _; echo '{found}'; done; read -r _\n")
    stand_in.chmod(0o755)
    command = [sys.executable, "-m", "generator", "bench", "--url", server, "--model", "one", "--tokenizer", "t"]
    environment = os.environ | {"OPENAI_API_KEY": "right"}
    run = subprocess.run(
        [*command, "--concurrency", "1", "--concurrency", "8", "--python", str(stand_in), "--json"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert "the load generator ended" in run.stderr
    told = json.loads(run.stdout)
    assert [point["load"]["concurrency"] for point in told["points"]] == [1]
    assert "the load generator ended" in told["error"]


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


def test_a_point_without_an_answer_has_no_figures_and_its_failures_are_told(tmp_path: Path) -> None:
    document = result((200, 50), (100, 20))
    lost = document["rounds"][0][1]["points"][0]
    lost.update(completed=0, failed=100, ttft_p50_ms=None, ttft_p99_ms=None, tpot_p50_ms=None, tpot_p99_ms=None)
    row = cells(with_block(f"{BEGIN}{END}", document), "### Every variant")["`standard`"]
    assert (row["requests/s"], row["of limit"], row["failed"]) == ("20", "0.20", "100")
    plot(document, tmp_path / "plot.svg")


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


def test_the_plot_is_the_same_bytes_for_the_same_figures(tmp_path: Path) -> None:
    for name in ("a", "b"):
        plot(result(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert ">standard<" in (tmp_path / "a").read_text()


def test_the_committed_page_is_what_the_committed_figures_give() -> None:
    figures = json.loads(RESULT.read_text()) if RESULT.exists() else None
    assert with_block(PAGE.read_text(), figures) == PAGE.read_text()


def test_a_point_that_hangs_ends_and_the_next_one_has_a_new_load_generator(tmp_path: Path) -> None:
    # What stands in for a Python with vLLM says that it is ready, and then nothing.
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\necho started >&2; echo '{}'; exec sleep 60\n")
    silent.chmod(0o755)
    log = tmp_path / "log"
    with LoadClient(str(silent), log=log) as client:
        for _ in range(2):
            with pytest.raises(UserError, match="gave no result within 0 s"):
                client.measure(Target(url="http://x/v1", model="m", tokenizer="t"), Load(), timeout_s=0.2)
    assert log.read_text().split() == ["started", "started"]


def test_a_variant_that_failed_is_told_without_this_machines_paths() -> None:
    told = (
        'Serve refuses it: Traceback (most recent call last):\n  File "/a/b.py", line 1\n    f()\nRuntimeError: no port'
    )
    assert without_trace(told) == "Serve refuses it: RuntimeError: no port"
    assert without_trace("one line") == "one line"
