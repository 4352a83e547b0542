"""A Helm release of the chart on the cluster, and what KubeRay and the kubelet make of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes import client as kubernetes
from kubernetes import dynamic

from tests.cluster.client import SPARSE, STEADY, Answer, Client, Load, execute
from tests.cluster.waiting import wait
from tests.support.paths import ROOT

READY_S = 900
"""How long a cluster of Ray and its engines may take on two cores; a figure to give up at, not to be held to."""


@dataclass
class Release:
    name: str
    namespace: str
    client: Client
    path: str
    """Over the values' own `serving.path`; empty: that."""
    chart: tuple[str, ...] = ("chart",)
    """What helm installs: a folder from the project's own, or a reference with its options."""
    objects: kubernetes.CustomObjectsApi = field(default_factory=kubernetes.CustomObjectsApi)
    core: kubernetes.CoreV1Api = field(default_factory=kubernetes.CoreV1Api)

    # -- what people do ------------------------------------------------------------------------------------------------

    def helm(self, *arguments: str | Path, fails: bool = False) -> str:
        """Run helm on this release's namespace; returns what it prints. `fails` says that it must."""
        command = [os.environ["HELM"], *map(str, arguments), "--namespace", self.namespace]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert bool(done.returncode) == fails, (
            f"helm {arguments[0]} gave {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout + done.stderr

    def upgrade(self, *values: str | Path, fails: bool = False) -> str:
        """`helm upgrade --install` with these values files, each a path from the project's folder."""
        files = [part for file in values for part in ("--values", file)]
        path = ["--set", f"serving.path={self.path}"] if self.path else []
        return self.helm("upgrade", "--install", self.name, *self.chart, *files, *path, fails=fails)

    def generator(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m generator` against this cluster."""
        command = [sys.executable, "-m", "generator", *arguments, "--namespace", self.namespace]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    # -- what is there -------------------------------------------------------------------------------------------------

    def rayservice(self) -> dict[str, Any]:
        return self.objects.get_namespaced_custom_object("ray.io", "v1", self.namespace, "rayservices", self.name)

    def status(self) -> dict[str, Any]:
        return self.rayservice().get("status", {})

    def ray_cluster(self) -> str:
        """Name of the Ray cluster that serves."""
        return str(self.status().get("activeServiceStatus", {}).get("rayClusterName", ""))

    def applications(self) -> dict[str, str]:
        """Status of every Serve application of the Ray cluster that serves."""
        found = self.status().get("activeServiceStatus", {}).get("applicationStatuses", {})
        return {name: application["status"] for name, application in found.items()}

    def pods(self, role: str = "") -> list[kubernetes.V1Pod]:
        """The pods that live: all, or those of one role (head, ingress, worker)."""
        selector = f"app.kubernetes.io/instance={self.name}" + (f",app.kubernetes.io/component={role}" if role else "")
        found = self.core.list_namespaced_pod(self.namespace, label_selector=selector).items
        return [pod for pod in found if pod.metadata.deletion_timestamp is None]

    def pod_of(self, model: str) -> kubernetes.V1Pod:
        """The pod on which a replica of this model's engine runs."""
        for pod in self.pods("worker"):
            if self._replicas_on(pod, model):
                return pod
        raise AssertionError(f"{model} runs on no pod of {[pod.metadata.name for pod in self.pods('worker')]}")

    def kill(self, pod: kubernetes.V1Pod) -> None:
        """End a pod at once, as a node that dies does."""
        self.core.delete_namespaced_pod(pod.metadata.name, self.namespace, grace_period_seconds=0)

    def replicas(self, model: str) -> set[tuple[str, str]]:
        """Pod and process of every replica of the model's engine: another one has another."""
        return {
            (pod.metadata.name, process) for pod in self.pods("worker") for process in self._replicas_on(pod, model)
        }

    def _replicas_on(self, pod: kubernetes.V1Pod, model: str) -> list[str]:
        """Found by the title that Ray gives a replica's process."""
        script = 'for one in /proc/[0-9]*; do echo "${one#/proc/} $(tr "\\0" " " < $one/cmdline)"; done 2>/dev/null'
        listed = execute(pod.metadata.name, self.namespace, "sh", "-c", script)
        return [line.split()[0] for line in listed.splitlines() if f"ServeReplica:{model}:LLMServer" in line]

    def engines(self) -> set[tuple[str, str]]:
        """Pod and log of every engine that has its weights: a few seconds later it serves."""
        list_logs = "grep -ls 'Loading weights took' /tmp/ray/session_latest/logs/worker-*.out || true"
        return {
            (pod.metadata.name, log)
            for pod in self.pods("worker")
            for log in execute(pod.metadata.name, self.namespace, "sh", "-c", list_logs).split()
        }

    def everything(self) -> set[str]:
        """Every object of the namespace, of every kind that can be listed, but for what each namespace has."""
        found = set()
        # Its own file of the API's kinds: the client's usual one may be of another cluster at the same address.
        with tempfile.TemporaryDirectory() as folder:
            api = dynamic.DynamicClient(kubernetes.ApiClient(), cache_file=f"{folder}/kinds.json")
        for kinds in api.resources.search(namespaced=True):
            # The client lists every kind twice, the second time as the kind of its lists.
            if (
                "list" not in getattr(kinds, "verbs", [])
                or kinds.kind.endswith("List")
                or kinds.kind in ("Event", "PodMetrics")
            ):
                continue
            for item in api.get(kinds, namespace=self.namespace).items:
                found.add(f"{kinds.kind}/{item.metadata.name}")
        return found - {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}

    # -- waiting -------------------------------------------------------------------------------------------------------

    def serving(self, *applications: str) -> bool:
        """Whether exactly these applications run, of the configuration that was given last."""
        service = self.rayservice()
        status = service.get("status", {})
        conditions = {entry["type"]: entry["status"] for entry in status.get("conditions", [])}
        return (
            status.get("observedGeneration") == service["metadata"]["generation"]
            and conditions.get("Ready") == "True"
            and conditions.get("UpgradeInProgress") == "False"
            and self.applications() == dict.fromkeys(applications, "RUNNING")
        )

    def wait_until_serving(self, *applications: str) -> float:
        """Seconds until these applications, and no others, run and their Service has reached the nodes."""
        return wait(
            lambda: self.serving(*applications) and self.client.ask(self.url("/-/healthz"), seconds=10).status == 200,
            f"{', '.join(applications)} RUNNING",
            seconds=READY_S,
            now=lambda: json.dumps(self.status(), indent=1) + "\n" + self.pods_in_words(),
        )

    def wait_until_answering(self, model: str, *others: str, seconds: float = 420) -> float:
        """Seconds until these applications, and no others, run and the model has answered for ten seconds on end.

        Patient: HAProxy spins over requests whose clients have gone (docs/performance.md), and takes the engine's CPU.
        """
        row = 0

        def answered_in_a_row() -> bool:
            nonlocal row
            good = self.serving(model, *others) and self.chat(model, "Say hello.", seconds=120).status == 200
            row = row + 1 if good else 0
            return row == 5

        return wait(answered_in_a_row, f"{model} answers", seconds=seconds, every=2, now=lambda: str(self.status()))

    def wait_for_engines(self, load: Load, count: int, *, beside: set[tuple[str, str]]) -> float:
        """Seconds until so many engines `beside` those that were there have their weights.

        The load is sparse meanwhile, and steady from then on, when what starts is about to take over.
        """
        load.at(SPARSE)
        seconds = wait(
            lambda: len(self.engines() - beside) >= count,
            f"{count} more engines with their weights",
            seconds=READY_S,
            every=2,
            now=lambda: json.dumps(self.status(), indent=1) + "\n" + self.pods_in_words(),
        )
        load.at(STEADY)
        return seconds

    def pods_in_words(self) -> str:
        return "\n".join(
            f"{pod.metadata.name} {pod.status.phase} {[c.message for c in pod.status.conditions or [] if c.message]}"
            for pod in self.pods()
        )

    # -- asking --------------------------------------------------------------------------------------------------------

    def url(self, path: str) -> str:
        """Address of the release's Service, from inside the cluster."""
        return f"http://{self.name}-serve-svc.{self.namespace}.svc.cluster.local:8000{path}"

    def chat(self, model: str, question: str, *, seconds: float = 60) -> Answer:
        """Ask a model as OpenAI's clients do, with greedy decoding."""
        return self.client.ask(
            self.url(f"/inference/{model}/v1/chat/completions"), chat(model, question), seconds=seconds
        )

    def context(self, model: str) -> int:
        """The model's context in tokens, as its engine says it when it refuses a prompt; 0 where it does not answer."""
        long = {"model": model, "prompt": [5] * 5000, "max_tokens": 1}
        answer = self.client.ask(self.url(f"/inference/{model}/v1/completions"), long)
        found = re.search(r"maximum context length is (\d+) tokens", answer.body)
        return int(found[1]) if found else 0


def chat(model: str, question: str) -> dict[str, Any]:
    """The body of a chat completion, answered the same every time."""
    return {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 64, "temperature": 0}


def ask_without_end(release: Release, model: str) -> tuple[str, dict[str, Any]]:
    """Where a load asks, and what."""
    return release.url(f"/inference/{model}/v1/chat/completions"), chat(model, "Say hello.")
