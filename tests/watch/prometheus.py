"""Prometheus' own server on the loopback address: it collects a local release, and judges it by the chart's rules."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from generator.local.http import free_port, request
from generator.process import supervised

INTERVAL_S = 5


@dataclass(frozen=True)
class Prometheus:
    url: str

    def ask(self, query: str) -> list[Mapping[str, Any]]:
        """The series of an instant query, each with `metric` and `value`."""
        status, text = request("GET", f"{self.url}/api/v1/query?query={quote(query)}", timeout_s=30)
        assert status == 200, f"{query}: {text}"
        result: list[Mapping[str, Any]] = json.loads(text)["data"]["result"]
        return result

    def firing(self) -> set[str]:
        return {each["metric"]["alertname"] for each in self.ask('ALERTS{alertstate="firing"}')}


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, Sequence[str]], rules: Any) -> Iterator[Prometheus]:
    """By endpoint, where it collects from; every series has the labels that the PodMonitor gives."""
    program = os.environ.get("PROMETHEUS")
    if not program:
        pytest.fail("PROMETHEUS (the server's path) is not set: run `make watch`", pytrace=False)
    url = f"127.0.0.1:{free_port()}"
    labels = {"namespace": "default", "ray_service": "local", "ray_io_cluster": "local-abcde", "pod": "local-head"}
    configuration = {
        "global": {"scrape_interval": f"{INTERVAL_S}s", "evaluation_interval": f"{INTERVAL_S}s"},
        "rule_files": ["rules.json"],
        "scrape_configs": [
            {
                "job_name": endpoint,
                "static_configs": [{"targets": list(addresses), "labels": {**labels, "endpoint": endpoint}}],
            }
            for endpoint, addresses in targets.items()
        ],
    }
    folder.mkdir()
    (folder / "prometheus.yaml").write_text(json.dumps(configuration), encoding="utf-8")
    (folder / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    command = [program, "--config.file=prometheus.yaml", "--storage.tsdb.path=data", f"--web.listen-address={url}"]
    process = supervised.start(command, log=folder / "log", folder=folder, environment=dict(os.environ))
    try:
        server = Prometheus(f"http://{url}")
        wait_until(lambda: _is_ready(server), seconds=60, what="Prometheus is ready")
        yield server
    finally:
        supervised.end(process)


def _is_ready(server: Prometheus) -> bool:
    with suppress(OSError):
        return request("GET", f"{server.url}/-/ready", timeout_s=5)[0] == 200
    return False


def wait_until(is_so: Callable[[], bool], *, seconds: float, what: str) -> float:
    """How many seconds it took."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < seconds, f"not within {seconds:.0f} s: {what}"
        time.sleep(1)
    return time.monotonic() - started
