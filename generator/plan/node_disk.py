"""The disk of a pool's nodes: which downloads lie on it, and the most that one worker pod has there at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from generator.documents.merge import JsonObject, merged
from generator.facts.disk import disk_facts
from generator.formats.chart_values import ModelCache
from generator.formats.environment import Pool
from generator.plan.downloads import Download
from generator.units import GIB, quantity_gib

KEEP_ELSEWHERE = "keep the models in a claim (`chart: {modelCache: {type: persistentVolumeClaim, claimName: …}}`)"


@dataclass(frozen=True, kw_only=True)
class NodeDisk:
    """The disk of one node, and which folders of its worker pods are on it."""

    gib: float | None
    """What pods may use of it; None: not known."""
    cache: str
    """The folder into which the hub's models and buckets are downloaded."""
    volumes: Mapping[str, bool]
    """Folders at which volumes are mounted, and whether each is on the node's disk."""

    def held(self, downloads: Iterable[Download]) -> frozenset[Download]:
        """Those that lie on the disk."""
        return frozenset(one for one in downloads if self._is_on_disk(one.folder or self.cache))

    def request_gib(self, files_bytes: float) -> int:
        """What a worker pod with these files asks for: with all else that it writes. 0 without files."""
        return ceil(files_bytes / GIB + disk_facts().allowance_gib) if files_bytes else 0

    def refusal(self, downloads: Iterable[Download]) -> str:
        """Why no worker can hold the files of one model; nothing where one can, or the disk is not known."""
        if self.gib is None:
            return ""
        asked = self.request_gib(sum(one.bytes for one in self.held(downloads)))
        if asked <= self.gib:
            return ""
        beside = f"{disk_facts().allowance_gib} of them for logs and kernels"
        return f"with its files a pod needs {asked} GiB of disk, {beside}, and a node has {self.gib:.4g}"

    def _is_on_disk(self, folder: str) -> bool:
        """By the volume that it is in; outside of all volumes a container writes to the node's disk."""
        at = [path for path in self.volumes if f"{folder.rstrip('/')}/".startswith(f"{path.rstrip('/')}/")]
        return self.volumes[max(at, key=len)] if at else True


def node_disk(pool: Pool, chart: JsonObject) -> NodeDisk:
    """The disk of a pool's nodes. `chart` is what the environment says of the chart for all pools."""
    pods, group = chart.get("pods") or {}, pool.workerGroup
    model_cache = ModelCache.model_validate(chart.get("modelCache") or {})
    env = merged(pods.get("env") or {}, group.get("env") or {})
    volumes: dict[str, Any] = {
        "model-cache": {"mountPath": model_cache.mountPath, model_cache.type: {}},
        **(pods.get("volumes") or {}),
        **(group.get("volumes") or {}),
    }
    home = _text(env.get("HF_HOME")) or model_cache.mountPath
    return NodeDisk(
        gib=quantity_gib(pool.diskPerNode) if pool.diskPerNode else None,
        cache=_text(env.get("HF_HUB_CACHE")) or f"{home}/hub",
        volumes={at: _is_of_node(volume) for volume in volumes.values() if (at := (volume or {}).get("mountPath"))},
    )


def _text(value: Any) -> str:
    """A variable's value; nothing where it is a reference, which only the cluster knows."""
    return value if isinstance(value, str) else ""


def _is_of_node(volume: Mapping[str, Any]) -> bool:
    """An emptyDir that is not memory. Kubernetes counts no other volume as a pod's ephemeral-storage."""
    return "emptyDir" in volume and (volume["emptyDir"] or {}).get("medium") != "Memory"


def most_at_once(pieces: Mapping[frozenset[Download], int], units: int) -> float:
    """The most bytes that one worker can hold at once, of the pool's models.

    `pieces` is, for all that a model downloads, the smallest room that a replica takes of a worker; `units` is the room
    of a worker. Replicas of one model share its files. What a replica left behind that went elsewhere is not counted.
    """
    if sum(pieces.values()) <= units:
        return sum(one.bytes for one in frozenset[Download]().union(*pieces))
    most = [0.0] * (units + 1)
    for files, piece in pieces.items():
        size = sum(one.bytes for one in files)
        for room in range(units, piece - 1, -1):
            most[room] = max(most[room], most[room - piece] + size)
    return most[units]
