"""What the pods of rendered objects would have, on this machine: files, variables, logical resources."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.chart import Manifest
from generator.errors import UserError
from generator.units import quantity


def pod_templates(cluster: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def write_files(manifests: Sequence[Manifest], cluster: Mapping[str, Any], folder: Path) -> None:
    """Write every ConfigMap that a Ray container mounts to the mount's path, byte for byte.

    Containers beside Ray's do not run on this machine.
    """
    contents: dict[str, dict[str, bytes]] = {}
    for manifest in manifests:
        if manifest.get("kind") == "ConfigMap":
            files = {name: text.encode() for name, text in (manifest.get("data") or {}).items()}
            files |= {name: base64.b64decode(text) for name, text in (manifest.get("binaryData") or {}).items()}
            contents[manifest["metadata"]["name"]] = files
    for pod in pod_templates(cluster):
        names = {v["name"]: v["configMap"]["name"] for v in pod.get("volumes", []) if "configMap" in v}
        for mount in (m for m in pod["containers"][0].get("volumeMounts", []) if m["name"] in names):
            path = Path(mount["mountPath"])
            if folder not in path.parents:
                raise UserError(
                    f"ConfigMap '{names[mount['name']]}' is mounted at {path}, which is not ours to write",
                    fix=f"Mount it below {folder}, as machine_values() does with serving.modelsPath and appsPath.",
                )
            if names[mount["name"]] not in contents:
                raise UserError(
                    f"ConfigMap '{names[mount['name']]}' is in a cluster, and this is none",
                    fix="Name the files themselves in the environment (`apps.<name>.files`).",
                )
            path.mkdir(parents=True, exist_ok=True)
            for name, data in contents[names[mount["name"]]].items():
                (path / name).write_bytes(data)


def literal_environment(cluster: Mapping[str, Any]) -> dict[str, str]:
    """The variables of every Ray container that have a value of their own; those of Secrets stay this machine's."""
    literals: dict[str, str] = {}
    for pod in pod_templates(cluster):
        for variable in pod["containers"][0].get("env", []):
            name, value = variable["name"], variable.get("value")
            if value is not None and literals.setdefault(name, value) != value:
                both = f"'{literals[name]}' and '{value}'"
                raise UserError(
                    f"the pods differ in {name} ({both}), and one machine has one environment",
                    fix="Set it in `pods.env`, the same for all.",
                )
    return literals


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Logical resources: what Ray counts. The machine has what it has."""

    cpus: int
    gpus: int
    custom: dict[str, float]


def resources(cluster: Mapping[str, Any]) -> Resources:
    """All worker pods at their most, as one node."""
    cpus = gpus = 0.0
    custom: dict[str, float] = {}
    for group in cluster["workerGroupSpecs"]:
        pods = group["maxReplicas"]
        parameters = group.get("rayStartParams") or {}
        limits = group["template"]["spec"]["containers"][0].get("resources", {}).get("limits", {})
        # KubeRay rounds a pod's CPU limit up to whole CPUs.
        cpus += pods * float(parameters.get("num-cpus") or math.ceil(quantity(limits.get("cpu", 0))))
        gpus += pods * float(parameters.get("num-gpus") or 0)
        # A JSON object in the quotes that keep it one word in the shell line that KubeRay makes.
        text = parameters.get("resources", "{}").strip("'\"").replace('\\"', '"')
        for name, amount in {**json.loads(text), **(group.get("resources") or {})}.items():
            custom[name] = custom.get(name, 0.0) + pods * float(amount)
    return Resources(cpus=math.ceil(cpus), gpus=math.ceil(gpus), custom=custom)
