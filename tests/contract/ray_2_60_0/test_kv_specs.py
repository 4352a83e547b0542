"""What the plan counts of a cache is what vLLM's own models and functions say, over random configurations.

vLLM's own: the models (built without weights), every layer's `get_kv_cache_spec`, the alignment of hybrids' blocks, and
of `v1/core/kv_cache_utils.py` the groups, blocks, tokens, concurrency, the check at start and the longest context
(vllm_layers.py, which also says what is not). Ours: `generator/sizing`, with the CPU's block sizes, which is where
vLLM's platforms differ.

Not here, since vLLM 0.29 cannot build them on a machine without GPUs, or not without code of a repository: Kimi Linear
and the sparse latent attention of DeepSeek V3.2 (CUDA modules), Llama Nemotron and Ling 2.5 (configurations that come
with their checkpoints), Bamba and MiniMax Text 01 (gone since 0.23).
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from model_configs import CONFIGS
from vllm_layers import DTYPE, vllm_cache

from generator.sizing.cache_layers import cache_layers
from generator.sizing.config import ModelConfig
from generator.sizing.kv_cache import CacheLayout, cache_layout
from generator.sizing.layers import State
from generator.sizing.pages import CacheOptions
from generator.sizing.stages import stages

# Built for one pipeline stage only, as vLLM has it.
ONE_STAGE = {"mamba2", "zamba2", "whisper", "bert"}


@pytest.mark.parametrize("name", CONFIGS)
# Without shrinking: it would build hundreds of models, and a model of a few layers is small enough to be read.
@settings(
    max_examples=20, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(data=st.data())
def test_pages_groups_blocks_tokens_and_concurrency_are_vllms_own(name: str, data: st.DataObject) -> None:
    config = data.draw(CONFIGS[name])
    tensor = data.draw(st.sampled_from([1, 2, 4]))
    pipeline = 1 if name in ONE_STAGE else data.draw(st.sampled_from([1, 2, 3]))
    layers = cache_layers(ModelConfig(config, "config.json"))
    # vLLM refuses a stage without attention where another has it: their workers disagree on the cache's memory layout.
    attends = {
        any(not isinstance(cache, State) for layer in stage for cache in layers.layers[layer])
        for stage in stages(len(layers.layers), pipeline)
    }
    assume(len(attends) == 1)
    context = data.draw(st.integers(100, 440 if name in ("whisper", "bert") else 8000))
    batched = max(8192, context)
    # The CPU's latent attention takes blocks of 16 tokens only.
    block = None if name == "deepseek" else data.draw(st.sampled_from([None, 32, 64]))
    theirs = vllm_cache(
        config,
        tensor=tensor,
        pipeline=pipeline,
        max_model_len=context,
        max_num_batched_tokens=batched,
        **({"block_size": block} if block else {}),
    )
    cache_config = theirs.config.cache_config
    ours = cache_layout(
        layers,
        CacheOptions(
            dtype=DTYPE,
            vllm="0.29.0",
            tensor_parallel=tensor,
            pipeline_parallel=pipeline,
            batched_tokens=theirs.config.scheduler_config.max_num_batched_tokens,
            block_tokens=block,
            prefix_caching=cache_config.enable_prefix_caching,
            # The CPU platform sets the type of states by what the processor can do.
            state_dtype=None if cache_config.mamba_ssm_cache_dtype == "auto" else cache_config.mamba_ssm_cache_dtype,
            async_scheduling=False,
            platform="cpu",
        ),
    )
    assert ours.exact, ours.why
    assert groups_of(ours) == theirs.groups
    if not theirs.groups:
        assert ours.keeps_nothing
        return
    available = data.draw(st.integers(1, 400)) * ours.block_bytes + data.draw(st.integers(0, ours.block_bytes - 1))
    found = theirs.divide(available)
    assert ours.holds(available, context) == (found is not None)
    assert min(ours.longest_context(available), context) == theirs.longest(available)
    if found is not None:
        blocks, tokens, concurrency = found
        assert ours.blocks(available) == blocks
        assert ours.tokens(available, context) == tokens
        assert ours.concurrency(available, context) == pytest.approx(concurrency)


def groups_of(layout: CacheLayout) -> list[tuple[int, int, int]]:
    return sorted(
        (group.block_tokens or 0, sum(size for _, size in group.pages), len(group.pages)) for group in layout.groups
    )
