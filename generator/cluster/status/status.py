"""What a release serves now, and why what it does not: read of its RayService, RayClusters, pods and events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from generator.cluster.status.reasons import is_failure, pod_reason, root_cause
from generator.cluster.status.replicas import Counts
from generator.documents.load import SAFE_LOADER
from generator.documents.merge import JsonObject

State = Literal["ok", "asleep", "waits", "fails"]
"""`asleep`: at zero replicas, and well; the first request wakes it. `waits`: on its way. `fails`: needs someone."""
_FAILED = ("DEPLOY_FAILED", "UNHEALTHY")


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The objects of a release as the API server has them."""

    service: JsonObject
    clusters: Mapping[str, JsonObject]
    """RayClusters by name; one that is gone is missing."""
    pods: Sequence[JsonObject]
    events: Sequence[JsonObject]
    """Of the RayService."""
    replicas: Mapping[str, Counts] = field(default_factory=dict)
    """By RayCluster, where Ray's metrics could be read."""
    downloads: Sequence[str] = ()
    """What is to be said of models that an upgrade downloads before it changes anything."""


@dataclass(frozen=True, kw_only=True)
class DeploymentStatus:
    name: str
    status: str
    """Ray's own word."""
    state: State
    running: int | None
    wanted: int | None
    why: str


@dataclass(frozen=True, kw_only=True)
class ApplicationStatus:
    name: str
    route: str
    status: str
    """Ray's own word; empty where KubeRay does not ask Ray: on the earlier cluster during an update."""
    state: State
    why: str
    deployments: list[DeploymentStatus]


@dataclass(frozen=True, kw_only=True)
class PodStatus:
    name: str
    phase: str
    ready: bool
    why: str


@dataclass(frozen=True, kw_only=True)
class GroupStatus:
    name: str
    wanted: int
    ready: int
    state: State
    pods: list[PodStatus]


@dataclass(frozen=True, kw_only=True)
class ClusterStatus:
    name: str
    role: Literal["serves", "comes", "goes"]
    """`comes`: the successor of an update, or the first one."""
    applications: list[ApplicationStatus]
    groups: list[GroupStatus]


@dataclass(frozen=True, kw_only=True)
class ReleaseStatus:
    release: str
    namespace: str
    ready: bool
    """Whether requests are taken at all, by KubeRay."""
    clusters: list[ClusterStatus]
    notes: list[str]
    """What KubeRay says of the RayService (it is refused, or something failed), and what an upgrade waits for."""

    @property
    def serving(self) -> ClusterStatus | None:
        return next((cluster for cluster in self.clusters if cluster.role == "serves"), None)

    @property
    def coming(self) -> ClusterStatus | None:
        return next((cluster for cluster in self.clusters if cluster.role == "comes"), None)

    @property
    def all_serve(self) -> bool:
        """Whether every application serves, and no update of it has failed."""
        serving, coming = self.serving, self.coming
        return (
            self.ready
            and serving is not None
            and all(application.state in ("ok", "asleep") for application in serving.applications)
            and (coming is None or all(application.state != "fails" for application in coming.applications))
        )


def release_status(observed: Observed, release: str) -> ReleaseStatus:
    metadata, status = observed.service["metadata"], observed.service.get("status") or {}
    wanted = _wanted_applications(observed.service)
    clusters = []
    active = (status.get("activeServiceStatus") or {}).get("rayClusterName")
    pending = (status.get("pendingServiceStatus") or {}).get("rayClusterName")
    if active:
        clusters.append(_cluster(active, "serves", status["activeServiceStatus"], wanted, observed))
    if pending and pending != active:
        clusters.append(_cluster(pending, "comes", status["pendingServiceStatus"], wanted, observed))
    clusters += [
        _cluster(name, "goes", {}, {}, observed) for name in observed.clusters if name not in (active, pending)
    ]
    return ReleaseStatus(
        release=release,
        namespace=metadata["namespace"],
        ready=_condition(status, "Ready").get("status") == "True" or status.get("serviceStatus") == "Running",
        clusters=clusters,
        notes=[*_notes(observed.service, observed.events), *observed.downloads],
    )


def _cluster(
    name: str,
    role: Literal["serves", "comes", "goes"],
    status: JsonObject,
    wanted: Mapping[str, str],
    observed: Observed,
) -> ClusterStatus:
    said = status.get("applicationStatuses") or {}
    counts = observed.replicas.get(name, {})
    pods = [pod for pod in observed.pods if (pod["metadata"].get("labels") or {}).get("ray.io/cluster") == name]
    if role == "serves" and not said and _is_updated(observed.service):
        # During an update KubeRay looks at the new cluster only, and takes back what it said of the earlier one.
        applications = [_unseen_application(app, wanted.get(app, ""), counts[app]) for app in counts]
    else:
        applications = [
            _application(app, wanted.get(app, ""), said.get(app) or {}, counts.get(app) or {})
            for app in dict.fromkeys([*wanted, *said])
        ]
    return ClusterStatus(
        name=name,
        role=role,
        applications=applications,
        groups=list(_groups(observed.clusters.get(name), pods)),
    )


def _application(name: str, route: str, said: JsonObject, counts: Mapping[str, tuple[int, int]]) -> ApplicationStatus:
    status = said.get("status") or "NOT_STARTED"
    deployments = [
        _deployment(deployment, details, counts.get(deployment))
        for deployment, details in (said.get("serveDeploymentStatuses") or {}).items()
    ]
    state: State = "ok" if status == "RUNNING" else "fails" if status in _FAILED else "waits"
    models = [one for one in deployments if one.wanted is not None and one.name.startswith("LLMServer")]
    if state == "ok" and models and all(one.state == "asleep" for one in models):
        state = "asleep"
    # What its deployments say is the cause; the application only repeats that they failed.
    broken = [one.why for one in deployments if one.why and one.state in ("fails", "waits")]
    why = "" if state in ("ok", "asleep") else broken[0] if broken else root_cause(said.get("message") or "")
    if any(one.state == "fails" for one in deployments) and state == "waits":
        state = "fails"
    return ApplicationStatus(name=name, route=route, status=status, state=state, why=why, deployments=deployments)


def _unseen_application(name: str, route: str, counts: Mapping[str, tuple[int, int]]) -> ApplicationStatus:
    """What an application's replicas alone say of it."""
    deployments = []
    for deployment, (running, wanted) in counts.items():
        state: State = "ok" if running else "waits" if wanted else "asleep"
        deployments.append(
            DeploymentStatus(name=deployment, status="", state=state, running=running, wanted=wanted, why="")
        )
    states = [one.state for one in deployments]
    models = [one.state for one in deployments if one.name.startswith("LLMServer")]
    whole: State = "waits" if "waits" in states else "asleep" if models and set(models) == {"asleep"} else "ok"
    return ApplicationStatus(name=name, route=route, status="", state=whole, why="", deployments=deployments)


def _is_updated(service: JsonObject) -> bool:
    return bool(((service.get("status") or {}).get("pendingServiceStatus") or {}).get("rayClusterName"))


def _deployment(name: str, said: JsonObject, counts: tuple[int, int] | None) -> DeploymentStatus:
    status = said.get("status") or "UPDATING"
    running, wanted = counts if counts else (None, None)
    message = said.get("message") or ""
    state: State = "ok" if status == "HEALTHY" else "fails" if status in _FAILED else "waits"
    # While Ray tries again, the status still says UPDATING.
    if state == "waits" and "Error" in message:
        state = "fails"
    if state == "ok" and wanted == 0 and running == 0:
        state = "asleep"
    why = root_cause(message) if state in ("fails", "waits") else ""
    return DeploymentStatus(name=name, status=status, state=state, running=running, wanted=wanted, why=why)


def _groups(cluster: JsonObject | None, pods: Sequence[JsonObject]) -> Iterator[GroupStatus]:
    by_group: dict[str, list[JsonObject]] = {}
    for pod in pods:
        labels = pod["metadata"]["labels"]
        group = "head" if labels.get("ray.io/node-type") == "head" else labels.get("ray.io/group", "")
        by_group.setdefault(group, []).append(pod)
    spec = (cluster or {}).get("spec") or {}
    wanted = {"head": 1} if cluster else {}
    wanted |= {group["groupName"]: group.get("replicas") or 0 for group in spec.get("workerGroupSpecs") or []}
    for name in dict.fromkeys([*wanted, *by_group]):
        mine = [_pod(pod) for pod in by_group.get(name, [])]
        ready = sum(pod.ready for pod in mine)
        # A worker is Ready only while a Serve replica runs on it, so one that merely is not has nothing wrong.
        broken = any(is_failure(pod.why) for pod in mine)
        started = sum(pod.phase == "Running" for pod in mine)
        state: State = "fails" if broken else "ok" if started >= wanted.get(name, 0) else "waits"
        yield GroupStatus(name=name, wanted=wanted.get(name, len(mine)), ready=ready, state=state, pods=mine)


def _pod(pod: JsonObject) -> PodStatus:
    status = pod.get("status") or {}
    going = pod["metadata"].get("deletionTimestamp")
    return PodStatus(
        name=pod["metadata"]["name"],
        phase="Terminating" if going else status.get("phase", "Pending"),
        ready=_condition(status, "Ready").get("status") == "True",
        why="" if going else pod_reason(pod),
    )


def _notes(service: JsonObject, events: Sequence[JsonObject]) -> Iterator[str]:
    status = service.get("status") or {}
    if service["metadata"].get("deletionTimestamp"):
        yield "the RayService is being deleted"
    if not status:
        yield "KubeRay has not looked at it yet: see that its operator runs and watches this namespace"
    ready = _condition(status, "Ready")
    if ready.get("status") == "False" and ready.get("message") and ready.get("reason") != "Initializing":
        yield f"{ready['reason']}: {root_cause(ready['message'])}"
    # What KubeRay failed to do and has done since is over.
    recent: dict[str, JsonObject] = {}
    for event in sorted(events, key=_time):
        if _time(event) >= (service["metadata"].get("creationTimestamp") or ""):
            recent[event.get("reason", "")] = event
    for reason, event in recent.items():
        done = recent.get(re.sub(r"^FailedTo(Create|Update|Delete)", r"\1d", reason))
        if event.get("type") != "Warning" or (done and done is not event and _time(done) >= _time(event)):
            continue
        times = event.get("count") or (event.get("series") or {}).get("count") or 1
        message = event.get("message", "")
        said = f"{reason}: {root_cause(message.rpartition(' err: ')[2])}"
        yield said + (f" ({times} times)" if times > 1 else "")


def _time(event: JsonObject) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((one for one in status.get("conditions") or [] if one["type"] == kind), {})


def _wanted_applications(service: JsonObject) -> dict[str, str]:
    """The applications of serveConfigV2 with their route prefixes."""
    try:
        config = yaml.load(service["spec"].get("serveConfigV2") or "{}", Loader=SAFE_LOADER) or {}
    except yaml.YAMLError:
        return {}
    return {one["name"]: one.get("route_prefix") or "/" for one in config.get("applications") or []}
