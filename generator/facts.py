"""Facts as data: what each Ray release accepts, and the oldest KubeRay. Read once, when asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from .documents import SAFE_LOADER
from .errors import UserError

_DATA = files("generator") / "data"


def _read(name: str) -> Any:
    return yaml.load((_DATA / name).read_text(encoding="utf-8"), Loader=SAFE_LOADER)


@cache
def cpu_engine_gib() -> float:
    """Memory of a CPU engine beside weights and cache (GiB). Evidence: data/memory.yaml."""
    return _read("memory.yaml")["cpuEngineGiB"]


@cache
def process_context_gib() -> float:
    """GiB that a process takes of a GPU before vLLM's budget begins: its CUDA context. Evidence: data/sharing.yaml."""
    return _read("sharing.yaml")["processContextGiB"]


@dataclass(frozen=True, kw_only=True)
class RayRelease:
    """A Ray version with its vLLM. Sources: data/releases/<version>.yaml."""

    ray: str
    vllm: str
    facts: dict[str, Any]

    @property
    def placement_field(self) -> str:
        return self.facts["placementField"]

    @property
    def max_surge_percent(self) -> bool:
        return self.facts["maxSurgePercent"]

    @property
    def gpu_memory_utilization(self) -> float:
        return self.facts["gpuMemoryUtilization"]

    def arguments(self) -> dict[str, Any]:
        """The JSON Schema definitions of what this release accepts, extracted from its wheels."""
        return _arguments(self.ray)


@cache
def _arguments(ray: str) -> dict[str, Any]:
    return json.loads((_DATA / "releases" / f"{ray}.arguments.json").read_text(encoding="utf-8"))["definitions"]


@cache
def releases() -> dict[str, RayRelease]:
    """Every known Ray release by version, oldest first."""
    rows = [_read(f"releases/{entry.name}") for entry in (_DATA / "releases").iterdir() if entry.name.endswith(".yaml")]
    rows.sort(key=lambda row: _version(row["ray"]))
    return {row["ray"]: RayRelease(ray=row["ray"], vllm=row["vllm"], facts=row) for row in rows}


def release(version: str, *, where: str) -> RayRelease:
    if version not in releases():
        raise UserError.unknown("Ray release", version, releases(), where=where)
    return releases()[version]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


@dataclass(frozen=True, kw_only=True)
class KubeRayField:
    since: str
    """The first KubeRay that knows the field."""
    instead: str
    """What to do with an older one."""


@dataclass(frozen=True, kw_only=True)
class KubeRay:
    least: str
    """The oldest version that the chart is made for."""
    fields: dict[str, KubeRayField]
    """By path in a RayService, what not every version knows."""
    autoscaler: dict[str, str]
    """What the autoscaler beside the head asks for by default."""


@cache
def kuberay() -> KubeRay:
    row = _read("kuberay.yaml")
    fields = {path: KubeRayField(**field) for path, field in row["fields"].items()}
    return KubeRay(least=row["least"], fields=fields, autoscaler=row["autoscaler"])


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """What an engine makes of a GPU's peak figures. Evidence: data/throughput.yaml."""

    bandwidth_share: float
    compute_share: float
    step_seconds: float
    seconds_per_layer: float
    busy_share: float


@cache
def throughput() -> Throughput:
    row = _read("throughput.yaml")
    return Throughput(
        bandwidth_share=row["bandwidthShare"],
        compute_share=row["computeShare"],
        step_seconds=row["stepSeconds"],
        seconds_per_layer=row["secondsPerLayer"],
        busy_share=row["busyShare"],
    )


@dataclass(frozen=True, kw_only=True)
class Prices:
    currency: str
    list: str
    """Whose prices these are, and when they were read."""
    per_gpu_hour: dict[str, float]
    """By GPU type."""


@cache
def prices() -> Prices:
    row = _read("prices.yaml")
    return Prices(currency=row["currency"], list=f"{row['list']}, {row['date']}", per_gpu_hour=row["perGpuHour"])
