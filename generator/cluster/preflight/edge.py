"""How requests would get in from outside: who takes the route or the Ingress, and what reaches the Service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from generator.chart import Manifest, ray_service
from generator.cluster.api import Cluster, api_path
from generator.cluster.finding import Finding, fails, passes, warns
from generator.documents.merge import JsonObject

SUBJECT = "edge"
GATEWAY_API = "gateway.networking.k8s.io/v1"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


def edge_findings(
    cluster: Cluster, manifests: Sequence[Manifest], namespace: str, labels: Mapping[str, str]
) -> Iterator[Finding]:
    """What the cluster makes of the release's routes. `labels` are those of its namespace."""
    routes = [each for each in manifests if each["kind"] == "HTTPRoute"]
    if routes:
        yield from _route_findings(cluster, routes[0], namespace, labels)
    for ingress in (each for each in manifests if each["kind"] == "Ingress"):
        classes = cluster.items(api_path("networking.k8s.io/v1", "ingressclasses"))
        yield class_finding(ingress, classes)
        yield from _certificate_findings(cluster, ingress, namespace)
    service = ray_service(manifests)
    path = api_path("v1", "services", f"{service['metadata']['name']}-serve-svc", namespace=namespace)
    if present := cluster.get_if_there(path):
        yield from service_findings(service["spec"].get("serveService") or {}, present)


def _route_findings(
    cluster: Cluster, route: JsonObject, namespace: str, labels: Mapping[str, str]
) -> Iterator[Finding]:
    """The routes of a release differ in their paths alone, so one stands for all."""
    if cluster.get_if_there(f"/apis/{GATEWAY_API}") is None:
        yield fails(
            SUBJECT,
            f"the cluster has no Gateway API ({GATEWAY_API}), and httpRoute makes a route of it",
            "Install a gateway with its CRDs (https://gateway-api.sigs.k8s.io), or use `ingress` or `service`.",
        )
        return
    for parent in route["spec"]["parentRefs"]:
        if parent.get("kind", "Gateway") != "Gateway" or parent.get("group") not in (None, "gateway.networking.k8s.io"):
            continue
        where = parent.get("namespace") or namespace
        gateway = cluster.get_if_there(api_path(GATEWAY_API, "gateways", parent["name"], namespace=where))
        if gateway is None:
            there = [each["metadata"] for each in cluster.items(api_path(GATEWAY_API, "gateways"))]
            names = ", ".join(f"{each['namespace']}/{each['name']}" for each in there) or "none"
            yield fails(
                SUBJECT,
                f"Gateway {where}/{parent['name']} does not exist (httpRoute.parentRefs)",
                f"Name one of: {names}. `namespace` is the release's where it is left out.",
            )
        else:
            yield gateway_finding(parent, gateway, route["spec"].get("hostnames") or [], namespace, labels)


def gateway_finding(
    parent: JsonObject, gateway: JsonObject, hostnames: Sequence[str], namespace: str, labels: Mapping[str, str]
) -> Finding:
    """Whether a listener of the Gateway takes routes of this namespace for these hosts."""
    name = f"Gateway {gateway['metadata']['namespace']}/{gateway['metadata']['name']}"
    listeners = [
        each
        for each in gateway["spec"]["listeners"]
        if parent.get("sectionName") in (None, each["name"]) and parent.get("port") in (None, each["port"])
    ]
    if not listeners:
        names = ", ".join(f"{each['name']} ({each['port']})" for each in gateway["spec"]["listeners"])
        return fails(SUBJECT, f"{name} has no such listener (httpRoute.parentRefs)", f"It has: {names}.")
    own = gateway["metadata"]["namespace"] == namespace
    listeners = [each for each in listeners if _takes_namespace(each, labels, own=own)]
    if not listeners:
        return fails(
            SUBJECT,
            f"{name} takes no routes of the namespace {namespace}",
            "Whoever has the Gateway lets them in: allowedRoutes.namespaces of its listener.",
        )
    if hostnames and not any(_overlap(each.get("hostname", ""), host) for each in listeners for host in hostnames):
        hosts = ", ".join(each.get("hostname", "") for each in listeners)
        return fails(
            SUBJECT,
            f"{name} is for {hosts}, and httpRoute.hostnames are others: {', '.join(hostnames)}",
            "Name hosts of the Gateway, or leave httpRoute.hostnames out.",
        )
    for condition in (gateway.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Programmed" and condition["status"] != "True":
            return warns(SUBJECT, f"{name} is not programmed yet: {condition.get('message') or condition['reason']}")
    return passes(SUBJECT, f"{name} takes the route")


def _takes_namespace(listener: JsonObject, labels: Mapping[str, str], *, own: bool) -> bool:
    namespaces = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    match namespaces.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            wanted: Mapping[str, str] = (namespaces.get("selector") or {}).get("matchLabels") or {}
            return wanted.items() <= labels.items()
        case _:
            return own


def _overlap(one: str, other: str) -> bool:
    """Whether two hosts have one in common; `*.` stands for everything below, and an empty one for all."""
    if not one or not other or one == other:
        return True
    if one.startswith("*.") and other.removeprefix("*").endswith(one[1:]):
        return True
    return other.startswith("*.") and one.removeprefix("*").endswith(other[1:])


def class_finding(ingress: JsonObject, classes: Sequence[JsonObject]) -> Finding:
    """Whether a controller takes the Ingress, by its class."""
    name = ingress["spec"].get("ingressClassName")
    names = [each["metadata"]["name"] for each in classes]
    listed = ", ".join(names) or "none, so install an ingress controller"
    if name is None:
        annotated = "kubernetes.io/ingress.class" in (ingress["metadata"].get("annotations") or {})
        if annotated or any(_annotations(each).get(DEFAULT_CLASS) == "true" for each in classes):
            return passes(SUBJECT, "an ingress controller takes the Ingress")
        fix = f"Set ingress.className to one of: {listed}."
        return warns(SUBJECT, "no IngressClass is the cluster's default, so maybe nobody takes the Ingress", fix)
    if name not in names:
        return fails(SUBJECT, f"IngressClass {name} does not exist", f"There are: {listed}.")
    return passes(SUBJECT, f"IngressClass {name} takes the Ingress")


def _certificate_findings(cluster: Cluster, ingress: JsonObject, namespace: str) -> Iterator[Finding]:
    for name in sorted({tls["secretName"] for tls in ingress["spec"].get("tls") or [] if "secretName" in tls}):
        if cluster.metadata_if_there(api_path("v1", "secrets", name, namespace=namespace)) is None:
            yield warns(
                SUBJECT,
                f"Secret {namespace}/{name} does not exist (ingress.tls)",
                "Unless cert-manager makes it: "
                f"kubectl create secret tls {name} -n {namespace} --cert=<file> --key=<file>",
            )


def service_findings(wanted: Mapping[str, Any], present: JsonObject) -> Iterator[Finding]:
    """What of `service` does not reach the Service that is there: controllers/ray/rayservice_controller.go:1667-1680 of
    KubeRay 1.6.1 updates its spec when the cluster behind it changes, and its annotations never."""
    spec = wanted.get("spec") or {}
    annotations = (wanted.get("metadata") or {}).get("annotations") or {}
    name = present["metadata"]["name"]
    namespace = present["metadata"]["namespace"]
    anew = f"kubectl delete service -n {namespace} {name}  # KubeRay makes it anew, maybe at another address"
    if not annotations.items() <= _annotations(present).items():
        yield warns(
            SUBJECT, f"Service {name} is there, and KubeRay adds no annotations to it (service.annotations)", anew
        )
    elif any(present["spec"].get(key) != value for key, value in {"type": "ClusterIP", **spec}.items()):
        yield warns(SUBJECT, f"Service {name} is there, and changes only when a new cluster takes over (service)", anew)


def _annotations(present: JsonObject) -> JsonObject:
    annotations: JsonObject = present["metadata"].get("annotations") or {}
    return annotations
