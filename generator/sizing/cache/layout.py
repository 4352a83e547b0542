"""How many tokens a given memory caches, and what a request takes of it: vLLM's blocks for one GPU of a replica.

Source: vLLM `v1/core/kv_cache_utils.py` and `v1/kv_cache_interface.py`; what differs between versions is in
`data/kv_cache.yaml`.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, floor

from generator.facts.vllm_cache import CacheBehaviour, cache_behaviour
from generator.sizing.cache.groups import CacheGroup, cache_groups, has_pages_that_are_refused
from generator.sizing.cache.pages import CacheOptions, caches_prefixes, pages, prompt_state, token_bytes
from generator.sizing.cache.specs import (
    AttentionSpec,
    CacheLayers,
    CacheSpec,
    CrossAttentionSpec,
    LayerSpecs,
    MambaSpec,
    MlaSpec,
    PackedMlaSpec,
)
from generator.sizing.parallelism import stages

LONGEST = 1 << 30
"""Tokens; where a context has no end, since nothing grows with it."""
_NEAR = "blocks of DeepSeek V4 are counted as vLLM 0.29 makes them, which earlier versions do only nearly"


@dataclass(frozen=True, kw_only=True)
class CacheLayout:
    """The cache of one GPU, on the pipeline stage where a block takes most. Without groups nothing is kept."""

    groups: tuple[CacheGroup, ...]
    stage_layers: tuple[range, ...]
    """Decoder layers of each pipeline stage."""
    state_blocks: int
    """Blocks that a group of recurrent layers takes of every request, whatever its length."""
    batched_tokens: int
    steps_in_flight: int
    behaviour: CacheBehaviour
    token_bytes: int
    """Bytes that one token more takes of a GPU, in the layers that keep all tokens and without padding."""
    exact: bool
    why: str
    """What is not known of the architecture, or of this version's blocks, where it is not exact."""
    refusal: str
    """Why vLLM does not start with this cache, in words; empty where it does."""
    least: CacheLayout | None
    """Where it is not exact: the layout that takes least, as far as the configuration tells."""
    most: CacheLayout | None
    """And the one that takes most."""

    @property
    def keeps_nothing(self) -> bool:
        """An encoder's requests are answered in one step: there is no cache, and no limit by it."""
        return not self.groups

    @cached_property
    def block_bytes(self) -> int:
        """Bytes of a block, which holds a share of one group's layers."""
        return max(
            (group.block_bytes(layers) for group in self.groups for layers in self.stage_layers),
            default=0,
        )

    @cached_property
    def block_tokens(self) -> int:
        """Tokens that a block of attention holds; 1 where nothing attends."""
        return min((group.block_tokens for group in self.groups if group.block_tokens), default=1)

    def blocks(self, available_bytes: float) -> int:
        """Blocks in all. One of them is vLLM's own null block, which no request gets."""
        return max(0, floor(available_bytes / self.block_bytes)) if self.groups else 1

    def blocks_of_request(self, tokens: int) -> int:
        """Blocks that a request of so many tokens takes at most, of all groups."""
        return sum(self._blocks_of(group, tokens) for group in self.groups)

    def _blocks_of(self, group: CacheGroup, tokens: int) -> int:
        if group.block_tokens is None:
            return self.state_blocks
        cache, step = group.cache, self.batched_tokens * self.steps_in_flight
        if isinstance(cache, CrossAttentionSpec):
            seen = cache.tokens if self.behaviour.cross_tokens == "encoder" else self.batched_tokens
            return ceil(seen / group.block_tokens)
        if isinstance(cache, AttentionSpec) and cache.chunk:
            return ceil(min(cache.chunk + step, tokens) / group.block_tokens)
        if isinstance(cache, AttentionSpec | MlaSpec | PackedMlaSpec) and cache.window:
            # One more, since a window need not begin where a block does.
            return ceil(min(cache.window - 1 + step, tokens) / group.block_tokens) + 1
        return ceil(tokens / group.block_tokens)

    def needed_bytes(self, context: int) -> int:
        """Memory without which vLLM does not start: for one request of full `context`, as this version counts it."""
        null = int(self.behaviour.start_needs == "request_and_null_block") if self.groups else 0
        return (self.blocks_of_request(context) + null) * self.block_bytes

    def holds(self, available_bytes: float, context: int) -> bool:
        """vLLM's condition at start: memory for one request of full `context`."""
        return not self.refusal and self.needed_bytes(context) <= available_bytes

    def concurrency(self, available_bytes: float, context: int) -> float:
        """How many requests of full `context` (tokens) the memory holds at once, as vLLM prints it."""
        needed = self.blocks_of_request(context)
        return self.blocks(available_bytes) / needed if needed else math.inf

    def tokens(self, available_bytes: float, context: int) -> int:
        """Tokens that the memory holds, as vLLM prints them: "GPU KV cache size". 0 where nothing is kept."""
        if not self.groups:
            return 0
        if self.behaviour.printed_tokens == "concurrency":
            return int(self.concurrency(available_bytes, context) * context)
        smallest = min(group.block_tokens or context for group in self.groups)
        return self.blocks(available_bytes) // len(self.groups) * smallest

    def longest_context(self, available_bytes: float, most: int = LONGEST) -> int:
        """The most tokens, up to `most`, with which vLLM would start; 0: not even with one."""
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.holds(available_bytes, middle) else (low, middle - 1)
        return low

    def most_sequences(self, available_bytes: float) -> int:
        """Requests that can run at once at their shortest; without end where nothing is kept."""
        if not self.groups:
            return sys.maxsize
        return max(0, self.blocks(available_bytes) - 1) // self.blocks_of_request(1)


def cache_layout(layers: CacheLayers, options: CacheOptions) -> CacheLayout:
    """The cache of a model whose layers are `layers`, split as `options` says, on the GPU where a block takes most.

    Raises UserError for a type of cache that is not known.
    """
    behaviour = cache_behaviour(options.vllm)
    if options.windows_keep_all:
        layers = replace(layers, layers=_without_windows(layers.layers))
    layer_pages = pages(layers, options, behaviour)
    groups = tuple(cache_groups(layer_pages, behaviour))
    of_stages = tuple(stages(len(layers.layers), options.pipeline_parallel))
    near = layers.packed and behaviour.packed_blocks == "not_followed"
    least, most = (
        None if bound is None else cache_layout(replace(layers, layers=bound, least=None, most=None), options)
        for bound in (layers.least, layers.most)
    )
    return CacheLayout(
        groups=groups,
        stage_layers=of_stages,
        state_blocks=_state_blocks(layers, options, behaviour),
        batched_tokens=options.batched_tokens,
        steps_in_flight=behaviour.concurrent_steps(
            options.pipeline_parallel, async_scheduling=options.async_scheduling
        ),
        behaviour=behaviour,
        token_bytes=_token_bytes(layers, options, of_stages),
        exact=layers.exact and not near,
        why=layers.why or (_NEAR if near else ""),
        refusal=_refusal(layers, options, unequal=has_pages_that_are_refused(layer_pages, behaviour)),
        least=least,
        most=most,
    )


def _without_windows(layers: LayerSpecs) -> LayerSpecs:
    """Windows and chunks as layers that see all tokens, where there are such too (`unify_hybrid_kv_cache_specs`)."""

    def is_local(cache: CacheSpec) -> bool:
        return isinstance(cache, AttentionSpec) and bool(cache.window or cache.chunk)

    attending = [cache for layer in layers for cache in layer if isinstance(cache, AttentionSpec)]
    if all(is_local(cache) for cache in attending):
        return layers
    return tuple(
        tuple(
            replace(cache, window=None, chunk=None) if isinstance(cache, AttentionSpec) and is_local(cache) else cache
            for cache in layer
        )
        for layer in layers
    )


def _state_blocks(layers: CacheLayers, options: CacheOptions, behaviour: CacheBehaviour) -> int:
    """With prefix caching the state, the one before it and that at the end of the prompt, where it is kept."""
    if not caches_prefixes(layers, options, behaviour):
        return 1 + options.speculative_tokens
    kept = prompt_state(layers.state, options, behaviour) is not None
    return behaviour.prefix_state_blocks + kept + options.speculative_tokens


def _refusal(layers: CacheLayers, options: CacheOptions, *, unequal: bool) -> str:
    if unequal:
        return "this vLLM version cannot bring the layers' cache pages to one size"
    if options.windows_keep_all and layers.state is not None and layers.has_attention:
        # vllm/v1/core/kv_cache_utils.py::_promote_local_kv_cache_specs, 0.29.0
        return "vLLM keeps attention beside states by its hybrid cache manager alone, and that is off (as LMCache asks)"
    if layers.packed and not options.kv_cache_dtype.startswith("fp8"):
        return "DeepSeek V4 starts with an fp8 cache only (kv_cache_dtype fp8)"
    return ""


def _token_bytes(layers: CacheLayers, options: CacheOptions, of_stages: tuple[range, ...]) -> int:
    each = [
        sum(
            token_bytes(cache, options)
            for cache in layer
            if not isinstance(cache, MambaSpec | CrossAttentionSpec) and not cache.window
        )
        for layer in layers.layers
    ]
    return max(sum(each[layer] for layer in stage) for stage in of_stages)
