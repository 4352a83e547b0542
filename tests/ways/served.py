"""One way of serving at a time: values of the chart, rendered and served on this machine by tiny checkpoints."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from generator.chart import render
from generator.documents.merge import merged
from generator.local.http import free_port
from generator.local.ray import machine_values, run_folder, running
from tests.local.machine import processes_with
from tests.local.served import Served
from tests.support.paths import ROOT

TIMEOUT_S = 540
CPUS = 8
"""Logical ones, which Ray counts: the engines share what the machine has."""
ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}


def llm_config(source: str, *, replicas: int = 1, env: Mapping[str, str] = {}, **engine: Any) -> dict[str, Any]:
    """An LLMConfig for one CPU a replica. `source` is a tiny checkpoint's name."""
    return {
        "model_loading_config": {"model_source": f"checkpoints/{source}"},
        "placement_group_config": {"bundle_per_worker": {"CPU": 1}},
        "deployment_config": {
            "ray_actor_options": {"num_cpus": 0},
            "autoscaling_config": {"min_replicas": replicas, "max_replicas": replicas, "target_ongoing_requests": 6},
            "max_ongoing_requests": 16,
        },
        "runtime_env": {"env_vars": {**ENVIRONMENT, **env}},
        "engine_kwargs": {"enforce_eager": True, **engine},
    }


def text_config(source: str, *, replicas: int = 1, env: Mapping[str, str] = {}, **engine: Any) -> dict[str, Any]:
    """The same for a model of text."""
    usual = {"dtype": "bfloat16", "max_model_len": 512, "max_num_seqs": 8, "max_num_batched_tokens": 2048}
    return llm_config(source, replicas=replicas, env=env, **{**usual, **engine})


def counted(url: str, counter: str) -> float:
    """What vLLM's own counter has come to; `url` is the model's base. Its config has `log_engine_metrics: false`.

    Ray's counters take the place of vLLM's otherwise, and are another port's.
    """
    answer = httpx.get(f"{url.removesuffix('/v1')}/metrics", timeout=60)
    assert answer.status_code == 200, answer.text
    return sum(float(line.split()[-1]) for line in answer.text.splitlines() if line.startswith(f"{counter}{{"))


def replicas_of(served: Served, request_ids: Sequence[str]) -> list[set[str]]:
    """For each request, the logs of the workers whose engine says that it had it (`enable_log_requests`)."""
    logs = served.folder / "ray" / "session_latest" / "logs"
    until = time.monotonic() + 10  # a line may come after its answer
    while True:
        texts = {path.name: path.read_text(errors="replace") for path in logs.glob("worker-*")}
        found = [{re.split(r"[-.]", name)[1] for name, text in texts.items() if each in text} for each in request_ids]
        if all(found) or time.monotonic() > until:
            return found
        time.sleep(0.2)


@contextmanager
def served(values: Mapping[str, Any], *, workdir: Path) -> Iterator[Served]:
    """These values, over those that every way has, as `helm install` would make them; no process outlives it."""
    limits = {"cpu": CPUS, "memory": "16Gi"}
    usual = {
        "ray": {"version": "2.60.0"},
        "serving": {"path": "throughput"},
        "workerGroups": {"workers": {"minReplicas": 0, "maxReplicas": 1, "resources": {"limits": limits}}},
    }
    with run_folder() as folder:
        overrides = merged(merged(usual, machine_values(folder, port=free_port())), dict(values))
        manifests = render(ROOT / "chart", [], overrides=overrides, release="ways")
        with running(manifests, folder=folder, workdir=workdir, report=print, timeout_s=TIMEOUT_S) as found:
            yield Served(found, folder, manifests)
    assert not processes_with(str(folder)), "processes outlived the run"
