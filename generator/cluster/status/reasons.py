"""Why something does not run, in a sentence: of Ray's messages, the scheduler's words, and the states of containers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from generator.cluster.pods import pull_error, shortened
from generator.documents.merge import JsonObject

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_EXCEPTION = re.compile(
    r"^(?:\(.*?\) )?((?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Exit|Interrupt|NotFound)\w*)(?:: (.*))?$"
)
# Exceptions that only say that another one, above them, ended it.
_WRAPPING = re.compile(
    r"Engine core initialization failed|Engine process failed|See root cause above|RayTaskError|RayActorError|"
    r"ActorDiedError|actor died|EngineDeadError|initial health check failing|WorkerProc initialization failed"
)
_SECRETS = re.compile(r"hf_[A-Za-z0-9]{8,}|(?<=Bearer )\S+|(?<=token=)[^\s&'\"]+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
_WAITING = re.compile(
    r"has (\d+) replicas? that ha(?:s|ve) taken more than \S+ to be scheduled.*?"
    r"Resources required for each replica: (.*?), total resources available: (\{.*?\})",
    re.DOTALL,
)
_STARTING = re.compile(r"has (\d+) replicas? that ha(?:s|ve) taken more than (\S+) to initialize")
_UNSCHEDULABLE = re.compile(r"^\d+/(\d+) nodes are available: (.*?)\.?(?: (?:preemption|no new claims).*)?$", re.DOTALL)


def root_cause(message: str) -> str:
    """The sentence of one of Ray's long messages that says what is wrong: the innermost exception of a traceback.

    Nothing that looks like a token or a password is kept.
    """
    text = _SECRETS.sub("***", _ANSI.sub("", message)).strip()
    waiting = _WAITING.search(text)
    if waiting:
        count = "a replica waits" if waiting[1] == "1" else f"{waiting[1]} replicas wait"
        return f"{count} for {_resources(waiting[2])}; free in the cluster: {_resources(waiting[3])}"
    starting = _STARTING.search(text)
    if starting:
        who = "a replica has" if starting[1] == "1" else f"{starting[1]} replicas have"
        return f"{who} been starting for more than {starting[2]}; a large model takes minutes"
    lines = [line.strip() for line in text.splitlines()]
    found = [(index, match) for index, line in enumerate(lines) if (match := _EXCEPTION.match(line))]
    causes = [(index, match) for index, match in found if not _WRAPPING.search(lines[index])]
    if not causes:
        return shortened(" ".join(line for line in lines if line and not line.startswith(("File ", "^", "Traceback"))))
    # Ray prints the first cause first and then the same again as each caller saw it; the last one is the caller's.
    index, match = causes[-1]
    said = match[2] or ""
    for line in lines[index + 1 : index + 4]:
        if not line or line.startswith(("File ", "Traceback", "During handling", "The above exception")):
            break
        said += f" {line}"
    return shortened(f"{match[1].rpartition('.')[2]}: {said.strip()}" if said.strip() else match[1])


class PodReason(NamedTuple):
    """Why a pod does not run or is not ready."""

    text: str
    is_failure: bool
    """Whether it is a fault, and not only a wait that ends by itself."""


def pod_reason(pod: JsonObject) -> PodReason | None:
    """None where nothing is wrong or nothing is known."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _failure(scheduler_reason(condition.get("message", ""), pod["spec"]))
    if status.get("phase") == "Failed":
        container = next((r.text for r in map(_container_reason, _states(status, pod["spec"])) if r), "")
        stated = ": ".join(text for text in (status.get("reason"), status.get("message")) if text)
        return _failure(stated or container or "it has failed")
    for name, state, limits in _states(status, pod["spec"]):
        reason = _container_reason((name, state, limits))
        if reason:
            return reason
    return None


def _failure(text: str) -> PodReason:
    return PodReason(text, is_failure=True)


def scheduler_reason(message: str, spec: Mapping[str, Any]) -> str:
    """`no node takes it: 1 of 4 has too little nvidia.com/gpu free, 3 of 4 do not match nodeSelector a=b`."""
    found = _UNSCHEDULABLE.match(message.strip())
    if not found:
        return f"no node takes it: {message.strip()}" if message else "no node has been chosen yet"
    # Taints hold commas of their own in braces only.
    parts = [part.strip() for part in re.split(r", (?=\d)", found[2])]
    return f"no node takes it: {', '.join(_scheduler_words(part, found[1], spec) for part in parts)}"


def _scheduler_words(part: str, nodes: str, spec: Mapping[str, Any]) -> str:
    number, _, what = part.partition(" ")
    one, who = number == "1", f"{number} of {nodes}"
    if what.startswith("Insufficient "):
        return f"{who} {'has' if one else 'have'} too little {what.removeprefix('Insufficient ')} free"
    if what.startswith("Too many pods"):
        return f"{who} {'has' if one else 'have'} as many pods as a node may"
    if "node affinity" in what or "node selector" in what or "nodeSelector" in what:
        selector = ", ".join(f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items())
        return f"{who} {'does' if one else 'do'} not match {f'nodeSelector {selector}' if selector else 'its affinity'}"
    taint = re.search(r"untolerated taint(?:\(s\)| \{(.*)\})", what)
    if taint:
        named = f"the taint {taint[1].replace(': ', '=').rstrip('=')}" if taint[1] else "a taint"
        return f"{who} {'has' if one else 'have'} {named}, which it does not tolerate"
    if "unschedulable" in what:
        return f"{who} {'is' if one else 'are'} cordoned"
    return part.removesuffix(".")


def _states(status: Mapping[str, Any], spec: Mapping[str, Any]) -> Sequence[tuple[str, Mapping[str, Any], Any]]:
    """Each container with its state and its limits, init containers first."""
    limits = {
        container["name"]: (container.get("resources") or {}).get("limits") or {}
        for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    }
    return [
        (one["name"], one, limits.get(one["name"], {}))
        for field in ("initContainerStatuses", "containerStatuses")
        for one in status.get(field) or []
    ]


_PULL_ERRORS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


def _container_reason(stated: tuple[str, Mapping[str, Any], Any]) -> PodReason | None:
    name, container, limits = stated
    state = container.get("state") or {}
    last = (container.get("lastState") or {}).get("terminated")
    ended = state.get("terminated")
    if ended and (ended.get("exitCode") or ended.get("reason") == "OOMKilled"):
        return _failure(f"container {name} {_ended(ended, limits)}")
    if (state.get("waiting") or {}).get("reason"):
        return _waiting_reason(name, container, limits)
    if name == "wait-gcs-ready" and "running" in state:
        return PodReason("waiting for the head's Ray to answer", is_failure=False)
    if last and not container.get("ready"):
        return _failure(f"container {name} {_ended(last, limits)} and was started again")
    return None


def _waiting_reason(name: str, container: Mapping[str, Any], limits: Any) -> PodReason | None:
    """What the state `waiting` of a container says."""
    waiting = container["state"]["waiting"]
    word, message = waiting["reason"], waiting.get("message", "")
    if word == "CrashLoopBackOff":
        last = (container.get("lastState") or {}).get("terminated")
        again = f"starts again and again ({container.get('restartCount', 0)} times)"
        return _failure(f"container {name} {again}" + (f": it {_ended(last, limits)}" if last else ""))
    if word in _PULL_ERRORS:
        return _failure(f"image {container.get('image')} cannot be pulled: {pull_error(message) or word}")
    if word == "CreateContainerConfigError":
        return _failure(f"container {name} cannot be made: {message or word}")
    if word == "PodInitializing":
        return None  # an init container that runs meanwhile says more
    if word == "ContainerCreating":
        return PodReason("starting: volumes are mounted or the image is pulled", is_failure=False)
    return _failure(f"container {name}: {word} {message}".strip())


def _ended(terminated: Mapping[str, Any], limits: Mapping[str, str]) -> str:
    if terminated.get("reason") == "OOMKilled":
        return f"was killed: its memory limit {limits.get('memory', '')} was exceeded".replace("  ", " ")
    said = (terminated.get("message") or "").strip()
    cause = f": {root_cause(said)}" if said else ""
    return f"ended with code {terminated.get('exitCode')}{cause}"


def _resources(text: str) -> str:
    """`{"CPU": 1.0, "l4-workers": 1.0}` as `1 CPU, 1 l4-workers`; `nothing` where it is empty."""
    pairs = re.findall(r"[\"']([^\"']+)[\"']: ([0-9.e+]+)", text)
    return ", ".join(f"{float(amount):g} {name}" for name, amount in pairs if float(amount)) or "nothing"
