"""`generator bench` measures a server that runs, as its users would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from machine import ROOT

from generator.local_ray import Running


@pytest.mark.parametrize("plain", [False, True], ids=["streaming", "plain"])
def test_bench_measures_a_server_that_runs(serving: Running, workdir: Path, model: str, plain: bool) -> None:
    command = [sys.executable, "-m", "generator", "bench", "--url", serving.routes[model], "--json"]
    command += ["--tokenizer", str(workdir / "checkpoints" / model), "--concurrency", "4"]
    command += ["--prompt-tokens", "32", "--answer-tokens", "8", *(["--plain"] if plain else [])]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stderr
    (point,) = json.loads(done.stdout)["points"]
    assert (point["completed"], point["failed"]) == (32, 0)
    assert point["tokens_per_s"] == pytest.approx(8 * point["requests_per_s"], rel=0.01)
    assert (point["ttft_p50_ms"] is None) == plain
    assert 0 < point["answer_p50_ms"] <= point["answer_p99_ms"]
