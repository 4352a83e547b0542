"""Cache pages and blocks against figures computed from vLLM's formulas (the table of Falcon-H1 sizes)."""

from __future__ import annotations

import pytest
from builders import falcon_h1, llama

from generator.kv_cache import cache_layout, mamba_page_bytes

GIB = 2**30

# model fields, TP, bytes of one Mamba layer's state, tokens of a block, GiB of a block over all layers
FALCON_H1 = {
    "0.5B": ({}, 1, 403_968, 800, 0.0137),
    "1.5B": (
        {"num_hidden_layers": 24, "head_dim": 128, "mamba_d_ssm": 3072, "mamba_d_state": 256, "mamba_n_heads": 48},
        1, 1_594_368, 1568, 0.0359,
    ),
    "1.5B-Deep": (
        {"num_hidden_layers": 66, "num_attention_heads": 6, "head_dim": 128, "mamba_d_state": 256},
        1, 798_720, 784, 0.0493,
    ),
    "3B": (
        {"num_hidden_layers": 32, "num_attention_heads": 10, "head_dim": 128, "mamba_d_ssm": 4096,
         "mamba_d_state": 256, "mamba_n_heads": 32, "mamba_d_head": 128},
        1, 2_124_800, 2080, 0.0635,
    ),
    "7B on two GPUs": (
        {"num_hidden_layers": 44, "num_attention_heads": 12, "head_dim": 128, "mamba_d_ssm": 3072,
         "mamba_d_state": 256, "mamba_n_heads": 24, "mamba_d_head": 128},
        2, 798_720, 1568, 0.0329,
    ),
    "34B on two GPUs": (
        {"num_hidden_layers": 72, "num_attention_heads": 20, "num_key_value_heads": 4, "head_dim": 128,
         "mamba_d_ssm": 4096, "mamba_d_state": 256, "mamba_n_heads": 32, "mamba_d_head": 128, "mamba_n_groups": 2},
        2, 1_063_936, 1040, 0.0714,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "tensor", "page", "block_tokens", "block_gib"), FALCON_H1.values(), ids=FALCON_H1)
def test_a_falcon_h1_block_is_as_large_as_vllm_makes_it(fields, tensor, page, block_tokens, block_gib):
    architecture = falcon_h1(**fields)
    layout = cache_layout(architecture, dtype="bfloat16", tensor_parallel=tensor, pipeline_parallel=1, state_blocks=2)
    assert mamba_page_bytes(architecture, width=2, state_width=2, tensor_parallel=tensor) == page
    assert layout.block_tokens == block_tokens
    assert layout.block_bytes / GIB == pytest.approx(block_gib, abs=0.00006)


def test_grouped_query_attention_takes_key_and_value_of_every_head_and_layer():
    layout = cache_layout(llama(), dtype="bfloat16", tensor_parallel=1, pipeline_parallel=1, state_blocks=2)
    assert layout.block_bytes == 16 * 28 * 4 * 2 * 256 * 2
    assert layout.state_blocks == 0
    assert layout.exact


def test_more_gpus_than_key_value_heads_do_not_shrink_the_cache_further():
    four, twelve = (
        cache_layout(llama(), dtype="bfloat16", tensor_parallel=n, pipeline_parallel=1, state_blocks=1) for n in (4, 12)
    )
    assert four.block_bytes == twelve.block_bytes


def test_latent_attention_is_not_divided_by_tensor_parallelism():
    deepseek = llama(name="DeepseekV3ForCausalLM", num_hidden_layers=61, kv_lora_rank=512, qk_rope_head_dim=64)
    layout = cache_layout(deepseek, dtype="bfloat16", tensor_parallel=8, pipeline_parallel=1, state_blocks=1)
    assert layout.block_bytes == 16 * 61 * (512 + 64) * 2


def test_an_unknown_architecture_is_counted_as_full_attention_and_says_so():
    layout = cache_layout(
        llama(name="SomethingNewForCausalLM"), dtype="bfloat16", tensor_parallel=1, pipeline_parallel=1, state_blocks=1
    )
    assert not layout.exact


def test_one_request_must_fit_with_its_state():
    layout = cache_layout(falcon_h1(), dtype="bfloat16", tensor_parallel=1, pipeline_parallel=1, state_blocks=2)
    available = 6 * layout.block_bytes  # one is vLLM's null block
    assert layout.longest_context(available) == 3 * 800
    assert layout.holds(available, 3 * 800)
    assert not layout.holds(available, 3 * 800 + 1)


def test_a_wider_state_makes_larger_blocks():
    narrow, wide = (
        cache_layout(
            falcon_h1(),
            dtype="bfloat16",
            tensor_parallel=1,
            pipeline_parallel=1,
            state_blocks=1,
            state_dtype=state_dtype,
        )
        for state_dtype in (None, "float32")
    )
    assert wide.block_tokens > 1.9 * narrow.block_tokens
