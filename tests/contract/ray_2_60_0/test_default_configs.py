"""Weights and caches of every architecture that sizing knows, as transformers' own class fills its configuration.

vLLM's models are built as in vllm_layers.py, at the sizes of the class's defaults. Not here: architectures whose class
comes with the checkpoint, and towers, which need what vLLM's CPU build is not given (torchvision).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import transformers
from vllm.model_executor.models.registry import _TEXT_GENERATION_MODELS

from generator.sizing.cache.rules import is_known
from generator.sizing.config.config import ModelConfig
from generator.sizing.model import Model
from generator.sizing.weights.rank import WeightOptions, stage_bytes
from tests.contract.ray_2_60_0.counted import counted_cache, groups_of
from tests.contract.ray_2_60_0.vllm_layers import DTYPE, VllmCache, vllm_cache

# What checkpoints say and the class has no default for.
SAID: dict[str, dict[str, Any]] = {
    "DeepseekV2ForCausalLM": {"n_group": 1, "topk_group": 1},
    "Glm4MoeForCausalLM": {"head_dim": 128},
    "Glm4MoeLiteForCausalLM": {"first_k_dense_replace": 1},
    "Lfm2ForCausalLM": {"block_dim": 2560, "conv_dim": 2560, "block_ff_dim": 12288},
    "MiniMaxM2ForCausalLM": {"rotary_dim": 64, "scoring_func": "sigmoid", "use_routing_bias": True},
}
# What vLLM does not build here, in its words (of an assertion there are none).
NOT_BUILT = {
    "ApertusForCausalLM": "Cannot copy out of meta tensor",
    "BloomForCausalLM": "Cannot copy out of meta tensor",
    "DbrxForCausalLM": "has no attribute 'rope_theta'",
    "DeepseekV32ForCausalLM": "Sparse Attention is not supported on CPU",
    "DeepseekV4ForCausalLM": "validate_layer_type",
    "GlmMoeDsaForCausalLM": "Sparse Attention is not supported on CPU",
    "KimiLinearForCausalLM": "--mamba-block-size",
    "Lfm2MoeForCausalLM": "is not subscriptable",
    "LongcatFlashForCausalLM": "^$",
    "MiMoV2FlashForCausalLM": "has no attribute 'hybrid_layer_pattern'",
    "NemotronHForCausalLM": "is_act_and_mul=False",
    "OlmoHybridForCausalLM": "has no attribute 'set_allocator'",
    "Qwen3_5ForCausalLM": "torchvision",
    "Qwen3_5MoeForCausalLM": "torchvision",
}
# What vLLM does not divide into stages: in some the layouts of caches disagree, or the last has no embedding to tie.
ONE_STAGE = {
    "Ernie4_5_MoeForCausalLM",
    "Gemma3nForCausalLM",
    "JambaForCausalLM",
    "Mamba2ForCausalLM",
    "Zamba2ForCausalLM",
}
# Sizes that do not divide: heads, and experts' widths for the CPU's kernels.
UP_TO = {"DeepseekV2ForCausalLM": 1, "FalconForCausalLM": 1, "GptOssForCausalLM": 2}
DEEP = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")


def default_config(architecture: str) -> dict[str, Any] | None:
    """The class's defaults as its config.json would say them; None where transformers has no such class.

    Of more than 12 layers 12, unless each has its word.
    """
    cls = getattr(transformers, architecture, None)
    if cls is None:
        return None
    config = cls.config_class()
    said: dict[str, Any] = {"architectures": [architecture], "model_type": config.model_type}
    said |= (
        {key: value for key, value in config.to_dict().items() if value is not None} | said | SAID.get(architecture, {})
    )
    if not any(isinstance(said.get(word), list) for word in ("layer_types", "layers_block_type", "mlp_layer_types")):
        said |= {word: min(said[word], 12) for word in DEEP if isinstance(said.get(word), int)}
    if said.get("pad_token_id", 0) >= said.get("vocab_size", 1):
        said["pad_token_id"] = 0
    return json.loads(json.dumps(said, default=str))


def known_architectures() -> list[str]:
    configs = {name: default_config(name) for name in sorted(_TEXT_GENERATION_MODELS)}
    return [name for name, config in configs.items() if config is not None and is_known(ModelConfig(config, name))]


KNOWN = known_architectures()


def build(architecture: str, tensor: int, pipeline: int) -> tuple[Model, VllmCache]:
    config = default_config(architecture)
    assert config is not None
    theirs = vllm_cache(config, tensor=tensor, pipeline=pipeline, max_model_len=512, max_num_batched_tokens=8192)
    return Model(ModelConfig(config, "config.json")), theirs


SPLITS = [
    (name, tensor, pipeline)
    for name in KNOWN
    for tensor, pipeline in ((1, 1), (min(4, UP_TO.get(name, 4)), 1), (1, 3))
    if name not in NOT_BUILT and not (pipeline > 1 and name in ONE_STAGE)
]


@pytest.mark.parametrize(("architecture", "tensor", "pipeline"), dict.fromkeys(SPLITS))
def test_weights_and_cache_are_vllms_own(architecture: str, tensor: int, pipeline: int) -> None:
    model, theirs = build(architecture, tensor, pipeline)
    options = WeightOptions(dtype=DTYPE, tensor_parallel=tensor, pipeline_parallel=pipeline)
    ours = stage_bytes(model.config, model.stored(), options)
    assert list(ours.values()) == pytest.approx(theirs.weights, rel=0.002)
    assert groups_of(counted_cache(model.caches, theirs, tensor=tensor, pipeline=pipeline)) == theirs.groups


@pytest.mark.parametrize("architecture", NOT_BUILT)
def test_what_is_left_out_cannot_be_built_here(architecture: str) -> None:
    assert architecture in KNOWN
    with pytest.raises(Exception, match=NOT_BUILT[architecture]):
        build(architecture, 1, 1)
