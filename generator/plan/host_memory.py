"""Memory of the host: what a replica is given of it for cached keys and values, and what its adapters take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from generator.facts.files import read_data
from generator.formats.environment import ModelService
from generator.plan.pools import NodePool
from generator.sizing.engine.engine import Engine
from generator.sizing.model import Model
from generator.sizing.weights.rank import WeightOptions, lora_bytes
from generator.units import GIB, quantity_gib


@dataclass(frozen=True, kw_only=True)
class HostMemory:
    """GiB of one replica."""

    offload_gib: float = 0.0
    shared_gib: float = 0.0
    """Of that, what lies in /dev/shm."""
    adapters_gib: float = 0.0
    """Copies of adapters, from which the GPUs' slots are filled."""

    @property
    def asked_gib(self) -> float:
        return self.offload_gib + self.adapters_gib

    def refusal(self, node_pool: NodePool, gpus: float) -> str:
        """Why `gpus` of a node have too little memory beside them; nothing where that suffices or nothing is asked."""
        if node_pool.gpu is None:
            return "KV offload is from GPUs to the host" if self.offload_gib else ""
        asked = self.asked_gib
        beside: int = read_data("host_memory.yaml")["besideGiB"]
        there = node_pool.memory_gib_per_node * gpus / node_pool.slots_per_node
        if not asked or asked + beside <= there:
            return ""
        parts = {"kvOffload": self.offload_gib, "adapters": self.adapters_gib, "all else": beside}
        needs = ", ".join(f"{name} {gib:.4g}" for name, gib in parts.items() if gib)
        return (
            f"a replica needs {asked + beside:.4g} GiB of the host's memory ({needs}), and beside its GPUs "
            f"the pool has {there:.4g}"
        )

    def lmcache_variables(self, gpus: int) -> dict[str, str]:
        """What LMCache reads in the process of each of the replica's GPUs: GiB."""
        return {"LMCACHE_LOCAL_CPU": "True", "LMCACHE_MAX_LOCAL_CPU_SIZE": f"{self.offload_gib / gpus:.4g}"}


def host_memory(overrides: ModelService, *, sized: Model, engine: Engine, dtype: str) -> HostMemory:
    """What the words of one model make of it."""
    offload = overrides.kvOffload
    offload_gib = quantity_gib(offload.memory) if offload else 0.0
    adapters = 0.0
    if engine.lora is not None:
        kept = (overrides.llmConfig.get("engine_kwargs") or {}).get("max_cpu_loras") or engine.lora.adapters
        one = WeightOptions(dtype=dtype, lora=replace(engine.lora, adapters=1))
        adapters = kept * lora_bytes(sized.matrices(), one) / GIB
    return HostMemory(
        offload_gib=offload_gib,
        shared_gib=offload_gib if offload and offload.backend == "native" else 0.0,
        adapters_gib=adapters,
    )
