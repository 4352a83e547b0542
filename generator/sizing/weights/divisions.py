"""How a replica can be divided: tensor parallel sizes by which vLLM can divide a model. Takes its layers."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from generator.sizing.cache.specs import AttentionSpec, CacheLayers, MambaSpec
from generator.sizing.config.config import ModelConfig
from generator.sizing.weights.feed_forward import expert_width, experts_of


@dataclass(frozen=True, kw_only=True)
class Split:
    """How a replica is divided: layers' width over `tensor` GPUs of a node, layers over `pipeline` nodes.

    And of a mixture of experts, requests over `data` ranks, which divide the experts among them all.
    """

    tensor: int = 1
    pipeline: int = 1
    data: int = 1

    @property
    def gpus(self) -> int:
        return self.tensor * self.pipeline * self.data

    def ranks_together(self, gpus_per_node: int) -> int:
        """Data parallel ranks that lie on a node: as many as it has room for, and leave no rest on another."""
        parts = range(max(1, gpus_per_node // self.tensor), 0, -1)
        return next(n for n in parts if self.data % n == 0) if self.pipeline == 1 else 1


def division_refusal(config: ModelConfig, caches: CacheLayers, tensor: int) -> str:
    """Why vLLM cannot divide the model by `tensor`, in words; empty where it can.

    Every kind of head must divide. Key-value heads may also be repeated, when the size is a multiple of their number,
    and one group of Mamba heads may be (`mamba_mixer2.py`). The vocabulary is padded to 64 and divided
    (`vocab_parallel_embedding.py`, 0.29.0).
    """
    for what, size in _sizes(config, caches):
        if size % tensor:
            return f"{what} ({size:,}) cannot be divided by {tensor}"
    for cache in set(caches.caches):
        if isinstance(cache, AttentionSpec) and cache.heads % tensor and tensor % cache.heads:
            return f"{cache.heads} key-value heads can be neither divided by {tensor} nor repeated"
        if isinstance(cache, MambaSpec) and cache.groups > 1 and cache.groups % tensor:
            return f"{cache.groups} groups of Mamba heads cannot be divided by {tensor}"
    return ""


def expert_division_refusal(config: ModelConfig, parts: int) -> str:
    """Why an expert cannot be cut into so many parts, as data parallel ranks do that have no whole experts.

    Source: `vllm/model_executor/layers/fused_moe/config.py::FusedMoEParallelConfig.make`, 0.29.0.
    """
    width = expert_width(config) if experts_of(config) else 0
    return f"an expert's intermediate size ({width:,}) cannot be divided by {parts}" if width % parts else ""


def _sizes(config: ModelConfig, caches: CacheLayers) -> list[tuple[str, int]]:
    sizes = [("the number of attention heads", config.integer("num_attention_heads") or 0)]
    sizes.append(("the vocabulary, padded", ceil((config.integer("vocab_size") or 0) / 64) * 64))
    if not experts_of(config):
        sizes.append(("the intermediate size", config.integer("intermediate_size") or 0))
    else:
        sizes.append(("an expert's intermediate size", expert_width(config)))
    if caches.packed:
        sizes.append(("the number of output groups", config.needed("o_groups")))
    sizes += [
        ("the number of state heads", cache.heads) for cache in set(caches.caches) if isinstance(cache, MambaSpec)
    ]
    sizes += [("the state's channels", cache.channels) for cache in set(caches.caches) if isinstance(cache, MambaSpec)]
    return sizes
