"""The objects of a release on a live cluster: found by its name, read for `release_status`."""

from __future__ import annotations

from contextlib import suppress

from generator.cluster.api import ApiFault, Cluster, api_path
from generator.cluster.status.replicas import Counts, replica_counts
from generator.cluster.status.status import Observed
from generator.documents.merge import JsonObject
from generator.errors import UserError, did_you_mean
from generator.program import program

RAY = "ray.io/v1"
METRICS_PORT = 8080
"""Where a Ray pod gives metrics, by KubeRay's default and the chart's."""
METRICS_S = 3.0


def find_release(cluster: Cluster, release: str, namespace: str | None) -> tuple[str, str]:
    """Namespace and name of the release's RayService. Raises UserError when there is none, or several."""
    where = f"namespace {namespace}" if namespace else "any namespace"
    try:
        services = _services(cluster, namespace)
    except ApiFault as fault:
        if fault.status == 404:
            raise UserError(
                "the cluster has no KubeRay", where=cluster.address, fix=f"See: {program()} preflight"
            ) from None
        if fault.status != 403 or namespace:
            raise UserError(fault.message, where=cluster.address, fix="Ask for a role that lets you.") from None
        namespace = cluster.namespace
        return find_release(cluster, release, namespace)
    matching = [service for service in services if release in (_release(service), service["metadata"]["name"])]
    places = [(service["metadata"]["namespace"], service["metadata"]["name"]) for service in matching]
    if len(places) == 1:
        return places[0]
    if not places:
        if jobs := _prefetches(cluster, release, namespace or ""):
            raise UserError(_fetched(jobs[0]), where=where, fix=_follow(jobs[0]))
        names = sorted({_release(service) for service in services})
        raise UserError(
            f"no release '{release}'", where=where, fix=did_you_mean(release, names) or "There is none at all."
        )
    raise UserError(
        f"'{release}' is in {', '.join(f'{space} ({name})' for space, name in places)}",
        fix="Choose one with --namespace.",
    )


def observe(cluster: Cluster, namespace: str, name: str) -> Observed:
    """Read everything once. Raises UserError when the RayService is gone or may not be read."""
    try:
        service = cluster.get(api_path(RAY, "rayservices", name, namespace=namespace))
        labels = f"ray.io/originated-from-cr-name={name},ray.io/originated-from-crd=RayService"
        listed = cluster.items(api_path(RAY, "rayclusters", namespace=namespace), labelSelector=labels)
        clusters = {each["metadata"]["name"]: each for each in listed}
        names = ",".join(clusters)
        path = api_path("v1", "pods", namespace=namespace)
        pods = cluster.items(path, labelSelector=f"ray.io/cluster in ({names})") if names else []
    except ApiFault as fault:
        gone = fault.status == 404
        raise UserError(
            f"the RayService {name} is gone" if gone else fault.message,
            where=f"namespace {namespace}",
            fix="helm list shows the releases." if gone else "Ask for a role that lets you read it.",
        ) from None
    events: list[JsonObject] = []
    with suppress(ApiFault):
        events = cluster.items(
            api_path("v1", "events", namespace=namespace),
            fieldSelector=f"involvedObject.kind=RayService,involvedObject.name={name}",
        )
    jobs = _prefetches(cluster, _release(service), namespace)
    return Observed(
        service=service,
        clusters=clusters,
        pods=pods,
        events=events,
        replicas=_replicas(cluster, pods),
        downloads=[f"{_fetched(job)}. {_follow(job)}" for job in jobs],
    )


def _prefetches(cluster: Cluster, release: str, namespace: str) -> list[JsonObject]:
    """The chart's hook that downloads models, while it is there; nothing where jobs may not be read."""
    with suppress(ApiFault):
        labels = f"app.kubernetes.io/part-of=ray-serve-llm,app.kubernetes.io/instance={release}"
        jobs = cluster.items(api_path("batch/v1", "jobs", namespace=namespace), labelSelector=labels)
        return [job for job in jobs if job["metadata"]["name"].endswith("-prefetch") and not _ended(job, "Complete")]
    return []


def _ended(job: JsonObject, condition: str) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def _fetched(job: JsonObject) -> str:
    if _ended(job, "Failed"):
        return "its models could not be downloaded, and helm changes nothing before they are"
    failed = (job.get("status") or {}).get("failed") or 0
    attempts = f" (failed attempts so far: {failed})" if failed else ""
    return f"its models are downloaded first{attempts}, and helm changes nothing before"


def _follow(job: JsonObject) -> str:
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    return f"See it with: kubectl logs --namespace {namespace} --follow job/{name}"


def _replicas(cluster: Cluster, pods: list[JsonObject]) -> dict[str, Counts]:
    """Of the metrics of each head that runs, through the API server; nothing where that is closed."""
    counts = {}
    for pod in pods:
        metadata = pod["metadata"]
        running = pod["status"].get("phase") == "Running" and not metadata.get("deletionTimestamp")
        if running and metadata["labels"].get("ray.io/node-type") == "head":
            path = api_path("v1", "pods", f"{metadata['name']}:{METRICS_PORT}", namespace=metadata["namespace"])
            with suppress(ApiFault, UserError):
                text = cluster.text(f"{path}/proxy/metrics", seconds=METRICS_S)
                counts[metadata["labels"]["ray.io/cluster"]] = replica_counts(text)
    return counts


def _services(cluster: Cluster, namespace: str | None) -> list[JsonObject]:
    return cluster.items(api_path(RAY, "rayservices", namespace=namespace or ""))


def _release(service: JsonObject) -> str:
    metadata = service["metadata"]
    return str((metadata.get("labels") or {}).get("app.kubernetes.io/instance") or metadata["name"])
