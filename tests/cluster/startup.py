"""Where the seconds of an installation go, by what Kubernetes, Ray Serve and vLLM say of themselves."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from kubernetes import client as kubernetes

from tests.cluster.client import execute
from tests.cluster.figures import note
from tests.cluster.release import Release

LOGS = "/tmp/ray/session_latest/logs"
_SPENT = re.compile(r"took ([\d.]+)s")
_ENGINE = {
    "Starting to load model": "imports, and the engine's processes",
    "Loading weights took": "weights loaded",
    "init engine (": "cache made, warmed up",
}
"""What vLLM logs when a phase ends."""


def note_startup(release: Release, model: str) -> None:
    """Keep the phases from `helm install` to the first answer as figures of the run. Asks the model once."""
    said = _controller(release)
    moments = {
        "head's pod scheduled, its container started": _started(release.pods("head")[0]),
        "Ray up, KubeRay hands over the configuration": _when(said, f"Deploying new app '{model}'"),
        "application imported and built": _when(said, f"Imported and built app '{model}'"),
        "worker's container started": _started(release.pod_of(model)),
        "worker joined, replica placed, its process started": _constructed(said, model),
        **_engine(release, model),
        "replica healthy": _when(said, f"deployment='LLMServer:{model}'", "started successfully"),
        "Service ready (RayService Ready)": _ready(release),
    }
    start = _time(release.rayservice()["metadata"]["creationTimestamp"])
    # The worker's container starts beside the head, so which comes first differs.
    found = sorted(((phase, moment) for phase, moment in moments.items() if moment), key=lambda each: each[1])
    for (_, before), (phase, end) in pairwise([("", start), *found]):
        note(f"start-up of {model}: {phase}", (end - before).total_seconds())
    for phase in moments.keys() - dict(found).keys():
        note(f"start-up of {model}: {phase}", "nothing that is logged says when")
    first, second = (_seconds_of_an_answer(release, model) for _ in range(2))
    note(f"start-up of {model}: its first answer, and the second", f"{first:.2f} s, {second:.2f} s")


def _controller(release: Release) -> list[dict[str, Any]]:
    """What Ray Serve's controller has logged."""
    (head,) = release.pods("head")
    printed = execute(head.metadata.name, release.namespace, "sh", "-c", f"cat {LOGS}/serve/controller_[0-9]*.log")
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def _line(said: list[dict[str, Any]], *words: str) -> dict[str, Any] | None:
    return next((line for line in said if all(word in line["message"] for word in words)), None)


def _when(said: list[dict[str, Any]], *words: str) -> datetime | None:
    found = _line(said, *words)
    return _logged(found) if found else None


def _logged(line: dict[str, Any]) -> datetime:
    return datetime.strptime(line["asctime"], "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC)


def _constructed(said: list[dict[str, Any]], model: str) -> datetime | None:
    """When the replica's own code began: Serve says when it was done and how long it took."""
    found = _line(said, f"deployment='LLMServer:{model}'", "started successfully")
    taken = _SPENT.search(found["message"]) if found else None
    return _logged(found) - timedelta(seconds=float(taken[1])) if found and taken else None


def _engine(release: Release, model: str) -> dict[str, datetime | None]:
    """Moments of the engine of the model's replica."""
    pod = release.pod_of(model).metadata.name
    printed = execute(pod, release.namespace, "sh", "-c", f"cat $(grep -l 'LLMServer:{model}' {LOGS}/worker-*.out)")
    found: dict[str, datetime | None] = {}
    for words, phase in _ENGINE.items():
        line = next((line for line in printed.splitlines() if words in line), "")
        time = re.search(r"(\d\d-\d\d \d\d:\d\d:\d\d)", line)
        year = datetime.now(UTC).year
        text = f"{year}-{time[1]}" if time else ""
        found[phase] = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if text else None
    return found


def _started(pod: kubernetes.V1Pod) -> datetime:
    """When Ray's container began."""
    return next(one.state.running.started_at for one in pod.status.container_statuses if one.name.startswith("ray-"))


def _ready(release: Release) -> datetime:
    (ready,) = (one for one in release.status()["conditions"] if one["type"] == "Ready")
    return _time(ready["lastTransitionTime"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _seconds_of_an_answer(release: Release, model: str) -> float:
    before = datetime.now(UTC)
    assert release.chat(model, "Say hello.").status == 200
    return (datetime.now(UTC) - before).total_seconds()
