"""Whether a cluster's nodes are what the plan reckons with: labels, taints, GPUs and room of every group of pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generator.cluster.finding import Finding, fails, passes, warns
from generator.cluster.nodes import Node, Used, lacking, matches, room, untolerated
from generator.cluster.pods import PodGroup
from generator.errors import did_you_mean
from generator.plan.node_disk import KEEP_ELSEWHERE
from generator.units import GIB

if TYPE_CHECKING:
    from generator.formats.output import Level

LABELS_SHOWN = 8
MIB_PER_GIB = 1024
# Set on nodes by NVIDIA's GPU feature discovery.
GPU_MEMORY_LABEL = "nvidia.com/gpu.memory"
GPU_SHARING_LABEL = "nvidia.com/gpu.sharing-strategy"
MEMORY_TOLERANCE = 0.97
"""Drivers differ by a few hundred MiB in what they call a GPU's memory."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """How many pods of a group there will be, and what its GPU is."""

    minimum: int
    peak: int
    update: int = 0
    """More than the minimum, at the most, while an update has two clusters."""
    gpu: str = ""
    """The type that the plan reckons with; empty without GPUs."""
    gpu_memory_gib: float = 0


def pool_findings(
    group: PodGroup, demand: Demand, nodes: Sequence[Node], used: Used, *, autoscaled: bool
) -> Iterator[Finding]:
    """`used` is what pods of others take; `autoscaled`: nodes that are missing may come."""
    subject = _subject(group)
    may_come = autoscaled or demand.minimum == 0
    level: Level = "warn" if may_come else "fail"
    note = " (a cluster autoscaler may make one)" if autoscaled else ""

    if not nodes:
        yield Finding(level=level, subject=subject, message=f"the cluster has no nodes{note}", fix="Add some.")
        return
    chosen = [node for node in nodes if matches(group.spec, node)]
    if not chosen:
        what = f"0 of {_nodes(len(nodes))} match {_selector(group)}{note}"
        yield Finding(level=level, subject=subject, message=what, fix=_selector_fix(group, nodes))
        return
    tolerated = [node for node in chosen if not untolerated(group.spec, node)]
    if not tolerated:
        taints = Counter(_taint(taint) for node in chosen for taint in untolerated(group.spec, node))
        kept = f"of {_nodes(len(chosen))} that match every one has a taint that pods do not tolerate"
        what = f"{kept}: {_seen(taints)}{note}"
        yield Finding(level=level, subject=subject, message=what, fix=_toleration_fix(chosen, group))
        return
    usable = [node for node in tolerated if node.ready and node.schedulable]
    if not usable:
        why = Counter("cordoned" if not node.schedulable else "not Ready" for node in tolerated)
        what = f"of {_nodes(len(tolerated))} that match none takes pods: {_seen(why)}{note}"
        yield Finding(level=level, subject=subject, message=what, fix="kubectl get nodes; kubectl uncordon <node>")
        return
    short = lacking(group.requests, usable)
    if short:
        what = "; ".join(
            f"a pod asks for {amount(name, group.requests[name])} and the largest of {_nodes(len(usable))} "
            f"has {amount(name, most)}"
            for name, most in short.items()
        )
        yield Finding(level=level, subject=subject, message=what + note, fix=_room_fix(group, short, usable))
        return
    yield from _gpu_findings(subject, demand, usable)
    yield _room_finding(subject, group, demand, usable, used, autoscaled=autoscaled)


def update_findings(group: PodGroup, demand: Demand, nodes: Sequence[Node], used: Used) -> Iterator[Finding]:
    """Whether a second cluster fits beside the release's own that runs. `used` is what all pods take, its own too."""
    usable = [node for node in nodes if node.ready and node.schedulable and matches(group.spec, node)]
    now = sum(room(group.requests, node, used.get(node.name)) for node in usable if not untolerated(group.spec, node))
    if demand.update > now:
        yield warns(
            _subject(group),
            f"a change of pods makes a second cluster, which needs {demand.update} more; "
            f"{now} fit beside what runs now",
            "Free room before such an update, or change models in place (`serving: {delivery: inline}`).",
        )


def amount(resource: str, value: float) -> str:
    """`6 CPUs`, `24 GiB`, `1 nvidia.com/gpu`."""
    match resource:
        case "cpu":
            return f"{value:g} CPU{'' if value == 1 else 's'}"
        case "memory" | "ephemeral-storage":
            return f"{value / GIB:.4g} GiB{'' if resource == 'memory' else ' of disk'}"
    return f"{value:g} {resource}"


def _room_finding(
    subject: str, group: PodGroup, demand: Demand, usable: Sequence[Node], used: Used, *, autoscaled: bool
) -> Finding:
    requested = ", ".join(amount(name, value) for name, value in group.requests.items() if name != "pods")
    each = f"pods of {requested or 'no size'}"
    most = sum(room(group.requests, node) for node in usable)
    now = sum(room(group.requests, node, used.get(node.name)) for node in usable)
    roomy = sum(room(group.requests, node) > 0 for node in usable)
    where = f"{_nodes(roomy)} {'holds' if roomy == 1 else 'hold'} {most} {each}"
    where += "" if now == most else f", {now} of them now, beside other pods"
    needs = f"the plan needs {demand.minimum} at minimum, {demand.peak} at peak"
    note = " (a cluster autoscaler may add nodes)" if autoscaled else ""
    if demand.minimum > most:
        fix = "Add nodes, serve fewer models, or let some go to zero (`replicas: {min: 0, max: 1}`)."
        return (warns if autoscaled else fails)(subject, f"{where}; {needs}{note}", fix)
    if demand.minimum > now:
        return warns(
            subject,
            f"{where}; {needs}{note}",
            "Free the nodes of other work, or add some: until then pods stay Pending.",
        )
    if demand.peak > now:
        return warns(subject, f"{where}; {needs}: beyond {now} they wait{note}")
    return passes(subject, f"{where}; {needs}")


def _gpu_findings(subject: str, demand: Demand, usable: Sequence[Node]) -> Iterator[Finding]:
    sizes = [int(text) for node in usable if (text := node.labels.get(GPU_MEMORY_LABEL, "")).isdigit()]
    if demand.gpu and sizes and min(sizes) < demand.gpu_memory_gib * MIB_PER_GIB * MEMORY_TOLERANCE:
        yield fails(
            subject,
            f"the plan reckons with {demand.gpu} ({demand.gpu_memory_gib:.1f} GiB), and a node's GPU has "
            f"{min(sizes) / MIB_PER_GIB:.1f} GiB ({GPU_MEMORY_LABEL}={min(sizes)})",
            "Set the pool's `gpu` to what the nodes have, or its nodeSelector so that it chooses the others.",
        )
    shared = [node.name for node in usable if node.labels.get(GPU_SHARING_LABEL, "none") != "none"]
    if demand.gpu and shared:
        yield warns(
            subject,
            f"{_nodes(len(shared))} share each GPU between pods ({GPU_SHARING_LABEL}), so a model gets only a part of "
            "the memory that the plan gives it",
            "Choose nodes that do not share GPUs.",
        )


def _subject(group: PodGroup) -> str:
    return "head" if group.name == "head" else f"pool {group.name}"


def _selector(group: PodGroup) -> str:
    selector = group.spec.get("nodeSelector") or {}
    named = ", ".join(f"{key}={value}" for key, value in selector.items())
    both = [f"nodeSelector {named}"] if named else []
    if ((group.spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ):
        both.append("the required node affinity")
    return " and ".join(both)


def _selector_fix(group: PodGroup, nodes: Sequence[Node]) -> str:
    """For the first label that no node has: its nearest key or value, and what is there."""
    gpu_nodes = [node for node in nodes if any(_is_gpu(name) and node.allocatable[name] for name in node.allocatable)]
    for key, value in (group.spec.get("nodeSelector") or {}).items():
        values = Counter(node.labels[key] for node in nodes if key in node.labels)
        if value in values:
            continue
        if values:
            return f"Nodes have {key} = {_seen(values)}; {did_you_mean(value, values)}"
        who = "GPU nodes" if gpu_nodes else "nodes (none has a GPU)"
        return f"No node has the label {key}. Labels of {who}: {_some(_telling(gpu_nodes or nodes))}"
    return "Nodes have each label, and none has all of them together: see kubectl get nodes --show-labels"


def _telling(nodes: Sequence[Node]) -> list[str]:
    """Labels that tell one kind of node from another, GPU's first; every node has its name, system and architecture."""
    plain = ("kubernetes.io/", "beta.kubernetes.io/", "node-role.kubernetes.io/", "topology.kubernetes.io/")
    seen = {f"{k}={v}" for node in nodes for k, v in node.labels.items() if not k.startswith(plain)}
    return sorted(seen, key=lambda label: ("gpu" not in label and "accelerator" not in label, label))


def _toleration_fix(chosen: Sequence[Node], group: PodGroup) -> str:
    taint = untolerated(group.spec, chosen[0])[0]
    operator = f"operator: Equal, value: {taint['value']}" if taint.get("value") else "operator: Exists"
    return f"Add to the pool: tolerations: [{{key: {taint['key']}, {operator}, effect: {taint['effect']}}}]"


def _room_fix(group: PodGroup, short: Mapping[str, float], usable: Sequence[Node]) -> str:
    for name, most in short.items():
        if _is_gpu(name) and most == 0:
            return f"No node offers {name}: check that its device plugin (NVIDIA GPU operator) runs."
        if _is_gpu(name):
            return f"Set the pool's `gpusPerNode` to {most:g} and plan again, or choose larger nodes."
    if group.name == "head":
        return "Lower `head.resources`, or choose larger nodes by `head.nodeSelector`."
    if short.keys() == {"ephemeral-storage"}:
        return _disk_fix(short["ephemeral-storage"])
    return (
        "Set the pool's `cpusPerNode` and `memoryPerNode` to what a node can give and plan again, or choose larger "
        f"nodes: {', '.join(sorted({node.name for node in usable})[:3])} are the ones that match."
    )


def _disk_fix(most: float) -> str:
    if most:
        say = f"Set the pool's `diskPerNode` to {most / GIB:.4g}Gi and plan again"
        return f"{say}, choose larger nodes, or {KEEP_ELSEWHERE}."
    return (
        "The nodes declare no disk for pods (the kubelet's localStorageCapacityIsolation is off), so none that asks "
        'for it goes there: say `workerGroup: {resources: {requests: {ephemeral-storage: "0"}}}` of the pool.'
    )


def _is_gpu(resource: str) -> bool:
    return resource.endswith("/gpu") or resource.startswith("nvidia.com/mig-")


def _taint(taint: Mapping[str, str]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"


def _seen(counts: Counter[str]) -> str:
    return ", ".join(f"{text} ({_nodes(count)})" for text, count in counts.most_common(LABELS_SHOWN))


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - LABELS_SHOWN} more" if len(texts) > LABELS_SHOWN else ""
    return ", ".join(texts[:LABELS_SHOWN]) + more if texts else "none"
