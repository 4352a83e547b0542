"""Who may reach what, as an environment or values say it: a NetworkPolicy that works, and no API left open unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generator.documents.merge import JsonObject
from generator.errors import UserError
from generator.facts.refused import network_policy_rules
from generator.facts.releases import RayRelease
from generator.formats.explain import Fault
from generator.formats.pod_rules import mapping, mappings

_Path = tuple[str | int, ...]


def network_policy_faults(data: JsonObject, kind: str) -> Iterator[Fault]:
    """What the chart, or Kubernetes, would refuse in the NetworkPolicy of an environment or of values.

    What has another type is no fault here: the schema says that.
    """
    chart = mapping(data.get("chart")) if kind == "environment" else data
    path: _Path = ("chart", "networkPolicy") if kind == "environment" else ("networkPolicy",)
    policy = mapping(chart.get("networkPolicy"))
    if policy.get("enabled") is True and policy.get("operatorNamespace", "") == "":
        yield _broken("operatorNamespace", "'operatorNamespace'", (*path, "operatorNamespace"))
    for key in ("clients", "metricsClients"):
        yield from _peer_faults(policy.get(key), (*path, key))
    for number, rule in mappings(policy.get("egress")):
        yield from _peer_faults(rule.get("to"), (*path, "egress", number, "to"))


def edge_faults(data: JsonObject, kind: str) -> Iterator[Fault]:
    """What the chart would refuse in the ways in from outside, as far as the document says it."""
    chart = mapping(data.get("chart")) if kind == "environment" else data
    path: _Path = ("chart",) if kind == "environment" else ()
    route = mapping(chart.get("httpRoute"))
    if route.get("enabled") is True and not route.get("parentRefs"):
        fix = "Name one, as `kubectl get gateways -A` shows them: parentRefs: [{name: public, namespace: gateways}]."
        yield Fault("'parentRefs' names no Gateway, so nothing would come in", (*path, "httpRoute", "parentRefs"), fix)
    key = mapping(mapping(chart.get("auth")).get("apiKey"))
    if key.get("existingSecret") and mapping(chart.get("serving")).get("path") == "standard":
        what = "'existingSecret': on the standard path Ray's ingress answers, and it asks nobody for a key"
        fix = "Take serving.path: throughput, or let a gateway in front ask for it."
        yield Fault(what, (*path, "auth", "apiKey", "existingSecret"), fix)


def _peer_faults(peers: Any, path: _Path) -> Iterator[Fault]:
    for number, peer in mappings(peers):
        if not peer:
            continue
        selectors = [key for key in ("podSelector", "namespaceSelector") if key in peer]
        if peer.get("ipBlock") and selectors:
            yield _broken("ipBlock", f"entry {number}", (*path, number))
        elif all(value is None for value in peer.values()):
            yield _broken("nobody", f"entry {number}", (*path, number))


def _broken(rule: str, subject: str, path: _Path) -> Fault:
    row = network_policy_rules()[rule]
    return Fault(f"{subject}: {row.why}", path, f"{row.instead}.")


def asks_for_token(chart: JsonObject, release: RayRelease) -> bool:
    """Whether Ray's own API asks for a token, with these values of the chart and a KubeRay that can make one."""
    return release.token_auth and chart.get("auth", {}).get("mode") != "disabled"


def is_open(chart: JsonObject, release: RayRelease) -> bool:
    """Whether every pod of the cluster can run code in a release: neither a token nor a NetworkPolicy is before it."""
    return not asks_for_token(chart, release) and not chart.get("networkPolicy", {}).get("enabled")


def why_open(ray: str) -> str:
    """What to tell people where `is_open`."""
    return (
        f"every pod of the cluster can run code in this release: Ray {ray} asks for no token here, "
        "and no NetworkPolicy closes its ports"
    )


def check_open_by_choice(chart: JsonObject, release: RayRelease, *, where: str) -> None:
    """Raise UserError where a release would be open, and nobody has said that it shall be.

    The policy is not switched on unasked: it needs the operator's namespace, and a wrong one keeps everything from
    becoming ready.
    """
    if is_open(chart, release) and "enabled" not in chart.get("networkPolicy", {}):
        raise UserError(
            why_open(release.ray),
            where=where,
            fix="Write `networkPolicy: {enabled: true, operatorNamespace: kuberay-system}` below `chart:`, with the "
            "namespace of your KubeRay operator; `networkPolicy: {enabled: false}` leaves them open.",
        )
