"""A client in the cluster: a pod of its own, in a namespace of its own, that asks a release's Service."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes import client as kubernetes
from kubernetes.stream import stream

from tests.cluster.pods import run_script
from tests.cluster.waiting import wait

SCRIPT = Path(__file__).with_name("in_pod.py")


@dataclass(frozen=True)
class Answer:
    status: int
    """HTTP status; 0 where there was no answer."""
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


STEADY, SPARSE = 2, 0.25
"""Requests a second: where one might be lost, and where nothing changes that could lose one.

A CPU engine looks for its next request for a second after each without letting its processor go (`SpinCondition` of
vllm/distributed/device_communicators/shm_broadcast.py), so a steady load takes a whole core from what is starting.
"""


@dataclass(frozen=True)
class Load:
    """A load that goes on, and what it saw when it has ended."""

    client: Client
    folder: str
    answers: list[dict[str, Any]] = field(default_factory=list)

    def at(self, rate: float) -> None:
        """Go on with so many requests a second."""
        # Moved into place, since the reader may look at any moment.
        self.client.run("sh", "-c", f"echo {rate} > {self.folder}/next && mv {self.folder}/next {self.folder}/rate")

    @property
    def failed(self) -> list[dict[str, Any]]:
        return [answer for answer in self.answers if answer["status"] != 200]

    @property
    def longest_gap(self) -> float:
        """Seconds between two answers in which there was none, at the most."""
        ends = sorted(answer["at"] + answer["seconds"] for answer in self.answers if answer["status"] == 200)
        return max((after - before for before, after in itertools.pairwise(ends)), default=float("inf"))

    @property
    def slowest(self) -> float:
        """Seconds of the answer that took longest."""
        return max((answer["seconds"] for answer in self.answers if answer["status"] == 200), default=0)

    def figures(self) -> dict[str, Any]:
        """What a long run keeps of it."""
        return {
            "requests": len(self.answers),
            "failed": len(self.failed),
            "slower_than_2_s": sum(answer["status"] == 200 and answer["seconds"] > 2 for answer in self.answers),
            "seconds_without_an_answer": round(self.longest_gap, 1),
        }

    def __str__(self) -> str:
        text = f"{len(self.answers)} requests, {len(self.failed)} failed, {self.longest_gap:.1f} s without an answer"
        reasons = sorted({f"{a['status']} {a.get('error', '')[:100]}" for a in self.failed})
        return f"{text}, slowest {self.slowest:.1f} s" + (f" ({'; '.join(reasons)})" if reasons else "")


class Client:
    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.loads = 0

    def start(self) -> None:
        """Start the pod; it fits a restricted namespace."""
        run_script(self.namespace, "client", SCRIPT, ["sleep", "infinity"])

    def ask(self, url: str, body: dict[str, Any] | None = None, *, seconds: float = 60) -> Answer:
        """One request; a GET where there is no body."""
        text = json.dumps(body) if body is not None else ""
        return Answer(**json.loads(self.run("python3", "/script/in_pod.py", "ask", str(seconds), url, text)))

    @contextmanager
    def load(self, url: str, body: dict[str, Any], *, rate: float = STEADY) -> Iterator[Load]:
        """A load of `rate` requests a second while the block runs; afterwards the Load has its answers."""
        self.loads += 1
        folder = f"/tmp/load-{self.loads}"
        found = Load(self, folder)
        arguments = ["python3", "/script/in_pod.py", "load", folder, url, json.dumps(body)]
        # Detached, with no stream of this connection: it would not end, or end with the kubelet that is restarted.
        start = f"""import os, subprocess
os.mkdir({folder!r})
open({folder + "/rate"!r}, "w").write({str(rate)!r})
nothing, errors = subprocess.DEVNULL, open({folder + "/stderr"!r}, "w")
subprocess.Popen({arguments!r}, stdin=nothing, stdout=nothing, stderr=errors, start_new_session=True)"""
        self.run("python3", "-c", start)
        try:
            time.sleep(3)
            yield found
            time.sleep(3)
        finally:
            self.run("touch", f"{folder}/stop")
            wait(lambda: "done" in self.run("ls", folder), "the load's last answers", seconds=180)
            lines = self.run("cat", f"{folder}/answers.jsonl").splitlines()
            found.answers.extend(json.loads(line) for line in lines)
            errors = self.run("cat", f"{folder}/stderr")
            assert not errors, errors
            assert found.answers, "nothing was asked"

    def run(self, *command: str) -> str:
        """Run a command in the client's pod; returns what it prints, to either stream."""
        return execute("client", self.namespace, *command)


def execute(pod: str, namespace: str, *command: str) -> str:
    """Run a command in a pod's first container; returns what it prints, to either stream."""
    api = kubernetes.CoreV1Api()
    container = api.read_namespaced_pod(pod, namespace).spec.containers[0].name
    connect = api.connect_get_namespaced_pod_exec
    return str(stream(connect, pod, namespace, container=container, command=list(command), stdout=True, stderr=True))
