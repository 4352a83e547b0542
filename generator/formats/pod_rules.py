"""What Kubernetes and KubeRay refuse of pods and of a NetworkPolicy though each word of it is right.

Each takes what stands at a key and its path, and gives the faults. What is of another shape than it should be is the
schema's to tell. Kubernetes' own are in pkg/apis/core/validation and pkg/apis/networking/validation (v1.34).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from generator.documents.load import short
from generator.facts.refused import reserved_key
from generator.formats.explain import Fault

Path = tuple[str | int, ...]

_OF_TOKENS = re.compile(r"(/var)?/run/secrets/kubernetes\.io(/|$)")
_OF_A_CONTAINER = ("cpu", "memory", "ephemeral-storage")
_NetworkAddresses = ipaddress.IPv4Network | ipaddress.IPv6Network


def resource_names(value: Any, path: Path) -> Iterator[Fault]:
    """Of a container's limits or requests: what has no domain is Kubernetes' own."""
    for name in mapping(value):
        if name in _OF_A_CONTAINER or name.startswith("hugepages-"):
            continue
        if "/" not in name or "kubernetes.io/" in name or name.startswith("requests."):
            fix = "It is cpu, memory, ephemeral-storage, hugepages-<size>, or a device with its vendor's domain."
            yield Fault("a container has no such resource in Kubernetes", (*path, name), fix)


def tolerations(value: Any, path: Path) -> Iterator[Fault]:
    for index, each in mappings(value):
        at = (*path, index)
        exists = each.get("operator") == "Exists"
        if exists and each.get("value"):
            yield Fault("with operator Exists there is no value", at, "Remove it, or set operator to Equal.")
        if not each.get("key") and not exists:
            yield Fault("without a key the operator is Exists", at, "Name the taint's key, or set operator to Exists.")
        if each.get("tolerationSeconds") is not None and each.get("effect") != "NoExecute":
            fix = "Set effect to NoExecute, or remove tolerationSeconds."
            yield Fault("tolerationSeconds is for the effect NoExecute alone", at, fix)


def spread_constraints(value: Any, path: Path) -> Iterator[Fault]:
    seen = set()
    for index, each in mappings(value):
        if each.get("minDomains") is not None and each.get("whenUnsatisfiable") != "DoNotSchedule":
            what = "minDomains is for whenUnsatisfiable DoNotSchedule alone"
            yield Fault(what, (*path, index, "minDomains"), "Set that, or remove minDomains.")
        kind = (str(each.get("topologyKey")), str(each.get("whenUnsatisfiable")))
        if kind in seen:
            what = f"another constraint has {', '.join(map(short, kind))} already, and Kubernetes takes one"
            yield Fault(what, (*path, index), "Remove one of them.")
        seen.add(kind)


def label_requirements(value: Any, path: Path) -> Iterator[Fault]:
    """Of a selector or of nodes' affinity. Only nodes are compared by Gt and Lt."""
    for index, each in mappings(value):
        operator, count = each.get("operator"), len(each.get("values") or [])
        at = (*path, index)
        if operator in ("In", "NotIn") and not count:
            yield Fault(f"operator {operator} needs values", at, "List them.")
        elif operator in ("Exists", "DoesNotExist") and count:
            fix = f"Remove them, or set operator to {'In' if operator == 'Exists' else 'NotIn'}."
            yield Fault(f"with operator {operator} there are no values", at, fix)
        elif operator in ("Gt", "Lt") and "nodeAffinity" not in path:
            yield Fault(f"{operator} is for labels of nodes alone", at, "Use In, NotIn, Exists or DoesNotExist.")
        elif operator in ("Gt", "Lt") and count != 1:
            yield Fault(f"operator {operator} needs one value, a number", at, "Give one.")


def root_user(value: Any, path: Path) -> Iterator[Fault]:
    """Of a security context. One that leaves runAsNonRoot out may have it from another file."""
    context = mapping(value)
    if context.get("runAsUser") == 0 and context.get("runAsNonRoot") is True:
        fix = "Set runAsNonRoot to false (a restricted namespace refuses such pods), or remove runAsUser."
        yield Fault("0 is root, and runAsNonRoot is true, so that no pod would start", (*path, "runAsUser"), fix)


def token_folder(value: Any, path: Path) -> Iterator[Fault]:
    """Of volumes by name: where Kubernetes has the token of its API, which no container that runs Ray has."""
    for name, volume in mapping(value).items():
        folder = mapping(volume).get("mountPath")
        if isinstance(folder, str) and _OF_TOKENS.match(folder):
            what = f"programs take what is in {short(folder)} for a token of Kubernetes"
            yield Fault(what, (*path, name, "mountPath"), "Choose another folder: no container that runs Ray has one.")


def reserved_names(value: Any, path: Path) -> Iterator[Fault]:
    """Of labels or annotations, whose value is named as the last step of the path."""
    for name in mapping(value):
        refused = reserved_key(str(path[-1]), name)
        if refused:
            yield Fault(f"{short(name)} is not accepted: {refused.why}", (*path, name), f"{refused.instead}.")


def addresses(value: Any, path: Path) -> Iterator[Fault]:
    """Of an ipBlock: ranges, and those that are taken out are inside."""
    block = mapping(value)
    outer = _network(block.get("cidr"))
    if isinstance(block.get("cidr"), str) and outer is None:
        yield _no_range(block["cidr"], (*path, "cidr"))
    excepted = block.get("except")
    for index, text in enumerate(excepted if isinstance(excepted, list) else []):
        inner, at = _network(text), (*path, "except", index)
        if isinstance(text, str) and inner is None:
            yield _no_range(text, at)
        elif inner and outer and not _is_inside(inner, outer):
            what = f"{short(text)} is not inside {short(block['cidr'])}, from which it is taken out"
            yield Fault(what, at, "Name a smaller range of it, or remove it.")


def _is_inside(inner: _NetworkAddresses, outer: _NetworkAddresses) -> bool:
    """Strictly, as Kubernetes wants it."""
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner != outer and inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner != outer and inner.subnet_of(outer)
    return False


def _network(text: Any) -> _NetworkAddresses | None:
    try:
        return ipaddress.ip_network(text, strict=False) if isinstance(text, str) and "/" in text else None
    except ValueError:
        return None


def _no_range(text: str, path: Path) -> Fault:
    fix = "Write an address and how many bits of it count, as 10.0.0.0/8 or fd00::/8."
    return Fault(f"{short(text)} is no range of addresses", path, fix)


def egress_ports(value: Any, path: Path) -> Iterator[Fault]:
    for rule, each in mappings(value):
        for index, port in mappings(each.get("ports")):
            end, first = port.get("endPort"), port.get("port")
            at = (*path, rule, "ports", index, "endPort")
            if isinstance(end, int) and not isinstance(first, int):
                fix = "Set port to a number, or remove endPort."
                yield Fault("endPort ends a range that begins with the number in port", at, fix)
            elif isinstance(end, int) and isinstance(first, int) and end < first:
                yield Fault(f"endPort {end} is less than port {first}", at, f"Set it to {first} or more, or remove it.")


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, or an empty mapping where it is none: its type is the schema's to tell."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The mappings of a list, each with its place."""
    for index, each in enumerate(value if isinstance(value, list) else []):
        if isinstance(each, dict):
            yield index, each
