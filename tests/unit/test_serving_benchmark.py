"""The serving benchmark: what is asked of the load generator, how its figures are read, and the page they become."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from generator.bench import loads, served_models, target
from generator.errors import UserError
from generator.load import Load, LoadClient, Target, arguments, measured, table
from tools.bench_serving.__main__ import PAGE, RESULT
from tools.bench_serving.plot import plot
from tools.bench_serving.report import BEGIN, END, server_cpu_ms, with_block
from tools.bench_serving.variants import sweep, variants

FOUND = {
    "completed": 30, "failed": 2, "errors": ["status 503"], "duration": 1.5, "request_throughput": 20.0,
    "output_throughput": 320.0, "client_cpu_s": 0.25,
    **{f"p{p}_{of}_ms": 10.0 * p for p in (50, 99) for of in ("ttft", "itl", "tpot", "e2el")},
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


@pytest.mark.parametrize("name", ["full", "key", "quick"])
def test_every_point_of_a_sweep_keeps_as_many_requests_under_way_as_it_says(name: str) -> None:
    points = sweep(name)
    assert all(point.requests >= 3 * point.concurrency for point in points)
    assert len({point.seed for point in points}) == len(points)


def test_every_variant_says_what_it_changes_and_the_limit_comes_first() -> None:
    found = variants()
    assert found[0].engine == ()
    assert all(variant.title and variant.what for variant in found)
    # 1 to 128 at a time, both ways of answering, every shape: for what is compared throughout.
    swept = {variant.name for variant in found if variant.points == "full"}
    assert swept == {"engine", "original", "standard", "throughput"}
    assert {(load.shape, load.stream) for load in sweep("full")} == {
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


def result() -> dict[str, Any]:
    """A run of two variants, one point each, and one that did not start."""

    def point(rate: float, cpu: dict[str, float]) -> dict[str, Any]:
        load = {"shape": "short", "concurrency": 32, "stream": True}
        times = {f"{of}_{p}_ms": 8.0 for of in ("ttft", "itl", "tpot", "answer") for p in ("p50", "p99")}
        return {
            "load": load, "completed": 100, "failed": 0, "errors": [], "requests_per_s": rate,
            "tokens_per_s": 16 * rate, "cpu_s": cpu, "peak_mib": {"client": 800, "replica": 1024}, **times,
        }  # fmt: skip

    return {
        "date": "2026-01-02",
        "machine": {"processor": "a processor", "cores": 2, "memory_gib": 4.0, "system": "Linux", "python": "3.11",
                    "load_before": 0.1},
        "versions": {"ray": "2.60.0"},
        "variants": [
            {"name": "engine", "what": "the limit", "error": "", "start_s": 9, "yardstick_s": 0.6,
             "points": [point(200.0, {"client": 0.5, "API server": 1.0})]},
            {"name": "standard", "what": "ours", "error": "", "start_s": 20, "yardstick_s": 0.8,
             "points": [point(50.0, {"client": 0.5, "replica": 1.0, "proxy": 3.0})]},
            {"name": "broken", "what": "?", "error": "broken: no\nmore", "start_s": 0, "yardstick_s": 0.6,
             "points": []},
        ],
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
    assert "**broken** was not measured: broken: no" in page


def test_the_page_shows_where_the_processor_time_of_a_request_goes() -> None:
    rows = cells(with_block(f"{BEGIN}{END}", result()), "### CPU milliseconds")
    assert rows["`standard`"] == {
        "variant": "`standard`", "API server": "0.00", "proxy": "30.00", "replica": "10.00", "client": "5.00"
    }  # fmt: skip
    assert server_cpu_ms(result()["variants"][0]["points"][0]) == 10


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
