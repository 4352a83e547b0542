"""GPU types: `data/gpus.yaml`, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from generator.errors import UserError
from generator.facts.files import read_data
from generator.facts.own import OwnFacts, own_facts


@dataclass(frozen=True, kw_only=True)
class Device:
    """What of a GPU memory depends on; or the memory that a CPU engine is given, and its name."""

    name: str
    memory_gib: float
    """The total as CUDA reports it to the process."""
    compute_capability: float = 9.0
    amd: bool = False
    """AMD's; otherwise NVIDIA's."""
    nvlink: bool = True
    """GPUs of a node reach each other's memory."""
    mig: str | None = None
    """The MIG profile, such as 3g.40gb, where it is a slice of a GPU, which reaches no other."""
    is_known: bool = True
    """False where only the memory is said: what the GPU can do is then not asked."""

    @property
    def note(self) -> str:
        """What people should know of figures for it; nothing of GPUs that figures were held against."""
        if not self.amd:
            return ""
        return (
            "AMD's GPUs have no constants of their own: overhead is NVIDIA's, and padding, which the range of weights "
            "holds, and graphs may take more"
        )


@dataclass(frozen=True, kw_only=True)
class Gpu(Device):
    """A GPU type that is known: also what it is sold as, and how fast it is."""

    # Not compared: the name says it, and sizing looks devices up by the thousands.
    label_gb: float = field(compare=False)
    """The size as sold, by which types are compared."""
    bandwidth_gbs: float = field(compare=False)
    """Of its memory, GB/s."""
    tflops: Mapping[str, float] = field(compare=False)
    """Dense tera-operations per second by type: fp16, bf16, fp8, int8, fp4, as far as the GPU has them."""
    arm64: bool = field(compare=False, default=False)
    """The processor of its host is Arm's; otherwise x86-64."""
    source: str = field(compare=False)
    replaced: str = field(default="", compare=False)
    """What a project's own row says otherwise than the known one; nothing where there is none."""

    @property
    def note(self) -> str:
        return "; ".join(filter(None, (super().note, self.replaced)))

    @property
    def resource_name(self) -> str:
        """What Kubernetes calls it: NVIDIA's device plugin names slices after their profile (strategy `mixed`)."""
        if self.amd:
            return "amd.com/gpu"
        return f"nvidia.com/mig-{self.mig}" if self.mig else "nvidia.com/gpu"


@cache
def shipped_gpus() -> dict[str, Gpu]:
    """The GPU types that come with the package, by name, smallest first."""
    return {name: _gpu(name, row) for name, row in read_data("gpus.yaml").items()}


def gpus() -> dict[str, Gpu]:
    """Every known GPU type by name, smallest first: the project's own too, which win."""
    own = own_facts()
    return _with_own(own) if own.gpus else shipped_gpus()


@cache
def _with_own(own: OwnFacts) -> dict[str, Gpu]:
    known = dict(shipped_gpus())
    for name, row in own.gpus.items():
        known[name] = _gpu(name, row, replaced=_otherwise(name, row, own.file))
    return dict(sorted(known.items(), key=lambda item: item[1].label_gb))


def _otherwise(name: str, row: Mapping[str, Any], file: str) -> str:
    """In what a project's row differs from the known one."""
    known = read_data("gpus.yaml").get(name)
    if known is None:
        return ""
    said = {key: value for key, value in row.items() if key != "source" and value != known.get(key, _UNSAID.get(key))}
    return f"{file} replaces {name}" + "".join(
        f"{', ' if number else ': '}{key} {value} instead of {known.get(key, _UNSAID.get(key))}"
        for number, (key, value) in enumerate(said.items())
    )


_UNSAID = {"amd": False, "arm64": False, "nvlink": False, "mig": None}


def _gpu(name: str, row: Mapping[str, Any], *, replaced: str = "") -> Gpu:
    return Gpu(
        name=name,
        memory_gib=row["memoryGiB"],
        label_gb=row["labelGB"],
        compute_capability=row["computeCapability"],
        bandwidth_gbs=row["bandwidthGBs"],
        tflops=row["tflops"],
        amd=row.get("amd", False),
        arm64=row.get("arm64", False),
        nvlink=row.get("nvlink", False),
        mig=row.get("mig"),
        source=row["source"],
        replaced=replaced,
    )


def gpu(name: str, *, where: str) -> Gpu:
    if name not in gpus():
        raise UserError.unknown("GPU type", name, gpus(), where=where)
    return gpus()[name]


def cpu_engine_gib() -> float:
    """Memory of a CPU engine beside weights and cache (GiB). Evidence: data/memory.yaml."""
    size: float = read_data("memory.yaml")["cpuEngineGiB"]
    return size


def process_context_gib() -> float:
    """GiB that a process takes of a GPU before vLLM's budget begins: its CUDA context. Evidence: data/sharing.yaml."""
    size: float = read_data("sharing.yaml")["processContextGiB"]
    return size
