"""Whether pods of a group fit the nodes of a cluster: placement rules first, then room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from generator.cluster.pods import pod_requests
from generator.documents.merge import JsonObject
from generator.units import quantity

# Taints that Kubernetes sets for what `ready` and `schedulable` say.
STATE_TAINTS = tuple(f"node.kubernetes.io/{state}" for state in ("not-ready", "unreachable", "unschedulable"))

Used = Mapping[str, Mapping[str, float]]
"""By node, what pods there have asked for."""


@dataclass(frozen=True, kw_only=True)
class Node:
    name: str
    labels: Mapping[str, str]
    taints: Sequence[Mapping[str, str]]
    ready: bool
    schedulable: bool
    allocatable: Mapping[str, float]
    images: frozenset[str]


def read_node(node: JsonObject) -> Node:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions") or []}
    return Node(
        name=node["metadata"]["name"],
        labels=node["metadata"].get("labels") or {},
        taints=[taint for taint in spec.get("taints") or [] if taint["key"] not in STATE_TAINTS],
        ready=conditions.get("Ready") == "True",
        schedulable=not spec.get("unschedulable"),
        allocatable={name: quantity(amount) for name, amount in (status.get("allocatable") or {}).items()},
        images=frozenset(name for image in status.get("images") or [] for name in image.get("names") or []),
    )


def used(pods: Iterable[JsonObject]) -> Used:
    """What running pods ask of each node."""
    total: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node and pod["status"].get("phase") not in ("Succeeded", "Failed"):
            for name, amount in pod_requests(pod["spec"]).items():
                total[node][name] += amount
    return total


def of_others(pods: Iterable[JsonObject], *, release: str, namespace: str) -> list[JsonObject]:
    """The pods less those of the release, which make room for their successors."""

    def mine(metadata: JsonObject) -> bool:
        labels = metadata.get("labels") or {}
        return labels.get("app.kubernetes.io/instance") == release and metadata["namespace"] == namespace

    return [pod for pod in pods if not mine(pod["metadata"])]


def matches(spec: Mapping[str, Any], node: Node) -> bool:
    """Whether nodeSelector and the required node affinity choose the node."""
    selector = spec.get("nodeSelector") or {}
    if any(node.labels.get(key) != value for key, value in selector.items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms")
    return terms is None or any(_term_matches(term, node) for term in terms)


def untolerated(spec: Mapping[str, Any], node: Node) -> list[Mapping[str, str]]:
    """The node's taints that keep the pod away."""
    tolerations = spec.get("tolerations") or []
    return [
        taint
        for taint in node.taints
        if taint["effect"] in ("NoSchedule", "NoExecute") and not any(_tolerates(t, taint) for t in tolerations)
    ]


def room(requests: Mapping[str, float], node: Node, taken: Mapping[str, float] | None = None) -> int:
    """How many such pods the node holds beside what is taken."""
    taken = taken or {}
    amounts = [
        (node.allocatable.get(name, 0) - taken.get(name, 0)) / amount for name, amount in requests.items() if amount
    ]
    # A hundredth of a millionth forgives what adding up binary fractions loses.
    return max(0, int(min(amounts) + 1e-8))


def lacking(requests: Mapping[str, float], nodes: Sequence[Node]) -> dict[str, float]:
    """The resources of which no single node has enough for one pod, with the most that a node has."""
    most = {name: max(node.allocatable.get(name, 0) for node in nodes) for name in requests}
    return {name: most[name] for name, amount in requests.items() if amount > most[name]}


def _term_matches(term: Mapping[str, Any], node: Node) -> bool:
    fields = {"metadata.name": node.name}
    return all(_holds(expression, node.labels) for expression in term.get("matchExpressions") or []) and all(
        _holds(expression, fields) for expression in term.get("matchFields") or []
    )


def _holds(expression: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    value, wanted = values.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" if value is not None and value.isdigit():
            return int(value) > int(wanted[0]) if expression["operator"] == "Gt" else int(value) < int(wanted[0])
    return False


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if not toleration.get("key"):
        return toleration.get("operator") == "Exists"
    if toleration["key"] != taint["key"]:
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")
