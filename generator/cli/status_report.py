"""A release's status in words for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from generator.cluster.status.status import (
    ApplicationStatus,
    ClusterStatus,
    DeploymentStatus,
    GroupStatus,
    PodStatus,
    ReleaseStatus,
)
from generator.program import program

if TYPE_CHECKING:
    from generator.formats.output import ClusterOutput, Role, State, StatusOutput

Style = dict[str, Any]

_COLORS: dict[State, str] = {"Ready": "green", "ScaledToZero": "cyan", "Pending": "yellow", "Failed": "red"}
_WORDS = {
    "RUNNING": "serves",
    "DEPLOYING": "is being deployed",
    "DEPLOY_FAILED": "could not be deployed",
    "UNHEALTHY": "is unhealthy",
    "NOT_STARTED": "is not deployed yet",
    "DELETING": "is being removed",
}
_ROLES: dict[Role, str] = {
    "Active": "is active",
    "Pending": "is pending",
    "Terminating": "is terminating: an earlier one, kept for requests under way",
}


def status_lines(status: ReleaseStatus) -> Iterator[tuple[str, Style]]:
    """Lines with their click style."""
    title = f"{status.release} in namespace {status.namespace}: {summary(status)}"
    yield title, {"bold": True, "fg": _COLORS["Ready" if status.all_ready else _worst(status)]}
    for note in status.notes:
        yield f"  KubeRay: {note}", {"fg": "yellow"}
    for cluster in status.clusters:
        yield f"  cluster {cluster.name} {_ROLES[cluster.role]}", {"bold": True}
        width = max((len(application.name) for application in cluster.applications), default=0)
        for application in cluster.applications:
            yield from _application_lines(application, cluster, width)
        width = max((len(group.name) for group in cluster.groups), default=0)
        for group in cluster.groups:
            yield from _group_lines(group, width)
    yield f"next: {next_step(status)}", {}


def summary(status: ReleaseStatus) -> str:
    """`2 of 3 applications serve`, with what is under way."""
    active, pending = status.active, status.pending
    if active is None:
        shown = pending.applications if pending else []
        run = sum(application.status == "RUNNING" for application in shown)
        failing = sum(application.state == "Failed" for application in shown)
        text = f"nothing serves yet, {run} of {len(shown)} applications run"
        # KubeRay makes the Service when the first cluster is complete.
        return f"{text}; KubeRay waits for all, and {failing} cannot" if failing else text
    serve = sum(application.state in ("Ready", "ScaledToZero") for application in active.applications)
    text = f"{serve} of {len(active.applications)} applications serve" if active.applications else "the release serves"
    if not status.ready:
        text += ", but no pod takes requests"
    if pending:
        run = sum(application.status == "RUNNING" for application in pending.applications)
        text += f"; an update is under way, {run} of {len(pending.applications)} run on the new cluster"
    return text


def next_step(status: ReleaseStatus) -> str:
    """One sentence: what to do, or that there is nothing to do."""
    if any(note.is_refusal for note in status.notes):
        return "fix the values that KubeRay refuses, and helm upgrade"
    for cluster in status.clusters:
        if cluster.role != "Terminating" and (fix := _fix_of(cluster, status)):
            return fix
    if status.all_ready and status.pending is None:
        return "nothing to do"
    if not status.clusters:
        return f"check that the KubeRay operator runs: {program()} preflight"
    return "wait; --watch shows the progress"


def _fix_of(cluster: ClusterStatus, status: ReleaseStatus) -> str:
    """What to do about the first pod or application of a cluster that has failed; empty where none has."""
    namespace = status.namespace
    for pod in (pod for group in cluster.groups for pod in group.pods):
        if pod.has_failed:
            return f"fix what pod {pod.name} says; more: kubectl describe pod -n {namespace} {pod.name}"
    for application in cluster.applications:
        if application.state == "Failed":
            step = f"fix {application.name} or take it out, and helm upgrade"
            if cluster.role == "Pending":
                step += f"; until then {'the earlier cluster goes on serving' if status.active else 'none serves'}"
            return f"{step}; Ray's logs: kubectl logs -n {namespace} {_head(cluster)} -c ray-head"
    return ""


def status_json(status: ReleaseStatus) -> StatusOutput:
    return {
        "version": 1,
        "release": status.release,
        "namespace": status.namespace,
        "summary": summary(status),
        "all_ready": status.all_ready,
        "ready": status.ready,
        "notes": [{"reason": note.reason, "message": note.message} for note in status.notes],
        "clusters": [_cluster_json(cluster) for cluster in status.clusters],
        "next": next_step(status),
    }


def changes(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    """What is new between two `facts`, a line each."""
    for key, text in after.items():
        if before.get(key) != text:
            yield f"{key}: {text}"
    for key in before:
        if key not in after:
            yield f"{key}: is gone"


def facts(status: ReleaseStatus) -> dict[str, str]:
    """The status as single statements by what they are about, for those who watch."""
    statements = {status.release: summary(status)}
    for note in status.notes:
        statements[f"KubeRay: {note.reason or note.message}"] = note.message
    for cluster in status.clusters:
        for application in cluster.applications:
            statements[f"{cluster.name} / {application.name}"] = _application_text(application, cluster)
            for deployment in application.deployments:
                statements[f"{cluster.name} / {application.name} / {deployment.name}"] = _deployment_text(deployment)
        for group in cluster.groups:
            statements[f"{cluster.name} / {group.name}"] = _group_text(group)
            for pod in group.pods:
                statements[f"pod {pod.name}"] = _pod_text(pod)
    return statements


def _worst(status: ReleaseStatus) -> State:
    states = [a.state for c in status.clusters for a in c.applications]
    states += [g.state for c in status.clusters for g in c.groups]
    return "Failed" if "Failed" in states else "Pending"


def _application_lines(
    application: ApplicationStatus, cluster: ClusterStatus, width: int
) -> Iterator[tuple[str, Style]]:
    text = f"    {application.name.ljust(width)}  {_application_text(application, cluster)}"
    yield text.rstrip(), {"fg": _COLORS[application.state]}
    for deployment in application.deployments:
        style = {} if deployment.state in ("Ready", "ScaledToZero") else {"fg": _COLORS[deployment.state]}
        is_new = deployment.message != application.message
        yield f"      {deployment.name}  {_deployment_text(deployment, with_message=is_new)}", style


def _application_text(application: ApplicationStatus, cluster: ClusterStatus) -> str:
    if cluster.role == "Pending" and application.status == "RUNNING":
        return "runs, and serves when every application of this cluster does"
    if application.state == "ScaledToZero":
        return f"is asleep at {application.route}: the first request wakes it"
    if not application.status:
        text = "has the replicas it wants" if application.state == "Ready" else "waits for replicas"
        return f"{text} (during an update KubeRay says no more of it)"
    text = _WORDS.get(application.status, application.status)
    if application.state == "Failed" and application.status == "DEPLOYING":
        text = "is being deployed, and fails"
    text += f" at {application.route}" if application.status == "RUNNING" else ""
    return f"{text}: {application.message}" if application.message else text


def _deployment_text(deployment: DeploymentStatus, *, with_message: bool = True) -> str:
    parts = [deployment.status] if deployment.status else []
    if deployment.running is not None:
        of = "" if deployment.running == deployment.wanted else f" of {deployment.wanted}"
        parts.append(f"{deployment.running}{of} replica{'' if deployment.running == 1 and not of else 's'}")
    text = ", ".join(parts)
    return f"{text}: {deployment.message}" if deployment.message and with_message else text


def _group_lines(group: GroupStatus, width: int) -> Iterator[tuple[str, Style]]:
    style = {} if group.state == "Ready" else {"fg": _COLORS[group.state]}
    yield f"    {group.name.ljust(width)}  {_group_text(group)}", style
    for pod in group.pods:
        if pod.message or pod.phase not in ("Running", "Succeeded"):
            yield f"      {pod.name}  {_pod_text(pod)}", style


def _group_text(group: GroupStatus) -> str:
    running = len([pod for pod in group.pods if pod.phase == "Running"])
    if not group.wanted and not group.pods:
        return "no pods: none is needed now"
    return f"{running} of {group.wanted} pods run, {group.ready} ready"


def _pod_text(pod: PodStatus) -> str:
    return f"{pod.phase}{', ready' if pod.ready else ''}" + (f": {pod.message}" if pod.message else "")


def _head(cluster: ClusterStatus) -> str:
    return next((pod.name for group in cluster.groups if group.name == "head" for pod in group.pods), "<head pod>")


def _cluster_json(cluster: ClusterStatus) -> ClusterOutput:
    return {
        "name": cluster.name,
        "role": cluster.role,
        "applications": [
            {
                "name": application.name,
                "route": application.route,
                "status": application.status,
                "state": application.state,
                "message": application.message,
                "deployments": [
                    {
                        "name": deployment.name,
                        "status": deployment.status,
                        "state": deployment.state,
                        "replicas": deployment.running,
                        "desired_replicas": deployment.wanted,
                        "message": deployment.message,
                    }
                    for deployment in application.deployments
                ],
            }
            for application in cluster.applications
        ],
        "groups": [
            {
                "name": group.name,
                "state": group.state,
                "desired": group.wanted,
                "ready": group.ready,
                "pods": [
                    {"name": p.name, "phase": p.phase, "ready": p.ready, "message": p.message} for p in group.pods
                ],
            }
            for group in cluster.groups
        ],
    }
