"""Pages: the bytes that one layer keeps in one block, on one GPU of a tensor parallel group.

Source: `page_size_bytes` of vLLM's `v1/kv_cache_interface.py`, and `platforms/interface.py::_align_hybrid_block_size`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, lcm

from generator.facts.vllm_cache import (
    CacheBehaviour,
    Platform,
    cache_behaviour,
    dtype_bytes,
    fp8_ds_mla_bytes,
    packed_pages,
    prompt_state_kernels,
    usual_blocks,
)
from generator.sizing.cache.specs import (
    AttentionSpec,
    CacheLayers,
    CacheSpec,
    CrossAttentionSpec,
    MambaSpec,
    MlaSpec,
    PackedMlaSpec,
)


@dataclass(frozen=True, kw_only=True)
class CacheOptions:
    """The engine arguments that the cache depends on."""

    dtype: str
    """The model's: bfloat16, float16 or float32."""
    vllm: str
    """vLLM's version."""
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    batched_tokens: int = 2048
    """Tokens of one step (max_num_batched_tokens): what a sliding window holds beside itself."""
    kv_cache_dtype: str = "auto"
    state_dtype: str | None = None
    """Type of the recurrent layers' matrices (mamba_ssm_cache_dtype) where it is not the model's."""
    block_tokens: int | None = None
    """What --block-size asks for; None: vLLM's own choice."""
    prefix_caching: bool | None = None
    """None: vLLM's own choice."""
    windows_keep_all: bool = False
    """Windows and chunks are cached like layers that see all tokens."""
    speculative_tokens: int = 0
    async_scheduling: bool = True
    platform: Platform = "gpu"
    compute_capability: float = 9.0

    @property
    def cache_dtype(self) -> str:
        return self.dtype if self.kv_cache_dtype == "auto" else self.kv_cache_dtype


@dataclass(frozen=True)
class Page:
    """One layer's share of a block."""

    cache: CacheSpec
    block_tokens: int | None
    """Tokens of a block; None: a block holds a request's state, whatever its length."""
    bytes: int

    @cached_property
    def kind(self) -> tuple[int | None, str, int | None]:
        """Pages of one kind need as many blocks as one another."""
        cache = self.cache
        if isinstance(cache, MambaSpec):
            return self.block_tokens, "state", None
        if isinstance(cache, AttentionSpec) and cache.chunk:
            return self.block_tokens, "chunk", cache.chunk
        if isinstance(cache, AttentionSpec | MlaSpec | PackedMlaSpec):
            return self.block_tokens, "window" if cache.window else "all", cache.window
        return self.block_tokens, "cross", None


def token_bytes(cache: AttentionSpec | MlaSpec | PackedMlaSpec | CrossAttentionSpec, options: CacheOptions) -> int:
    """Bytes that one token takes in one layer, on one GPU; rounded up where several share a vector."""
    if isinstance(cache, PackedMlaSpec):
        return ceil(_vector_bytes(cache) / cache.tokens_each)
    if isinstance(cache, MlaSpec):
        if options.kv_cache_dtype == "fp8_ds_mla" and cache.bytes_each is None:
            return fp8_ds_mla_bytes()
        return cache.width * (cache.bytes_each or dtype_bytes(options.cache_dtype))
    heads = max(1, cache.heads // options.tensor_parallel)
    width = cache.key_dim + (cache.value_dim if isinstance(cache, AttentionSpec) else cache.key_dim)
    return heads * width * dtype_bytes(options.cache_dtype)


def _vector_bytes(cache: PackedMlaSpec) -> int:
    return cache.vector_bytes or packed_pages().vector_bytes


def state_bytes(state: MambaSpec, options: CacheOptions) -> int:
    """Bytes of one recurrent layer's state of one request, on one GPU: the convolution's window and the matrices."""
    tensor = options.tensor_parallel
    groups = state.groups if state.groups % tensor == 0 else tensor
    rows = state.rows + (options.speculative_tokens if state.speculative_rows else 0)
    window = (state.channels + groups * state.group_channels) // tensor * rows * dtype_bytes(options.dtype)
    is_fixed = state.kind == "linear_attention" or (
        state.kind == "kimi_delta" and cache_behaviour(options.vllm).delta_matrix == "own"
    )
    requested = None if is_fixed else options.state_dtype
    matrix_dtype = requested or state.matrix_dtype or options.dtype
    return window + state.heads // tensor * state.matrix * dtype_bytes(matrix_dtype)


def prompt_state(state: MambaSpec | None, options: CacheOptions, behaviour: CacheBehaviour) -> int | None:
    """Tokens of which a hybrid's block is a multiple where the state at the end of a prompt is kept; None: it is not.

    With prefix caching only. A gated delta net's is given out by FlashInfer's kernels, which not every GPU has.
    """
    tokens = None if state is None else behaviour.prompt_states.get(state.kind)
    if tokens is None or state is None or state.kind != "gated_delta_net":
        return tokens
    kernels, generation = prompt_state_kernels(), int(options.compute_capability)
    if options.platform == "cpu" or state.key_dim is None or generation not in kernels:
        return None
    return tokens if kernels[generation] in (None, state.key_dim) else None


def caches_prefixes(layers: CacheLayers, options: CacheOptions, behaviour: CacheBehaviour) -> bool:
    """Whether prefixes of a model with recurrent layers are cached: as asked, or as this version does by itself."""
    if options.prefix_caching is not None:
        return options.prefix_caching
    return behaviour.hybrid_prefix_caching and layers.has_attention


def pages(layers: CacheLayers, options: CacheOptions, behaviour: CacheBehaviour) -> list[list[Page]]:
    """Return every decoder layer's pages.

    Where layers attend and others keep a state, the blocks of attention grow until its page holds a state, and the
    state's page is padded to that.
    """
    block = _block_tokens(layers, options)
    state = layers.state
    page_of_state = max((state_bytes(c, options) for c in layers.caches if isinstance(c, MambaSpec)), default=0)
    attending = next((cache for cache in layers.caches if not isinstance(cache, MambaSpec)), None)
    if state is not None and attending is not None and page_of_state:
        each = token_bytes(attending, options)
        step = max(block, behaviour.latent_alignment) if isinstance(attending, MlaSpec) else block
        if caches_prefixes(layers, options, behaviour):
            step = lcm(step, prompt_state(state, options, behaviour) or 1)
        block = max(block, step * ceil(page_of_state / (step * each)))
        page_of_state = block * each

    window_block = _window_tokens(block, options, behaviour)
    chunked = any(isinstance(cache, AttentionSpec) and cache.chunk for cache in layers.caches)

    def page(cache: CacheSpec) -> Page:
        if isinstance(cache, MambaSpec):
            return Page(cache, None, page_of_state or state_bytes(cache, options))
        if isinstance(cache, PackedMlaSpec):
            return _packed_page(cache, block)
        if chunked and behaviour.chunked_local == "all" and isinstance(cache, AttentionSpec):
            cache = replace(cache, window=None, chunk=None)
        tokens = window_block if getattr(cache, "window", None) else block
        return Page(cache, tokens, tokens * token_bytes(cache, options))

    # Most layers are like others.
    made = {cache: page(cache) for cache in set(layers.caches)}
    return [[made[cache] for cache in layer] for layer in layers.layers]


def _packed_page(cache: PackedMlaSpec, block: int) -> Page:
    """A page of DeepSeek V4: whole vectors, padded to a multiple that the kernels ask for."""
    packed = packed_pages()
    tokens, multiple = block, packed.page_multiple
    if cache.part == "window":
        tokens = packed.window_block
    elif cache.part == "open" and cache.window:
        tokens = packed.open_blocks[cache.window]
    return Page(cache, tokens, ceil(tokens // cache.tokens_each * _vector_bytes(cache) / multiple) * multiple)


def _block_tokens(layers: CacheLayers, options: CacheOptions) -> int:
    """Tokens of a block, before it grows beside states."""
    latents = [cache for cache in layers.caches if isinstance(cache, MlaSpec)]
    sparse = any(cache.bytes_each for cache in latents)
    kind = "sparseLatent" if sparse else "latent" if latents else "attention"
    if layers.packed:
        kind = "packedLatent"
    if latents and layers.state is not None:
        kind = "attention"  # a hybrid's block is aligned afterwards, whatever the kernel's is
    return options.block_tokens or usual_blocks(options.platform)[kind]


def _window_tokens(block: int, options: CacheOptions, behaviour: CacheBehaviour) -> int:
    """Tokens of a sliding window's block, where others have `block`. Kernels take multiples of their smallest."""
    smallest = usual_blocks(options.platform)["window"]
    if behaviour.window_block == "same":
        return block
    return smallest if behaviour.window_block == "smallest" else max(smallest, block // smallest * smallest)
