"""What `generator/sizing` counts where `vllm_layers.py` has built a model, with the engine's arguments that it took."""

from __future__ import annotations

from generator.sizing.cache.layout import CacheLayout, cache_layout
from generator.sizing.cache.pages import CacheOptions
from generator.sizing.cache.specs import CacheLayers
from tests.contract.ray_2_60_0.vllm_layers import DTYPE, VllmCache


def counted_cache(
    layers: CacheLayers,
    theirs: VllmCache,
    *,
    tensor: int,
    pipeline: int = 1,
    dtype: str = "auto",
    block: int | None = None,
    on_gpu: bool = False,
) -> CacheLayout:
    cache_config = theirs.config.cache_config
    return cache_layout(
        layers,
        CacheOptions(
            dtype=DTYPE,
            vllm="0.29.0",
            tensor_parallel=tensor,
            pipeline_parallel=pipeline,
            batched_tokens=theirs.config.scheduler_config.max_num_batched_tokens,
            kv_cache_dtype=dtype,
            block_tokens=block,
            prefix_caching=cache_config.enable_prefix_caching,
            # The CPU platform sets the type of states by what the processor can do.
            state_dtype=None if cache_config.mamba_ssm_cache_dtype == "auto" else cache_config.mamba_ssm_cache_dtype,
            async_scheduling=False,
            platform="gpu" if on_gpu else "cpu",
        ),
    )


def groups_of(layout: CacheLayout) -> list[tuple[int, int, int]]:
    """As `VllmCache.groups`."""
    return sorted(
        (group.block_tokens or 0, sum(size for _, size in group.pages), len(group.pages)) for group in layout.groups
    )
