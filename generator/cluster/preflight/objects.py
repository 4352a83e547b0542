"""What the API server itself says of a rendered release: your rights, every object, and a pod of every group.

Objects are sent as the server's own dry runs, so Pod Security, quotas and KubeRay's fields are judged by who judges
them later. Nothing is changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from generator.chart import Manifest
from generator.cluster.api import ApiFault, Cluster, api_path
from generator.cluster.finding import Finding, fails, passes, warns
from generator.cluster.pods import PodGroup
from generator.cluster.preflight.edge import GATEWAY_API
from generator.cluster.preflight.kuberay import unknown_field_findings
from generator.cluster.preflight.monitoring import MONITORING
from generator.documents.merge import JsonObject

# Their own checks say that the cluster lacks them, and what to do: kuberay.py, edge.py and monitoring.py.
TOLD_ELSEWHERE = ("ray.io/v1", GATEWAY_API, MONITORING)
POD_SECURITY = "pod-security.kubernetes.io/enforce"


def rights_findings(cluster: Cluster, manifests: Sequence[Manifest], namespace: str) -> Iterator[Finding]:
    """Whether helm may make the release's objects, and the Secrets in which it keeps the release itself."""
    kinds = {(manifest["apiVersion"], manifest["kind"]) for manifest in manifests} | {("v1", "Secret")}
    denied: dict[str, list[str]] = {}
    for api_version, kind in sorted(kinds):
        plural, is_in_namespace = resource_of(cluster, api_version, kind)
        for verb in ("get", "create", "patch", "delete") if plural else ():
            review = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {
                    "resourceAttributes": {
                        "namespace": namespace if is_in_namespace else "",
                        "verb": verb,
                        "group": api_version.rpartition("/")[0],
                        "resource": plural,
                    }
                },
            }
            path = api_path("authorization.k8s.io/v1", "selfsubjectaccessreviews")
            if not cluster.create(path, review, dry_run=False).body["status"]["allowed"]:
                denied.setdefault(str(plural), []).append(verb)
    if denied:
        listed = "; ".join(f"{', '.join(verbs)} {plural}" for plural, verbs in denied.items())
        yield fails(
            "rights",
            f"you may not, in {namespace}: {listed}",
            "Ask for a role that lets you, or install as another user (--context).",
        )
    else:
        yield passes("rights", f"you may make, change and delete what helm installs in {namespace}")


def object_findings(
    cluster: Cluster, manifests: Sequence[Manifest], *, release: str, namespace: str
) -> Iterator[Finding]:
    """Every rendered object as a strict dry run, as a new one or over the one that is there."""
    accepted: Counter[str] = Counter()
    for manifest in manifests:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        plural, is_in_namespace = resource_of(cluster, manifest["apiVersion"], kind)
        if plural is None:
            if manifest["apiVersion"] not in TOLD_ELSEWHERE:
                yield fails("objects", f"the cluster does not know {manifest['apiVersion']} {kind}")
            continue
        listed = api_path(manifest["apiVersion"], plural, namespace=namespace if is_in_namespace else "")
        present = cluster.get_if_there(f"{listed}/{name}")
        owner = _owner(present)
        if present is not None and "helm.sh/hook" in (manifest["metadata"].get("annotations") or {}):
            continue  # of an earlier run: helm removes it, and makes its own
        if present is not None and owner != (release, namespace):
            whose = f"belongs to the Helm release {owner[0]} in {owner[1]}" if owner else "was not made by helm"
            yield fails(
                "objects",
                f"{kind} {name} is there already and {whose}, so helm refuses to install",
                "Choose another release name (--release), or remove that object.",
            )
            continue
        try:
            if present is None:
                answer = cluster.create(listed, manifest, dry_run=True)
            else:
                answer = cluster.apply_dry_run(f"{listed}/{name}", manifest)
        except ApiFault as fault:
            unknown = unknown_field_findings(fault.message)
            yield from unknown or [fails("objects", f"{kind} {name} is refused ({fault.status}): {fault.message}")]
            continue
        accepted[kind] += 1
        for text in answer.warnings:
            yield warns("objects", f"{kind} {name}: {text}")
    if accepted:
        counts = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in accepted.items())
        yield passes("objects", f"accepted as a dry run: {counts}")


def pod_findings(cluster: Cluster, groups: Sequence[PodGroup], namespace: str) -> Iterator[Finding]:
    """A pod of each group as a dry run: Pod Security, quotas, limits and classes answer for themselves."""
    path = api_path("v1", "pods", namespace=namespace)
    accepted = []
    for group in groups:
        try:
            answer = cluster.create(path, probe_pod(group), dry_run=True)
        except ApiFault as fault:
            if 'cannot create resource "pods"' in fault.message:
                yield warns("pods", "not checked, since you may not make pods; KubeRay will")
                return
            yield fails(
                "pods", f"a pod of {group.name} is refused ({fault.status}): {fault.message}", pod_fix(fault.message)
            )
            continue
        accepted.append(group.name)
        for text in answer.warnings:
            yield warns("pods", f"a pod of {group.name}: {text}")
    if accepted:
        yield passes("pods", f"accepted as a dry run, one each: {', '.join(accepted)}")


def probe_pod(group: PodGroup) -> JsonObject:
    """A pod as KubeRay would make it, but for the release's service account, which is not there yet."""
    spec = {key: value for key, value in group.spec.items() if key != "serviceAccountName"}
    # KubeRay says what a container runs; without it the pod would be refused for an image that says nothing itself.
    spec["containers"] = [{"command": ["true"], **container} for container in spec["containers"]]
    metadata = {"generateName": f"preflight-{group.name}-", "labels": dict(group.labels)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def pod_fix(message: str) -> str:
    """What to do about a refused pod, by the API server's words."""
    if "PodSecurity" in message:
        return (
            "Take out of the values what the level forbids (the message names it: hostPath, security contexts), or "
            f"choose another level for the namespace ({POD_SECURITY})."
        )
    if "exceeded quota" in message:
        return "Ask for a larger ResourceQuota, or serve less in this namespace."
    if "maximum" in message or "minimum" in message:
        return "The namespace's LimitRange bounds a container: change it, or the group's `resources`."
    if "PriorityClass" in message:
        return "Create the PriorityClass, or set priorityClassName to one of: kubectl get priorityclasses"
    if "RuntimeClass" in message:
        return "Create the RuntimeClass, or set runtimeClassName to one of: kubectl get runtimeclasses"
    return ""


def resource_of(cluster: Cluster, api_version: str, kind: str) -> tuple[str | None, bool]:
    """The kind's name in paths, None where the cluster does not know it, and whether its objects are in namespaces."""
    listed = cluster.get_if_there(("/apis/" if "/" in api_version else "/api/") + api_version)
    resources = (listed or {}).get("resources") or []
    of_kind = (each for each in resources if each["kind"] == kind and "/" not in each["name"])
    return next(((each["name"], bool(each.get("namespaced", True))) for each in of_kind), (None, True))


def _owner(present: JsonObject | None) -> tuple[str, str] | None:
    annotations = ((present or {}).get("metadata") or {}).get("annotations") or {}
    release = annotations.get("meta.helm.sh/release-name")
    return (release, annotations.get("meta.helm.sh/release-namespace", "")) if release else None
