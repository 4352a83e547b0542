"""Whether the nodes have a release's images, or can pull them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from generator.cluster.api import ApiFault, Cluster, api_path
from generator.cluster.finding import Finding, fails, passes, warns
from generator.cluster.nodes import Node, matches, untolerated
from generator.cluster.pods import PodGroup, pull_error
from generator.documents.merge import JsonObject

SUBJECT = "images"
POLL_S = 2.0
PULL_ERRORS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
# What a pod needs of a group so that it lands on the same nodes and pulls with the same login.
_OF_THE_GROUP = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "imagePullSecrets",
    "runtimeClassName",
    "priorityClassName",
    "schedulerName",
)
_SETTLED = ("running", "terminated")


@dataclass(kw_only=True)
class Image:
    """An image with the groups that run it."""

    name: str
    policy: str
    groups: list[PodGroup] = field(default_factory=list)


def images(groups: Iterable[PodGroup]) -> list[Image]:
    images: dict[tuple[str, str], Image] = {}
    for group in groups:
        for name, policy in group.images:
            image = images.setdefault((name, policy), Image(name=name, policy=policy))
            if group not in image.groups:
                image.groups.append(group)
    return list(images.values())


def absent_from(image: Image, nodes: Sequence[Node]) -> tuple[int, int]:
    """Of how many nodes that the groups may run on, and how many of these lack the image."""
    usable = [
        node for node in nodes if any(matches(g.spec, node) and not untolerated(g.spec, node) for g in image.groups)
    ]
    return len(usable), sum(1 for node in usable if not _has(node, image.name))


def image_findings(image: Image, nodes: Sequence[Node]) -> Finding:
    """What can be told without trying. A node tells of its fifty largest images, which those of Ray are among."""
    usable, absent = absent_from(image, nodes)
    if usable and not absent and image.policy != "Always":
        return passes(SUBJECT, f"{image.name} is on every node that may run it ({usable})")
    on = f"is on {usable - absent} of {usable} nodes that may run it"
    if image.policy == "Never":
        fix = "Load it on every node, or let it be pulled: image.pullPolicy: IfNotPresent."
        return (fails if usable and absent == usable else warns)(
            SUBJECT, f"{image.name} {on}, and pullPolicy Never lets no node pull it", fix
        )
    return warns(SUBJECT, f"{image.name} {on}; pulling it was not tried", "Try it with --pull.")


def pull_finding(
    cluster: Cluster, image: Image, namespace: str, *, seconds: float, report: Callable[[str], None]
) -> Finding:
    """Start a pod of the image that ends at once, see whether a node has pulled it, and delete the pod."""
    started = time.monotonic()
    with _pod(cluster, _probe(image), namespace) as path:
        report(f"pulling {image.name}")
        while True:
            finding = pull_state(image, cluster.get(path))
            waited = time.monotonic() - started
            if finding is not None:
                return finding
            if waited > seconds:
                return warns(
                    SUBJECT,
                    f"{image.name} was still being pulled after {waited:.0f} s",
                    "Give it more time (--pull-timeout), or load it on the nodes beforehand.",
                )
            time.sleep(POLL_S)


def pull_state(image: Image, pod: JsonObject) -> Finding | None:
    """What a probe's state says of its image; None while it says nothing yet."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        state = container.get("state") or {}
        waiting = state.get("waiting") or {}
        if waiting.get("reason") in PULL_ERRORS:
            return fails(
                SUBJECT,
                f"{image.name} cannot be pulled ({waiting['reason']}): {pull_error(waiting.get('message', ''))}",
                "Check that the name and tag are right, that nodes reach the registry, and that its login is in "
                "image.pullSecrets.",
            )
        # A container that could not be made of the image (it has no `true`) shows that the image is there.
        if any(name in state for name in _SETTLED) or waiting.get("reason", "").endswith("ContainerError"):
            return passes(SUBJECT, f"{image.name} was pulled on {pod['spec'].get('nodeName')}")
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return warns(SUBJECT, f"{image.name} was not tried: no node takes a pod: {condition.get('message')}")
    return None


def _probe(image: Image) -> JsonObject:
    """A pod that meets the `restricted` level and asks for next to nothing."""
    spec: dict[str, Any] = {key: image.groups[0].spec[key] for key in _OF_THE_GROUP if key in image.groups[0].spec}
    spec |= {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "activeDeadlineSeconds": 3600,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "pull",
                "image": image.name,
                "imagePullPolicy": image.policy,
                "command": ["true"],
                "resources": {
                    "requests": {"cpu": "10m", "memory": "16Mi"},
                    "limits": {"cpu": "100m", "memory": "64Mi"},
                },
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }
    labels = {"app.kubernetes.io/managed-by": "ray-serve-llm", "app.kubernetes.io/component": "preflight"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "preflight-pull-", "labels": labels},
        "spec": spec,
    }


@contextmanager
def _pod(cluster: Cluster, pod: JsonObject, namespace: str) -> Iterator[str]:
    """A pod for as long as the block runs; its path. It is deleted however the block ends."""
    made = cluster.create(api_path("v1", "pods", namespace=namespace), pod, dry_run=False).body
    path = api_path("v1", "pods", made["metadata"]["name"], namespace=namespace)
    try:
        yield path
    finally:
        try:
            cluster.delete(path)
        except ApiFault as fault:
            if fault.status != 404:
                raise


def _has(node: Node, image: str) -> bool:
    """Whether the node tells of the image; nodes tell full names, as `docker.io/rayproject/ray:2.60.0`."""
    return bool({image, f"docker.io/{image}", f"docker.io/library/{image}"} & node.images)
