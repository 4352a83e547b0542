"""Why a pod does not run, in a sentence: of the scheduler's words and the states of containers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from generator.cluster.pods import pull_error
from generator.documents.merge import JsonObject
from generator.ray_messages import root_cause

_UNSCHEDULABLE = re.compile(r"^\d+/(\d+) nodes are available: (.*?)\.?(?: (?:preemption|no new claims).*)?$", re.DOTALL)


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
    match = _UNSCHEDULABLE.match(message.strip())
    if not match:
        return f"no node takes it: {message.strip()}" if message else "no node has been chosen yet"
    # Taints hold commas of their own in braces only.
    parts = [part.strip() for part in re.split(r", (?=\d)", match[2])]
    return f"no node takes it: {', '.join(_scheduler_words(part, match[1], spec) for part in parts)}"


def _scheduler_words(part: str, nodes: str, spec: Mapping[str, Any]) -> str:
    number, _, what = part.partition(" ")
    single, who = number == "1", f"{number} of {nodes}"
    if what.startswith("Insufficient "):
        return f"{who} {'has' if single else 'have'} too little {what.removeprefix('Insufficient ')} free"
    if what.startswith("Too many pods"):
        return f"{who} {'has' if single else 'have'} as many pods as a node may"
    if "node affinity" in what or "node selector" in what or "nodeSelector" in what:
        selector = ", ".join(f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items())
        return (
            f"{who} {'does' if single else 'do'} not match {f'nodeSelector {selector}' if selector else 'its affinity'}"
        )
    taint = re.search(r"untolerated taint(?:\(s\)| \{(.*)\})", what)
    if taint:
        named = f"the taint {taint[1].replace(': ', '=').rstrip('=')}" if taint[1] else "a taint"
        return f"{who} {'has' if single else 'have'} {named}, which it does not tolerate"
    if "unschedulable" in what:
        return f"{who} {'is' if single else 'are'} cordoned"
    return part.removesuffix(".")


def _states(status: Mapping[str, Any], spec: Mapping[str, Any]) -> Sequence[tuple[str, Mapping[str, Any], Any]]:
    """Each container with its state and its limits, init containers first."""
    limits = {
        container["name"]: (container.get("resources") or {}).get("limits") or {}
        for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    }
    return [
        (container["name"], container, limits.get(container["name"], {}))
        for field in ("initContainerStatuses", "containerStatuses")
        for container in status.get(field) or []
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
    message = (terminated.get("message") or "").strip()
    cause = f": {root_cause(message)}" if message else ""
    return f"ended with code {terminated.get('exitCode')}{cause}"
