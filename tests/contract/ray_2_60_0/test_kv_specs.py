"""What the plan counts of a cache is what vLLM's own models and functions say, over random configurations.

vLLM's own: the models (built without weights), every layer's `get_kv_cache_spec`, the alignment of hybrids' blocks, and
of `v1/core/kv_cache_utils.py` the groups, blocks, tokens, concurrency, the check at start and the longest context
(vllm_layers.py, which also says what is not). Ours: `generator/sizing`, with the CPU's block sizes, which is where
vLLM's platforms differ; with the GPU's for models that are built as for one.

Not here: Bamba and MiniMax Text 01, which vLLM has no longer since 0.23.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from generator.sizing.cache.rules import cache_layers
from generator.sizing.cache.specs import CacheSpec, MambaSpec, PackedMlaSpec
from generator.sizing.config.config import ModelConfig
from generator.sizing.parallelism import stages
from tests.contract.ray_2_60_0.counted import counted_cache, groups_of
from tests.contract.ray_2_60_0.model_configs import CONFIGS, LATENTS_AND_STATES, ON_GPU, ONE_STAGE, examples
from tests.contract.ray_2_60_0.vllm_layers import vllm_cache

LATENTS = {
    "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "hidden_size": 256,
    "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 8,
    "vocab_size": 512, "q_lora_rank": None, "max_position_embeddings": 4096, "kv_lora_rank": 512,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "n_routed_experts": 4, "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
    "num_experts_per_tok": 2, "moe_intermediate_size": 128,
}  # fmt: skip
# The CPU's latent attention takes blocks of 16 tokens only where it has no AMX, and the GPU's those of its kernels.
OWN_BLOCKS = ON_GPU | {"deepseek", "ling"}
CACHE_TYPES = {
    "deepseek_v32": st.sampled_from(["auto", "fp8_ds_mla"]),
    "glm_5": st.sampled_from(["auto", "fp8_ds_mla"]),
    "deepseek_v4": st.sampled_from(["fp8", "fp8_ds_mla"]),
}


@pytest.mark.parametrize("name", CONFIGS)
@examples(20)
@given(data=st.data())
def test_pages_groups_blocks_tokens_and_concurrency_are_vllms_own(name: str, data: st.DataObject) -> None:
    config = data.draw(CONFIGS[name])
    tensor = data.draw(st.sampled_from([1, 2, 4]))
    pipeline = 1 if name in ONE_STAGE else data.draw(st.sampled_from([1, 2, 3]))
    layers = cache_layers(ModelConfig(config, "config.json"))
    # vLLM refuses a stage that declares no memory layout where another does: their workers disagree on it.
    declares = {
        any(_declares_a_layout(cache) for layer in stage for cache in layers.layers[layer])
        for stage in stages(len(layers.layers), pipeline)
    }
    assume(len(declares) == 1)
    # Blocks follow the first layer's kernels, of which only the indexer's are a GPU's here.
    assume(name != "glm_5" or all(len(layers.layers[stage[0]]) == 2 for stage in stages(len(layers.layers), pipeline)))
    context = data.draw(st.integers(100, 440 if name in ("whisper", "bert") else 8000))
    # Small steps, so that windows are shorter than the context; states and encoders take no smaller ones.
    whole = name in ("whisper", "bert") or layers.state is not None
    batched = 8192 if whole else data.draw(st.integers(64, 8192))
    block = None if name in OWN_BLOCKS else data.draw(st.sampled_from([None, 32, 64]))
    dtype = data.draw(CACHE_TYPES.get(name, st.just("auto")))
    theirs = vllm_cache(
        config,
        tensor=tensor,
        pipeline=pipeline,
        on_gpu=name in ON_GPU,
        max_model_len=context,
        max_num_batched_tokens=batched,
        kv_cache_dtype=dtype,
        **({"block_size": block} if block else {}),
        **({"enable_prefix_caching": False} if name in LATENTS_AND_STATES else {}),
    )
    on_gpu = name in ON_GPU
    ours = counted_cache(layers, theirs, tensor=tensor, pipeline=pipeline, dtype=dtype, block=block, on_gpu=on_gpu)
    assert ours.exact, ours.why
    assert groups_of(ours) == theirs.groups
    if not theirs.groups:
        assert ours.keeps_nothing
        return
    needed = ours.blocks_of_request(context)
    available = data.draw(st.integers(needed // 2, 3 * needed)) * ours.block_bytes
    available += data.draw(st.integers(1, ours.block_bytes - 1))
    found = theirs.divide(available)
    assert ours.holds(available, context) == (found is not None)
    assert min(ours.longest_context(available), context) == theirs.longest(available)
    if found is not None:
        blocks, tokens, concurrency = found
        assert ours.blocks(available) == blocks
        assert ours.tokens(available, context) == tokens
        assert ours.concurrency(available, context) == pytest.approx(concurrency)


@pytest.mark.parametrize(("amx", "tokens"), [(False, 16), (True, 128)])
def test_blocks_of_latents_on_a_cpu_hang_on_amx(monkeypatch: pytest.MonkeyPatch, amx: bool, tokens: int) -> None:
    """As `blocksSource` of generator/data/kv_cache.yaml says."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    ((block, _, _),) = vllm_cache(LATENTS, max_model_len=4000).groups
    assert block == tokens


def _declares_a_layout(cache: CacheSpec) -> bool:
    """Whether the kernels for it do: those of attention, and of DeepSeek V4 the indexer's."""
    return cache.part == "indexer" if isinstance(cache, PackedMlaSpec) else not isinstance(cache, MambaSpec)
