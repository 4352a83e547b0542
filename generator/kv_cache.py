"""How many tokens a given memory caches: vLLM's pages, groups and blocks for one parallel rank.

Formulas: vLLM `v1/core/kv_cache_utils.py` and each model's `get_kv_cache_spec` (0.10.0 to 0.29.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

from .catalog import Architecture

DTYPE_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
# vllm/config/cache.py and vllm/platforms/cpu.py, 0.29.0
BLOCK_TOKENS = 16
CPU_BLOCK_TOKENS = 128


@dataclass(frozen=True, kw_only=True)
class CacheLayout:
    """The cache of one rank. A block holds `block_tokens` tokens of one group's layers, `block_bytes` in all."""

    block_tokens: int
    block_bytes: int
    state_blocks: int
    """Blocks that every request takes whatever its length: the state of Mamba layers."""
    exact: bool
    """False where the layers are counted as full attention because nothing better is known of them."""

    def blocks(self, available_bytes: float) -> int:
        """Blocks in all. One of them is vLLM's own null block, which no request gets."""
        return max(0, floor(available_bytes / self.block_bytes))

    def holds(self, available_bytes: float, context: int) -> bool:
        """vLLM's condition at start: one request of full `context` beside the null block.

        Source: vLLM 0.29.0, `v1/core/kv_cache_utils.py::check_enough_kv_cache_memory`.
        """
        return self.blocks(available_bytes) - 1 >= self.blocks_of_request(context)

    def blocks_of_request(self, tokens: int) -> int:
        return ceil(tokens / self.block_tokens) + self.state_blocks

    def concurrency(self, available_bytes: float, context: int) -> float:
        """How many requests of full `context` (tokens) the memory holds at once, as vLLM prints it."""
        return self.blocks(available_bytes) / self.blocks_of_request(context)

    def longest_context(self, available_bytes: float) -> int:
        """The most tokens that one request can have."""
        return max(0, self.blocks(available_bytes) - 1 - self.state_blocks) * self.block_tokens


KNOWN_FULL_ATTENTION = frozenset({"LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM", "Phi3ForCausalLM"})


def cache_layout(
    architecture: Architecture,
    *,
    dtype: str,
    tensor_parallel: int,
    pipeline_parallel: int,
    state_blocks: int,
    state_dtype: str | None = None,
    block_tokens: int = BLOCK_TOKENS,
) -> CacheLayout:
    """The cache of the fullest rank of a model split `tensor_parallel` x `pipeline_parallel` ways.

    `state_blocks` is the blocks of Mamba state for one request (data/memory.yaml); attention-only models take none.
    `state_dtype` is the type of that state where it is not `dtype`; `block_tokens` the smallest block.
    """
    width = DTYPE_BYTES[dtype]
    layers = ceil(architecture.num_hidden_layers / pipeline_parallel)
    if architecture.kv_lora_rank and architecture.qk_rope_head_dim:
        # The compressed cache of multi-head latent attention is one for all heads, so tensor parallelism repeats it.
        token_bytes = (architecture.kv_lora_rank + architecture.qk_rope_head_dim) * width
    else:
        heads = max(1, architecture.num_key_value_heads // tensor_parallel)
        token_bytes = heads * 2 * architecture.head_dim * width
    if architecture.mamba_d_ssm is None:
        return CacheLayout(
            block_tokens=block_tokens,
            block_bytes=block_tokens * token_bytes * layers,
            state_blocks=0,
            exact=architecture.name in KNOWN_FULL_ATTENTION or architecture.kv_lora_rank is not None,
        )
    # Attention and Mamba layers share one page size: the attention block grows until its page holds a Mamba state.
    page = mamba_page_bytes(
        architecture, width=width, state_width=DTYPE_BYTES[state_dtype or dtype], tensor_parallel=tensor_parallel
    )
    block_tokens *= ceil(page / (block_tokens * token_bytes))
    return CacheLayout(
        block_tokens=block_tokens,
        block_bytes=block_tokens * token_bytes * layers,
        state_blocks=state_blocks,
        exact=architecture.name == "FalconH1ForCausalLM",
    )


def mamba_page_bytes(architecture: Architecture, *, width: int, state_width: int, tensor_parallel: int) -> int:
    """Bytes of one Mamba2 layer's state for one request: convolution window and state-space matrix.

    `width` and `state_width` are the bytes of one entry of each.
    """
    a = architecture
    d_ssm, d_state, d_conv = a.mamba_d_ssm, a.mamba_d_state, a.mamba_d_conv
    n_heads, d_head, n_groups = a.mamba_n_heads, a.mamba_d_head, a.mamba_n_groups
    groups = n_groups if n_groups % tensor_parallel == 0 else tensor_parallel
    convolution = (d_ssm + 2 * groups * d_state) // tensor_parallel * (d_conv - 1) * width
    state = n_heads // tensor_parallel * d_head * d_state * state_width
    return convolution + state
