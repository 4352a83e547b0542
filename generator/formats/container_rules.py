"""What the chart refuses of containers beside Ray's and of how volumes are mounted, though each word of it is right.

As in `pod_rules`: each takes what stands at a key and its path, and gives the faults. What depends on the whole
release, such as ports that are taken, the chart alone tells (`chart/templates/checks/_containers.tpl`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generator.documents.load import short
from generator.facts.accelerators import not_gpus
from generator.facts.files import row_of
from generator.facts.refused import refused_objects
from generator.formats.explain import Fault
from generator.formats.pod_rules import Path, mapping

# Names that KubeRay goes by: controllers/ray/common/pod.go.
_OF_KUBERAY = ("ray-head", "ray-worker", "autoscaler", "wait-gcs-ready")
# `ray-serve-llm.kubernetesVolumeName` of the chart.
_OF_THE_AUTOSCALER = "kubernetes-api"
_OF_A_LIFE = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")


def added_containers(value: Any, path: Path) -> Iterator[Fault]:
    """Of `extraContainers` and `initContainers`."""
    for name, container in _each(value):
        at = (*path, name)
        if name in _OF_KUBERAY:
            yield Fault(f"{short(name)} is the name of a container of KubeRay's", at, "Choose another.")
        yield from _devices(container, at)
        if path[-1] == "initContainers" and not container.get("restartPolicy"):
            yield from _watched(container, at)


def _devices(container: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    resources = mapping(container.get("resources"))
    for bound in ("requests", "limits"):
        for name in mapping(resources.get(bound)):
            if name.endswith("gpu") or "/mig-" in name or _is_of_ray(name):
                what = "a model would wait for a device that this container holds, and the plan counts none for it"
                yield Fault(what, (*path, "resources", bound, name), "Remove it.")


def _is_of_ray(device: str) -> bool:
    """Whether Ray counts it, by another name than GPU."""
    found = row_of(not_gpus(), device)
    return found is not None


def _watched(container: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    for key in _OF_A_LIFE:
        if container.get(key):
            what = "a container that ends before Ray's starts takes none in Kubernetes"
            yield Fault(what, (*path, key), "Remove it, or set restartPolicy to Always for one that stays.")


def mounts(value: Any, path: Path) -> Iterator[Fault]:
    """Of `volumeMounts` by name."""
    for key, mount in _each(value):
        if (mount.get("name") or key) == _OF_THE_AUTOSCALER:
            what = "in that volume is the autoscaler's token of Kubernetes"
            yield Fault(what, (*path, key), "Remove it: with it pods of any kind can be run.")
        yield from _two_paths(mount, (*path, key))


def mount_options(value: Any, path: Path) -> Iterator[Fault]:
    """Of `volumes` by name."""
    for name, volume in _each(value):
        yield from _two_paths(volume, (*path, name))


def refused_kinds(value: Any, path: Path) -> Iterator[Fault]:
    """Of `extraObjects` by name."""
    for name, manifest in _each(value):
        refused = refused_objects().get(str(manifest.get("kind")))
        if refused and refused.is_of(manifest):
            yield Fault(refused.why, (*path, name), f"{refused.instead}.")


def _two_paths(mount: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    if mount.get("subPath") and mount.get("subPathExpr"):
        yield Fault("Kubernetes takes subPath or subPathExpr", path, "Remove one of them.")


def _each(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, each in mapping(value).items():
        if isinstance(each, dict):
            yield str(name), each
