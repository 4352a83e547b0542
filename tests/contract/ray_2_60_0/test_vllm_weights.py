"""What the plan counts of weights is what vLLM's own models hold on every GPU, over random configurations.

vLLM's own: the models built on the meta device (vllm_layers.py), for one rank of each pipeline stage. Ours:
`generator/sizing/weights.py`. What loading adds (rotary tables, absorbed projections) is not in it. Of quantized
checkpoints those are here whose methods vLLM has for the CPU; logs of real engines tell of others (tests/sizing).
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.sizing.config.config import ModelConfig
from generator.sizing.model import Model
from generator.sizing.weights.feed_forward import least_expert_rows
from generator.sizing.weights.rank import WeightOptions, stage_bytes
from tests.contract.ray_2_60_0.model_configs import CONFIGS, LATENTS_AND_STATES, ON_GPU, ONE_STAGE, examples
from tests.contract.ray_2_60_0.vllm_layers import DTYPE, vllm_cache
from tests.support.paths import CONFIGS as STORED

# Stages of these may disagree on the layout of their caches, which vLLM refuses.
UNDIVIDED = (
    ONE_STAGE | LATENTS_AND_STATES | {"deepseek_v4", "granite_hybrid", "nemotron_h", "jamba", "lfm2", "qwen3_next"}
)


@pytest.mark.parametrize("name", CONFIGS)
@examples(10)
@given(data=st.data())
def test_every_stage_holds_what_vllms_own_models_hold(name: str, data: st.DataObject) -> None:
    config = data.draw(CONFIGS[name])
    tensor = data.draw(st.sampled_from([1, 2, 4]))
    pipeline = 1 if name in UNDIVIDED else data.draw(st.sampled_from([1, 2, 3]))
    theirs = vllm_cache(
        config,
        tensor=tensor,
        pipeline=pipeline,
        on_gpu=name in ON_GPU,
        max_model_len=400,
        max_num_batched_tokens=8192,
        **({"kv_cache_dtype": "fp8"} if name == "deepseek_v4" else {}),
        **({"enable_prefix_caching": False} if name in LATENTS_AND_STATES else {}),
    )
    model = Model(ModelConfig(config, "config.json"))
    options = WeightOptions(
        dtype=DTYPE,
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        least_expert_rows=least_expert_rows(model.config, "0.29.0"),
    )
    ours = stage_bytes(model.config, model.stored(), options)
    # Biases and small norms, which are not all counted, are a large share of models as small as these.
    assert list(ours.values()) == pytest.approx(theirs.weights, rel=0.01)


@pytest.mark.parametrize("tensor", [1, 2, 4])
@pytest.mark.parametrize(
    "name",
    [
        "RedHatAI--Llama-3.3-70B-Instruct-FP8-dynamic",
        "RedHatAI--Qwen3-235B-A22B-FP8-dynamic",
        "RedHatAI--Qwen3-Coder-Next-FP8-dynamic",
        "neuralmagic--Meta-Llama-3.1-70B-Instruct-quantized.w8a8",
        "hugging-quants--Meta-Llama-3.1-70B-Instruct-AWQ-INT4",
        "Qwen--Qwen3-8B-AWQ",
    ],
)
def test_quantized_checkpoints_hold_what_vllms_own_models_hold(name: str, tensor: int) -> None:
    config = json.loads((STORED / f"{name}.json").read_text())
    theirs = vllm_cache(config, tensor=tensor, max_model_len=2048, max_num_batched_tokens=8192)
    model = Model(ModelConfig(config, name))
    ours = stage_bytes(model.config, model.stored(), WeightOptions(dtype=DTYPE, tensor_parallel=tensor))
    assert list(ours.values()) == pytest.approx(theirs.weights, rel=0.0005)
