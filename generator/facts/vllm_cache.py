"""How one vLLM version caches: `data/kv_cache.yaml`, looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from generator.errors import UserError
from generator.facts.files import as_of, read_data

Platform = Literal["gpu", "cpu"]


@dataclass(frozen=True, kw_only=True)
class CacheBehaviour:
    """The fields are the data file's words, which says what they mean and where each was read."""

    group_by_largest_below: float
    unequal_pages: Literal["refused", "larger_blocks", "padded"]
    printed_tokens: Literal["blocks_by_group", "concurrency"]
    start_needs: Literal["request", "request_and_null_block"]
    in_flight: Literal["one", "concurrent", "concurrent_by_stage"]
    hybrid_prefix_caching: bool
    prefix_state_blocks: int
    latent_alignment: int
    prompt_states: Mapping[str, int]
    delta_matrix: Literal["own", "asked"]
    window_block: Literal["same", "smallest", "largest"]
    chunked_local: Literal["all", "chunk"]
    cross_tokens: Literal["encoder", "step"]
    packed_blocks: Literal["not_followed", "side_by_side"]
    blackwell_glm: str

    def concurrent_steps(self, stages: int, *, async_scheduling: bool = True) -> int:
        """Steps whose tokens are in flight at once, for that many pipeline stages."""
        if self.in_flight == "one":
            return 1
        if not async_scheduling:
            return stages
        if self.in_flight == "concurrent_by_stage":
            return stages + 1
        return 2 if stages == 1 else stages


@cache
def cache_behaviour(vllm: str) -> CacheBehaviour:
    """How vLLM `vllm` caches."""
    row = as_of(vllm, read_data("kv_cache.yaml")["versions"])
    return CacheBehaviour(
        group_by_largest_below=row["groupByLargestBelow"],
        unequal_pages=row["unequalPages"],
        printed_tokens=row["printedTokens"],
        start_needs=row["startNeeds"],
        in_flight=row["inFlight"],
        hybrid_prefix_caching=row["hybridPrefixCaching"],
        prefix_state_blocks=row["prefixStateBlocks"],
        latent_alignment=row["latentAlignment"],
        prompt_states=row["promptStates"],
        delta_matrix=row["deltaMatrix"],
        window_block=row["windowBlock"],
        chunked_local=row["chunkedLocal"],
        cross_tokens=row["crossTokens"],
        packed_blocks=row["packedBlocks"],
        blackwell_glm=row["blackwellGlm"],
    )


def usual_blocks(platform: Platform) -> dict[str, int]:
    """Tokens of a block by what is kept (the data file's words), and the smallest, which windows use."""
    blocks: dict[str, int] = read_data("kv_cache.yaml")["blocks"][platform]
    return blocks


def dtype_bytes(name: str, *, where: str = "kv_cache_dtype") -> int:
    """Bytes of one entry of a cache type. Raises UserError for a type that is not known."""
    known: dict[str, int] = read_data("kv_cache.yaml")["dtypes"]
    if name not in known:
        raise UserError.unknown("type of cache", name, known, where=where)
    return known[name]


def fp8_ds_mla_bytes() -> int:
    """Bytes of one token's latent in the cache of type fp8_ds_mla."""
    size: int = read_data("kv_cache.yaml")["fp8DsMlaBytes"]
    return size


def prompt_state_kernels() -> Mapping[int, int | None]:
    """Compute capabilities whose kernels can keep the state at a prompt's end, and the width of keys they ask for."""
    kernels: Mapping[int, int | None] = read_data("kv_cache.yaml")["promptStateKernels"]
    return kernels


@dataclass(frozen=True, kw_only=True)
class PackedPages:
    """Pages of DeepSeek V4."""

    vector_bytes: int
    """Of a latent and its scales."""
    page_multiple: int
    """Bytes to a multiple of which a page is padded."""
    window_block: int
    """Tokens of a window's block."""
    open_blocks: Mapping[int, int]
    """Tokens of a block of what is not compressed yet, by its window."""


@cache
def packed_pages() -> PackedPages:
    row = read_data("kv_cache.yaml")["packed"]
    return PackedPages(
        vector_bytes=row["vectorBytes"],
        page_multiple=row["pageMultiple"],
        window_block=row["windowBlock"],
        open_blocks=row["openBlocks"],
    )
