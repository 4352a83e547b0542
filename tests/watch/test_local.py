"""A release on this machine under load: every query has an answer, and the alert of a dead model comes and goes."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from generator.cache import cache_folder
from generator.chart import render
from generator.errors import RunFailed
from generator.local.http import complete_chat
from tests.local.machine import shared_memory_of
from tests.local.served import Served, served
from tests.support.long_run import keep_figures
from tests.support.paths import ROOT
from tests.support.queries import METRICS, asked, panel_queries
from tests.watch.prometheus import Prometheus, prometheus, wait_until

MODEL = "falcon3-1b-instruct"
LOAD_S = 90
"""Rates over two minutes have values long before; what is seen once a minute is there too."""
# Half of the context of 512: the second request finds whole blocks of it in the cache.
PROMPT = "Tell it again. " * 60
NOT_HERE = {
    "ray_vllm_num_preemptions_total",
    "ray_node_gram_used",
    "ray_node_gram_available",
    "ray_node_gpus_utilization",
}
"""Nothing is preempted under this load, and there is no GPU."""


def rules() -> Any:
    """The chart's alerts of this release, which fire at once: here nothing is to be waited for."""
    monitoring = {"monitoring": {"prometheusRule": {"enabled": True}}}
    files = [ROOT / "values" / "local" / "falcon3.yaml"]
    overrides = {"serving": {"path": "throughput"}, **monitoring}
    manifests = render(ROOT / "chart", files, release="local", overrides=overrides)
    (rule,) = (each for each in manifests if each["kind"] == "PrometheusRule")
    for group in rule["spec"]["groups"]:
        for alert in group["rules"]:
            alert["for"] = "0s"
    return {"groups": rule["spec"]["groups"]}


def targets(folder: Path) -> dict[str, list[str]]:
    """Where Ray and HAProxy of a run tell what the PodMonitor collects, as Ray wrote it for Prometheus and HAProxy."""
    found = json.loads((folder / "ray" / "prom_metrics_service_discovery.json").read_text(encoding="utf-8"))
    # The dashboard's own are on a port that pods do not name.
    ray = [target for group in found for target in group["targets"] if not target.endswith(":44227")]
    (configuration,) = (folder / "haproxy").rglob("haproxy.cfg")
    haproxy = re.search(r"frontend prometheus\s+bind (\S+)", configuration.read_text(encoding="utf-8"))
    assert haproxy, "HAProxy tells no metrics"
    return {"metrics": ray, "haproxy": [haproxy[1]]}


@contextmanager
def load(url: str) -> Iterator[dict[str, int]]:
    """Requests, two at a time, until the block ends; how many were answered and how many were not."""
    counted = {"answered": 0, "failed": 0}
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                complete_chat(url, MODEL, PROMPT, max_tokens=24, timeout_s=60)
                counted["answered"] += 1
            except (RunFailed, OSError):
                counted["failed"] += 1
                time.sleep(1)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield counted
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    yield found
    keep_figures(found)


def test_every_query_has_an_answer_and_a_dead_engine_is_told(tmp_path: Path, figures: dict[str, Any]) -> None:
    with (
        served(["falcon3"], workdir=cache_folder() / "local", path="throughput", apps={}) as release,
        prometheus(tmp_path / "prometheus", targets(release.folder), rules()) as server,
        load(release.running.routes[MODEL]) as counted,
    ):
        time.sleep(LOAD_S)
        assert {each["metric"]["endpoint"] for each in server.ask("up == 1")} == {"metrics", "haproxy"}
        alerts = {rule["alert"]: rule["expr"] for group in rules()["groups"] for rule in group["rules"]}
        silent = without_answer(server, alerts)
        assert not silent, "\n".join(f"{where}: {query}" for where, query in silent.items())
        # What is slow depends on the machine; nothing else may fire where all is well.
        assert server.firing() <= {"RayServeLLMFirstTokenSlow", "RayServeLLMTokensSlow"}
        figures |= {"answered": counted["answered"], "failed before": counted["failed"]}

        kill_the_engine(release)
        down = wait_until(lambda: "RayServeLLMModelDown" in server.firing(), seconds=120, what="the alert fires")
        up = wait_until(lambda: "RayServeLLMModelDown" not in server.firing(), seconds=300, what="the alert clears")
        complete_chat(release.running.routes[MODEL], MODEL, "Say hello.", max_tokens=8)
        figures |= {"seconds to fire": round(down), "seconds to clear": round(up), "failed": counted["failed"]}


def without_answer(server: Prometheus, alerts: Mapping[str, str]) -> dict[str, str]:
    """Queries of panels, and series of alerts, to which this release could say something and does not."""
    queries = dict(panel_queries())
    for alert, expression in alerts.items():
        # An alert has no answer where all is well, so its series are asked for without its bound.
        for metric in asked(expression).metrics:
            queries[f"{alert} / {metric}"] = f'{metric}{{namespace="default",ray_service="local"}}'
    elsewhere = (METRICS["others"].keys() - {"up"}) | NOT_HERE
    return {
        where: query
        for where, query in queries.items()
        if not asked(query).metrics.keys() & elsewhere and not server.ask(query)
    }


def kill_the_engine(release: Served) -> None:
    """As the kernel does where memory ends. What it had of the shared memory it can no longer remove."""
    (engine,) = release.commands("EngineCore")
    shared = shared_memory_of(engine)
    os.kill(engine, signal.SIGKILL)
    for path in shared:
        with suppress(FileNotFoundError):
            path.unlink()
