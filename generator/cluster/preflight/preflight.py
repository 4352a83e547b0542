"""`preflight`: what an installation would meet on a live cluster, found out before it.

Nothing is changed; only `pull_seconds` makes pods, one for each image that nodes lack, and deletes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from generator.chart import Manifest, ray_service
from generator.cluster.api import ApiFault, Cluster, api_path
from generator.cluster.finding import Finding, fails, passes, warns
from generator.cluster.nodes import Node, of_others, read_node, used
from generator.cluster.pods import PodGroup, pod_groups
from generator.cluster.preflight.access import api_findings, operator_access_findings
from generator.cluster.preflight.devices import device_findings
from generator.cluster.preflight.edge import edge_findings
from generator.cluster.preflight.images import image_findings, images, pull_finding
from generator.cluster.preflight.kuberay import CRDS, crd_findings, operator_findings, operators
from generator.cluster.preflight.monitoring import KINDS, MONITORING, monitoring_findings
from generator.cluster.preflight.objects import (
    POD_SECURITY,
    object_findings,
    pod_findings,
    resource_of,
    rights_findings,
)
from generator.cluster.preflight.pools import Demand, pool_findings, update_findings
from generator.cluster.preflight.references import (
    claim_findings,
    key_findings,
    keys_in,
    redis_references,
    references,
    variable_findings,
)
from generator.cluster.preflight.upgrade import gate_findings, gateway_class, gateway_class_finding
from generator.documents.merge import JsonObject
from generator.plan.packing import bins_needed
from generator.plan.plan import Plan
from generator.plan.plans import Served
from generator.plan.upgrade import surge_percent, workers_at_once
from generator.program import program
from generator.progress import Report
from generator.project.project import Project
from generator.project.release import RELEASE, release_objects

AUTOSCALERS = ("cluster-autoscaler", "karpenter")


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What is to be installed where."""

    release: str
    namespace: str
    plan: Plan
    names: list[str]
    """Families and apps."""
    files: list[Path]
    manifests: list[Manifest]
    groups: list[PodGroup]
    outdated: list[Path] = field(default_factory=list)
    """Values files that are not what is generated now."""


def installation(
    project: Project,
    environment: str,
    names: Sequence[str],
    *,
    release: str | None,
    namespace: str | None,
    chart: str | None,
    report: Report,
) -> Installation:
    """Plan and render what `helm install` of these families and apps would; of all, where none is named.

    Raises UserError for what the plan, the schemas or helm refuse.
    """
    chosen = project.served(environment, names)
    catalog = project.catalog()
    plan = project.plan(environment, catalog)
    release = release or (names[0] if len(names) == 1 else RELEASE)
    namespace = namespace or plan.environment.namespace
    files = [project.values_path(environment, name) for name in chosen]
    rendered = release_objects(
        project, environment, chosen, release=release, namespace=namespace, chart=chart, report=report
    )
    # Helm makes these only for `helm test`.
    manifests = [manifest for manifest in rendered if "test" not in _hooks(manifest)]
    changed = project.values(plan, catalog).changed()
    return Installation(
        release=release,
        namespace=namespace,
        plan=plan,
        names=chosen,
        files=files,
        manifests=manifests,
        groups=pod_groups(manifests),
        outdated=[path for path in files if path in changed],
    )


def preflight(
    cluster: Cluster, wanted: Installation, *, pull_seconds: float | None, report: Callable[[str], None]
) -> Iterator[Finding]:
    """Every finding as soon as it is known. `pull_seconds`: try to pull each image, for as long."""
    yield from _tried("API server", lambda: _api_server(cluster))
    yield from _values(wanted)
    yield from _tried("KubeRay", lambda: _kuberay(cluster, wanted))
    yield from api_findings(wanted.manifests)
    yield from _tried("monitoring", lambda: _monitoring(cluster, wanted))
    exists, namespace = True, None
    try:
        namespace = cluster.get_if_there(api_path("v1", "namespaces", wanted.namespace))
    except ApiFault as fault:
        yield _refused("namespace", fault)
    else:
        exists = namespace is not None
        yield _namespace(namespace, wanted)
    yield from _tried("rights", lambda: rights_findings(cluster, wanted.manifests, wanted.namespace))
    if exists:
        objects = partial(
            object_findings, cluster, wanted.manifests, release=wanted.release, namespace=wanted.namespace
        )
        yield from _tried("objects", objects)
        yield from _tried("pods", lambda: pod_findings(cluster, wanted.groups, wanted.namespace))
        labels = _labels(namespace)
        yield from _tried("edge", lambda: edge_findings(cluster, wanted.manifests, wanted.namespace, labels))
    nodes: list[Node] = []
    try:
        nodes = [read_node(node) for node in cluster.items(api_path("v1", "nodes"))]
    except ApiFault as fault:
        yield _refused("pools", fault)
    else:
        yield from _tried("pools", lambda: _pools(cluster, wanted, nodes))
    if exists:
        yield from _tried("secrets", lambda: _references(cluster, wanted))
        yield from _tried("devices", lambda: _devices(cluster, wanted))
    seconds = pull_seconds if exists else None
    yield from _tried("images", lambda: _images(cluster, wanted, nodes, pull_seconds=seconds, report=report))


def _tried(subject: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check; what the API server refuses is one more."""
    try:
        yield from check()
    except ApiFault as fault:
        yield _refused(subject, fault)


def _refused(subject: str, fault: ApiFault) -> Finding:
    if fault.status == 403:
        return warns(subject, f"not checked, since you may not: {fault.message}")
    return fails(subject, f"the API server refuses ({fault.status}): {fault.message}")


def _api_server(cluster: Cluster) -> Iterator[Finding]:
    yield passes(
        "API server", f"Kubernetes {cluster.get('/version')['gitVersion'].removeprefix('v')} at {cluster.address}"
    )


def _values(wanted: Installation) -> Iterator[Finding]:
    for path in wanted.outdated:
        yield warns(
            "values",
            f"{path} is not what the catalog and the environment say now; what is there was checked",
            f"{program()} generate --environment {wanted.plan.environment_name}",
        )


def _kuberay(cluster: Cluster, wanted: Installation) -> Iterator[Finding]:
    crds = {
        name: cluster.get_if_there(api_path("apiextensions.k8s.io/v1", "customresourcedefinitions", name))
        for name in CRDS
    }
    yield from crd_findings(crds)
    deployments = cluster.items(api_path("apps/v1", "deployments"))
    yield from operator_findings(deployments, wanted.namespace)
    yield from operator_access_findings(wanted.manifests, operators(deployments))
    if name := gateway_class(wanted.manifests):
        yield from gate_findings(operators(deployments))
        found = cluster.get_if_there(api_path("gateway.networking.k8s.io/v1", "gatewayclasses", name))
        yield gateway_class_finding(name, found)


def _monitoring(cluster: Cluster, wanted: Installation) -> Iterator[Finding]:
    known = {kind: resource_of(cluster, MONITORING, kind)[0] is not None for kind in KINDS}
    yield from monitoring_findings(known, wanted.manifests)


def _namespace(namespace: JsonObject | None, wanted: Installation) -> Finding:
    if namespace is None:
        return fails(
            "namespace",
            f"{wanted.namespace} does not exist; what is in it could not be checked",
            f"kubectl create namespace {wanted.namespace}",
        )
    level = _labels(namespace).get(POD_SECURITY)
    return passes(
        "namespace", f"{wanted.namespace}, Pod Security {f'enforces {level}' if level else 'of the whole cluster'}"
    )


def _labels(namespace: JsonObject | None) -> JsonObject:
    labels: JsonObject = ((namespace or {}).get("metadata") or {}).get("labels") or {}
    return labels


def _pools(cluster: Cluster, wanted: Installation, nodes: list[Node]) -> Iterator[Finding]:
    pods: list[JsonObject] = []
    try:
        pods = cluster.items(api_path("v1", "pods"))
    except ApiFault as fault:
        yield warns("pools", f"what other pods take is not known: {fault.message}")
    others = used(of_others(pods, release=wanted.release, namespace=wanted.namespace))
    autoscaled = _is_autoscaled(cluster)
    for group in wanted.groups:
        yield from pool_findings(group, demand(group, wanted), nodes, others, autoscaled=autoscaled)
    if not autoscaled and _makes_second_cluster(cluster, wanted):
        for group in wanted.groups:
            yield from update_findings(group, demand(group, wanted), nodes, used(pods))


def _makes_second_cluster(cluster: Cluster, wanted: Installation) -> bool:
    """Whether the release runs already, and is updated by a second cluster where pods change."""
    service = ray_service(wanted.manifests)
    name, strategy = service["metadata"]["name"], service["spec"].get("upgradeStrategy") or {}
    if not surge_percent(strategy):
        return False
    with suppress(ApiFault):
        return cluster.get_if_there(api_path("ray.io/v1", "rayservices", name, namespace=wanted.namespace)) is not None
    return False


def demand(group: PodGroup, wanted: Installation) -> Demand:
    """How many pods the release asks of a group, by the plan where the group is a pool of it."""
    plan = wanted.plan
    pool = plan.pools.get(group.name)
    if pool is None:
        return Demand(minimum=group.minimum, peak=group.minimum, update=group.minimum)
    served: list[Served] = [model for model in plan.models.values() if model.family in wanted.names]
    served += [app for name, app in plan.apps.items() if name in wanted.names]
    homes = [home for workload in served for home in workload.homes if home.node_pool.name == group.name]
    minimum: Counter[int] = Counter()
    peak: Counter[int] = Counter()
    for home in homes:
        minimum += home.taken(home.least)
        peak += home.taken(home.most)
    gpu = pool.node_pool.gpu
    least = bins_needed(minimum, pool.units_per_worker)
    surge = surge_percent(ray_service(wanted.manifests)["spec"].get("upgradeStrategy") or {})
    return Demand(
        minimum=max(group.minimum, least),
        peak=min(group.most, bins_needed(peak, pool.units_per_worker)),
        # The group's own minimum is there in both clusters from the start.
        update=max(group.minimum, workers_at_once(homes, pool.units_per_worker, surge) - least),
        gpu=gpu.name if gpu else "",
        gpu_memory_gib=gpu.memory_gib if gpu else 0,
    )


def _is_autoscaled(cluster: Cluster) -> bool:
    """Whether something makes nodes: Karpenter's API, the autoscaler's status, or a Deployment of either."""
    with suppress(ApiFault):
        if any(group["name"] == "karpenter.sh" for group in cluster.get("/apis")["groups"]):
            return True
    with suppress(ApiFault):
        if cluster.get_if_there(api_path("v1", "configmaps", "cluster-autoscaler-status", namespace="kube-system")):
            return True
    with suppress(ApiFault):
        names = [deployment["metadata"]["name"] for deployment in cluster.items(api_path("apps/v1", "deployments"))]
        return any(word in name for word in AUTOSCALERS for name in names)
    return False


def _references(cluster: Cluster, wanted: Installation) -> Iterator[Finding]:
    namespace = wanted.namespace
    rendered = _rendered(wanted)
    for reference in [*references(wanted.groups), *redis_references(ray_service(wanted.manifests))]:
        made = rendered.get((reference.kind, reference.name))
        if made and reference.kind != "PersistentVolumeClaim":
            if reference.prefix is not None and reference.kind == "ConfigMap":
                yield from variable_findings(reference, made.get("data") or {}, namespace)
            continue
        match reference.kind:
            case "PersistentVolumeClaim":
                path = api_path("v1", "persistentvolumeclaims", reference.name, namespace=namespace)
                present = cluster.get_if_there(path)
                classes: list[JsonObject] = []
                with suppress(ApiFault):
                    classes = cluster.items(api_path("storage.k8s.io/v1", "storageclasses"))
                pods = sum(group.most for group in wanted.groups if reference in references([group]))
                pods += sum(manifest["kind"] == "Job" for manifest in wanted.manifests)  # modelCache.prefetch
                yield from claim_findings(
                    reference, present or made, classes, namespace=namespace, pods=pods, is_new=present is None
                )
            case kind:
                path = api_path("v1", f"{kind.lower()}s", reference.name, namespace=namespace)
                metadata = cluster.metadata_if_there(path)
                yield key_findings(reference, metadata, namespace)
                yield from variable_findings(reference, keys_in(metadata or {}) or (), namespace)


def _devices(cluster: Cluster, wanted: Installation) -> Iterator[Finding]:
    return device_findings(cluster, wanted.groups, set(_rendered(wanted)), wanted.namespace)


def _rendered(wanted: Installation) -> dict[tuple[str, str], Manifest]:
    """The release's own objects, by kind and name."""
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in wanted.manifests}


def _images(
    cluster: Cluster,
    wanted: Installation,
    nodes: list[Node],
    *,
    pull_seconds: float | None,
    report: Callable[[str], None],
) -> Iterator[Finding]:
    for image in images(wanted.groups):
        finding = image_findings(image, nodes)
        if finding.level == "warn" and pull_seconds is not None:
            finding = pull_finding(cluster, image, wanted.namespace, seconds=pull_seconds, report=report)
        yield finding


def _hooks(manifest: Manifest) -> list[str]:
    return ((manifest["metadata"].get("annotations") or {}).get("helm.sh/hook") or "").split(",")
