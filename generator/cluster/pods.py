"""The groups of pods that a rendered release asks for: the head, the ingress workers and the worker groups."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from generator.chart import Manifest, ray_service
from generator.documents.merge import JsonObject
from generator.facts.releases import kuberay
from generator.ray_messages import shortened
from generator.units import quantity


@dataclass(frozen=True, kw_only=True)
class PodGroup:
    name: str
    """`head`, or the worker group's."""
    labels: Mapping[str, str]
    spec: JsonObject
    """A pod's spec as rendered."""
    minimum: int
    """Pods that are always there."""
    most: int
    requests: Mapping[str, float]
    """What one pod asks of a node."""

    @property
    def images(self) -> Iterator[tuple[str, str]]:
        """Each container's image and pull policy."""
        for container in containers(self.spec):
            yield container["image"], container.get("imagePullPolicy", "IfNotPresent")


def pod_groups(manifests: Sequence[Manifest]) -> list[PodGroup]:
    """Read the groups of the one RayService of a release."""
    cluster = ray_service(manifests)["spec"]["rayClusterConfig"]
    head = cluster["headGroupSpec"]["template"]
    groups = [_group("head", head, minimum=1, most=1, sidecar=_autoscaler(cluster))]
    for group in cluster.get("workerGroupSpecs") or []:
        minimum, most = max(group.get("minReplicas") or 0, group.get("replicas") or 0), group.get("maxReplicas") or 1
        groups.append(_group(group["groupName"], group["template"], minimum=minimum, most=most, sidecar={}))
    return groups


def containers(spec: Mapping[str, Any]) -> list[JsonObject]:
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def pod_requests(spec: Mapping[str, Any]) -> dict[str, float]:
    """What the scheduler counts: the containers' requests, or where an init container asks for more, its own.

    An init container that stays (`restartPolicy: Always`) counts beside the containers, and beside the init containers
    after it: PodRequests in k8s.io/component-helpers/resource.
    """
    total: dict[str, float] = {"pods": 1}
    for container in spec.get("containers") or []:
        _add(total, _requests(container))
    staying: dict[str, float] = {}
    first: dict[str, float] = {}
    for container in spec.get("initContainers") or []:
        asked = _requests(container)
        if container.get("restartPolicy") == "Always":
            _add(total, asked)
            _add(staying, asked)
            asked = {}
        for name in {*staying, *asked}:
            first[name] = max(first.get(name, 0), staying.get(name, 0) + asked.get(name, 0))
    return {name: max(total.get(name, 0), first.get(name, 0)) for name in {**total, **first}}


def _add(total: dict[str, float], more: Mapping[str, float]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _group(name: str, template: JsonObject, *, minimum: int, most: int, sidecar: Mapping[str, float]) -> PodGroup:
    spec = template["spec"]
    requests = pod_requests(spec)
    for resource, amount in sidecar.items():
        requests[resource] = requests.get(resource, 0) + amount
    labels = (template.get("metadata") or {}).get("labels") or {}
    return PodGroup(name=name, labels=labels, spec=spec, minimum=minimum, most=most, requests=requests)


def _autoscaler(cluster: Mapping[str, Any]) -> dict[str, float]:
    if not cluster.get("enableInTreeAutoscaling"):
        return {}
    resources = (cluster.get("autoscalerOptions") or {}).get("resources") or {"requests": kuberay().autoscaler}
    return _requests({"resources": resources})


def _requests(container: Mapping[str, Any]) -> dict[str, float]:
    resources = container.get("resources") or {}
    requested = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: quantity(amount) for name, amount in requested.items()}


def pull_error(message: str) -> str:
    """What a registry or the way to it said, without the image's name again and again."""
    text = re.sub(r'^Back-off pulling image "[^"]*"(: ErrImagePull: )?', "", message.replace("\n", " ").strip())
    return shortened(re.sub(r'^(?:failed to [a-z ]+ "[^"]*": )+', "", text))
