"""What a release serves now, and why what it does not: read of its RayService, RayClusters, pods and events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from generator.cluster.status.reasons import PodReason, pod_reason
from generator.cluster.status.replicas import Counts
from generator.documents.load import load_text
from generator.documents.merge import JsonObject
from generator.errors import UserError
from generator.ray_messages import root_cause

if TYPE_CHECKING:
    from generator.formats.output import Role, State

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
    message: str


@dataclass(frozen=True, kw_only=True)
class ApplicationStatus:
    name: str
    route: str
    status: str
    """Ray's own word; empty where KubeRay does not ask Ray: on the earlier cluster during an update."""
    state: State
    message: str
    deployments: list[DeploymentStatus]


@dataclass(frozen=True, kw_only=True)
class PodStatus:
    name: str
    phase: str
    ready: bool
    reason: PodReason | None

    @property
    def message(self) -> str:
        return self.reason.text if self.reason else ""

    @property
    def has_failed(self) -> bool:
        return self.reason is not None and self.reason.is_failure


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
    role: Role
    applications: list[ApplicationStatus]
    groups: list[GroupStatus]


class Note(NamedTuple):
    """What KubeRay says of a RayService, or what an upgrade waits for."""

    message: str
    reason: str = ""
    """KubeRay's own word for it."""

    @property
    def is_refusal(self) -> bool:
        """Whether KubeRay takes the RayService as wrong (`InvalidRayServiceSpec`, `ValidationFailed`)."""
        return self.reason.startswith(("Invalid", "ValidationFailed"))

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.reason else self.message


@dataclass(frozen=True, kw_only=True)
class ReleaseStatus:
    release: str
    namespace: str
    ready: bool
    """Whether requests are taken at all, by KubeRay."""
    clusters: list[ClusterStatus]
    notes: list[Note]
    """What KubeRay says of the RayService (it is refused, or something failed), and what an upgrade waits for."""

    @property
    def active(self) -> ClusterStatus | None:
        return next((cluster for cluster in self.clusters if cluster.role == "Active"), None)

    @property
    def pending(self) -> ClusterStatus | None:
        return next((cluster for cluster in self.clusters if cluster.role == "Pending"), None)

    @property
    def all_ready(self) -> bool:
        """Whether every application serves, and no update of it has failed."""
        active, pending = self.active, self.pending
        return (
            self.ready
            and active is not None
            and all(application.state in ("Ready", "ScaledToZero") for application in active.applications)
            and (pending is None or all(application.state != "Failed" for application in pending.applications))
        )


def release_status(observed: Observed, release: str) -> ReleaseStatus:
    metadata, status = observed.service["metadata"], observed.service.get("status") or {}
    wanted = _wanted_applications(observed.service)
    clusters = []
    active = (status.get("activeServiceStatus") or {}).get("rayClusterName")
    pending = (status.get("pendingServiceStatus") or {}).get("rayClusterName")
    if active:
        clusters.append(_cluster(active, "Active", status["activeServiceStatus"], wanted, observed))
    if pending and pending != active:
        clusters.append(_cluster(pending, "Pending", status["pendingServiceStatus"], wanted, observed))
    clusters += [
        _cluster(name, "Terminating", {}, {}, observed) for name in observed.clusters if name not in (active, pending)
    ]
    return ReleaseStatus(
        release=release,
        namespace=metadata["namespace"],
        ready=_condition(status, "Ready").get("status") == "True" or status.get("serviceStatus") == "Running",
        clusters=clusters,
        notes=[*_notes(observed.service, observed.events), *map(Note, observed.downloads)],
    )


def _cluster(
    name: str,
    role: Role,
    status: JsonObject,
    wanted: Mapping[str, str],
    observed: Observed,
) -> ClusterStatus:
    reported = status.get("applicationStatuses") or {}
    counts = observed.replicas.get(name, {})
    pods = [pod for pod in observed.pods if (pod["metadata"].get("labels") or {}).get("ray.io/cluster") == name]
    if role == "Active" and not reported and _is_updated(observed.service):
        # During an update KubeRay looks at the new cluster only, and takes back what it said of the earlier one.
        applications = [_unseen_application(app, wanted.get(app, ""), counts[app]) for app in counts]
    else:
        applications = [
            _application(app, wanted.get(app, ""), reported.get(app) or {}, counts.get(app) or {})
            for app in dict.fromkeys([*wanted, *reported])
        ]
    return ClusterStatus(
        name=name,
        role=role,
        applications=applications,
        groups=list(_groups(observed.clusters.get(name), pods)),
    )


def _application(
    name: str, route: str, reported: JsonObject, counts: Mapping[str, tuple[int, int]]
) -> ApplicationStatus:
    status = reported.get("status") or "NOT_STARTED"
    deployments = [
        _deployment(deployment, details, counts.get(deployment))
        for deployment, details in (reported.get("serveDeploymentStatuses") or {}).items()
    ]
    state: State = "Ready" if status == "RUNNING" else "Failed" if status in _FAILED else "Pending"
    models = [
        deployment
        for deployment in deployments
        if deployment.wanted is not None and deployment.name.startswith("LLMServer")
    ]
    if state == "Ready" and models and all(deployment.state == "ScaledToZero" for deployment in models):
        state = "ScaledToZero"
    # What its deployments say is the cause; the application only repeats that they failed.
    broken = [
        deployment.message
        for deployment in deployments
        if deployment.message and deployment.state in ("Failed", "Pending")
    ]
    message = (
        "" if state in ("Ready", "ScaledToZero") else broken[0] if broken else root_cause(reported.get("message") or "")
    )
    if any(deployment.state == "Failed" for deployment in deployments) and state == "Pending":
        state = "Failed"
    return ApplicationStatus(
        name=name, route=route, status=status, state=state, message=message, deployments=deployments
    )


def _unseen_application(name: str, route: str, counts: Mapping[str, tuple[int, int]]) -> ApplicationStatus:
    """What an application's replicas alone say of it."""
    deployments = []
    for deployment, (running, wanted) in counts.items():
        state: State = "Ready" if running else "Pending" if wanted else "ScaledToZero"
        deployments.append(
            DeploymentStatus(name=deployment, status="", state=state, running=running, wanted=wanted, message="")
        )
    states = [deployment.state for deployment in deployments]
    models = [deployment.state for deployment in deployments if deployment.name.startswith("LLMServer")]
    whole: State = (
        "Pending" if "Pending" in states else "ScaledToZero" if models and set(models) == {"ScaledToZero"} else "Ready"
    )
    return ApplicationStatus(name=name, route=route, status="", state=whole, message="", deployments=deployments)


def _is_updated(service: JsonObject) -> bool:
    return bool(((service.get("status") or {}).get("pendingServiceStatus") or {}).get("rayClusterName"))


def _deployment(name: str, reported: JsonObject, counts: tuple[int, int] | None) -> DeploymentStatus:
    status = reported.get("status") or "UPDATING"
    running, wanted = counts if counts else (None, None)
    stated = reported.get("message") or ""
    state: State = "Ready" if status == "HEALTHY" else "Failed" if status in _FAILED else "Pending"
    # While Ray tries again, the status still says UPDATING.
    if state == "Pending" and "Error" in stated:
        state = "Failed"
    if state == "Ready" and wanted == 0 and running == 0:
        state = "ScaledToZero"
    message = root_cause(stated) if state in ("Failed", "Pending") else ""
    return DeploymentStatus(name=name, status=status, state=state, running=running, wanted=wanted, message=message)


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
        broken = any(pod.has_failed for pod in mine)
        started = sum(pod.phase == "Running" for pod in mine)
        state: State = "Failed" if broken else "Ready" if started >= wanted.get(name, 0) else "Pending"
        yield GroupStatus(name=name, wanted=wanted.get(name, len(mine)), ready=ready, state=state, pods=mine)


def _pod(pod: JsonObject) -> PodStatus:
    status = pod.get("status") or {}
    is_terminating = pod["metadata"].get("deletionTimestamp")
    return PodStatus(
        name=pod["metadata"]["name"],
        phase="Terminating" if is_terminating else status.get("phase", "Pending"),
        ready=_condition(status, "Ready").get("status") == "True",
        reason=None if is_terminating else pod_reason(pod),
    )


def _notes(service: JsonObject, events: Sequence[JsonObject]) -> Iterator[Note]:
    status = service.get("status") or {}
    if service["metadata"].get("deletionTimestamp"):
        yield Note("the RayService is being deleted")
    if not status:
        yield Note("KubeRay has not looked at it yet: check that its operator runs and watches this namespace")
    ready = _condition(status, "Ready")
    if ready.get("status") == "False" and ready.get("message") and ready.get("reason") != "Initializing":
        yield Note(root_cause(ready["message"]), ready["reason"])
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
        cause = root_cause(message.rpartition(" err: ")[2])
        yield Note(cause + (f" ({times} times)" if times > 1 else ""), reason)


def _time(event: JsonObject) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((condition for condition in status.get("conditions") or [] if condition["type"] == kind), {})


def _wanted_applications(service: JsonObject) -> dict[str, str]:
    """The applications of serveConfigV2 with their route prefixes; none where its text is not what Ray reads.

    The API server takes any text for it, and KubeRay says what is wrong with it.
    """
    try:
        config = load_text(service["spec"].get("serveConfigV2") or "{}", "serveConfigV2")
        applications = config.get("applications") or []
        return {str(each["name"]): str(each.get("route_prefix") or "/") for each in applications}
    except (UserError, AttributeError, LookupError, TypeError):
        return {}
