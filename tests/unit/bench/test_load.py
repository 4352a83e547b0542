"""`bench`: what is asked of the load generator, how its figures are read, and what is said of servers."""

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
from tests.support.odd_server import ODD, endless, http, odd_server, trickle
from tests.support.output import published

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
    told = published("bench", run.stdout)
    assert [point["load"]["concurrency"] for point in told["points"]] == [1]
    assert "the load generator ended" in told["error"]


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


def test_a_server_of_odd_answers_is_a_message_and_not_a_traceback() -> None:
    with odd_server(ODD) as port:
        for name in ODD:
            with pytest.raises(UserError, match=r"lists no models|answers with status|serves no model") as raised:
                target(f"http://127.0.0.1:{port}/{name}/v1", None, "t", {})
            assert "Zp9-planted" not in str(raised.value)
            assert len(str(raised.value)) < 1000


def test_an_answer_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_head = b"HTTP/1.1 200 OK\r\nX-Slow: "
    answers = {"endless": endless, "trickle": trickle, "slow-head": lambda: trickle(slow_head)}
    with odd_server(answers) as port:
        with pytest.raises(UserError, match="more than 16 MiB"):
            served_models(f"http://127.0.0.1:{port}/endless/v1", timeout_s=60)
        for name in ("trickle", "slow-head"):
            with pytest.raises(UserError, match="no whole answer within 1 s"):
                served_models(f"http://127.0.0.1:{port}/{name}/v1", timeout_s=1)


def test_the_key_goes_to_this_server_alone(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    elsewhere = {"elsewhere": [http("", "302 Found", headers=f"Location: {server}/models\r\n")]}
    with odd_server(elsewhere) as port, pytest.raises(UserError, match="answers with status 401"):
        served_models(f"http://127.0.0.1:{port}/elsewhere/v1")
