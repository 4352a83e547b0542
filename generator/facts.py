"""Facts as data: GPU types, vLLM's memory constants, and what each Ray release accepts. Read once, when asked for."""

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


@dataclass(frozen=True, kw_only=True)
class Gpu:
    name: str
    memory_gib: float
    """What CUDA reports to the process."""
    label_gb: float
    """The size as sold, by which types are compared."""
    compute_capability: float
    bandwidth_gbs: float
    """Of its memory, GB/s."""
    tflops: dict[str, float]
    """Dense tera-operations per second by type: fp16, bf16, fp8, int8, fp4, as far as the GPU has them."""
    source: str
    mig: str | None = None
    """The MIG profile, such as 3g.40gb, where the type is a slice of a GPU."""


@cache
def gpus() -> dict[str, Gpu]:
    """Every known GPU type by name, smallest first."""
    return {
        name: Gpu(
            name=name,
            memory_gib=row["memoryGiB"],
            label_gb=row["labelGB"],
            compute_capability=row["computeCapability"],
            bandwidth_gbs=row["bandwidthGBs"],
            tflops=row["tflops"],
            mig=row.get("mig"),
            source=row["source"],
        )
        for name, row in _read("gpus.yaml").items()
    }


def gpu(name: str, *, where: str) -> Gpu:
    if name not in gpus():
        raise UserError.unknown("GPU type", name, gpus(), where=where)
    return gpus()[name]


@dataclass(frozen=True, kw_only=True)
class MemoryConstants:
    """vLLM's memory besides weights and cache, for one vLLM version. Evidence: data/memory.yaml."""

    sampler_bytes: float
    cuda_graph_gib: float
    mamba_blocks: int
    non_torch_gib: dict[int, float]
    forward_mlp: float
    forward_hidden: float
    margin_gib: float
    weights_factor: float
    cpu_engine_gib: float


@cache
def memory_constants(vllm: str) -> MemoryConstants:
    """The constants of the newest entry that is not newer than `vllm`."""
    data = _read("memory.yaml")
    entries = {_version(version): row for version, row in data["versions"].items()}
    row = entries[max((v for v in entries if v <= _version(vllm)), default=min(entries))]
    return MemoryConstants(
        sampler_bytes=row["samplerBytes"],
        cuda_graph_gib=row["cudaGraphGiB"],
        mamba_blocks=row["mambaBlocks"],
        non_torch_gib=data["nonTorchGiB"],
        forward_mlp=data["forward"]["mlp"],
        forward_hidden=data["forward"]["hidden"],
        margin_gib=data["marginGiB"],
        weights_factor=data["weightsFactor"],
        cpu_engine_gib=data["cpuEngineGiB"],
    )


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
