"""GPU types: `data/gpus.yaml`, by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from generator.errors import UserError
from generator.facts.files import read_data


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
    amd: bool = False
    """AMD's; otherwise NVIDIA's."""
    nvlink: bool = False
    """GPUs of a node reach each other's memory."""
    mig: str | None = None
    """The MIG profile, such as 3g.40gb, where the type is a slice of a GPU."""

    @property
    def resource_name(self) -> str:
        """What Kubernetes calls it: NVIDIA's device plugin names slices after their profile (strategy `mixed`)."""
        if self.amd:
            return "amd.com/gpu"
        return f"nvidia.com/mig-{self.mig}" if self.mig else "nvidia.com/gpu"


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
            amd=row.get("amd", False),
            nvlink=row.get("nvlink", False),
            mig=row.get("mig"),
            source=row["source"],
        )
        for name, row in read_data("gpus.yaml").items()
    }


def gpu(name: str, *, where: str) -> Gpu:
    if name not in gpus():
        raise UserError.unknown("GPU type", name, gpus(), where=where)
    return gpus()[name]


def cpu_engine_gib() -> float:
    """Memory of a CPU engine beside weights and cache (GiB). Evidence: data/memory.yaml."""
    return read_data("memory.yaml")["cpuEngineGiB"]


def process_context_gib() -> float:
    """GiB that a process takes of a GPU before vLLM's budget begins: its CUDA context. Evidence: data/sharing.yaml."""
    return read_data("sharing.yaml")["processContextGiB"]
