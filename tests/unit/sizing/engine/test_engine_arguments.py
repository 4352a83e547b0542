"""Engine arguments by vLLM's names, and what each does to the memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from generator.errors import UserError
from generator.facts.gpus import Device
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.arguments import engine_of
from generator.sizing.fit import MemoryFit, draft_caches, fit
from generator.sizing.model import Model
from generator.sizing.weights.divisions import Split
from tests.support.paths import CONFIGS

H100 = Device(name="H100-80GB", memory_gib=79.1)
LLAMA, DRAFT = "meta-llama--Llama-3.1-8B-Instruct", "meta-llama--Llama-3.2-1B"


def model(name: str) -> Model:
    return Model(ModelConfig(json.loads((CONFIGS / f"{name}.json").read_text()), name))


def fitted(name: str = LLAMA, *, tensor: int = 1, **arguments: Any) -> MemoryFit:
    target = model(name)
    engine = engine_of(arguments, target.config, vllm="0.29.0", where="test", draft=model)
    return fit(target, device=H100, split=Split(tensor=tensor), engine=engine)


def test_the_arguments_are_vllms_own():
    memory = fitted(max_model_len=4096, max_num_seqs=32, max_num_batched_tokens=2048, gpu_memory_utilization=0.8,
                    enforce_eager=True, dtype="half", kv_cache_dtype="fp8", trust_remote_code=True)  # fmt: skip
    shape = memory.shape
    assert (shape.context, shape.sequences, shape.batched_tokens, shape.utilization) == (4096, 32, 2048, 0.8)
    assert (shape.eager, shape.dtype, shape.kv_cache_dtype) == (True, "float16", "fp8")
    assert memory.layout.token_bytes == fitted().layout.token_bytes / 2


def test_adapters_have_vllms_own_number_and_rank_where_only_enable_lora_is_said():
    assert fitted(enable_lora=True).weights_gib == fitted(enable_lora=True, max_loras=1, max_lora_rank=16).weights_gib
    assert fitted(enable_lora=True).weights_gib > fitted().weights_gib
    assert fitted(max_loras=8).weights_gib == fitted().weights_gib


def test_a_draft_model_brings_its_weights_and_its_cache():
    said = {"model": DRAFT, "num_speculative_tokens": 3}
    both, alone, draft = fitted(speculative_config=said), fitted(), fitted(DRAFT)
    assert both.weights_gib == pytest.approx(alone.weights_gib + draft.weights_gib)
    assert both.layout.token_bytes == alone.layout.token_bytes + draft.layout.token_bytes
    assert fitted(speculative_config=json.dumps(said)).kv_gib == both.kv_gib


def test_layers_of_multi_token_prediction_are_as_many_as_the_model_has():
    arguments = {"tensor": 8, "max_model_len": 8192}
    with_mtp = fitted("deepseek-ai--DeepSeek-R1", speculative_config={"method": "deepseek_mtp"}, **arguments)
    without = fitted("deepseek-ai--DeepSeek-R1", **arguments)
    assert with_mtp.layout.token_bytes * 61 == without.layout.token_bytes * 62
    assert with_mtp.weights_gib > without.weights_gib + 1


@pytest.mark.parametrize("method", ["ngram", "suffix"])
def test_what_drafts_from_the_prompt_loads_nothing(method: str):
    said = {"method": method, "num_speculative_tokens": 3}
    assert fitted(speculative_config=said).weights_gib == fitted().weights_gib


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ('{"model"', "no JSON object"),
        ({"num_speculative_tokens": 3}, "neither `model` nor `method`"),
        ({"method": "eagle3"}, "method 'eagle3' needs a `model`"),
        ({"method": "mtp"}, "no layers of multi-token prediction"),
        ({"method": "ngram", "num_speculative_tokens": "three"}, "num_speculative_tokens 'three'"),
    ],
)
def test_speculation_that_cannot_be_counted_is_refused(said: Any, what: str):
    with pytest.raises(UserError, match=what):
        fitted(speculative_config=said)


def test_a_layer_of_prediction_has_an_indexer_though_the_last_layer_shares_one():
    words = json.loads((CONFIGS / "deepseek-ai--DeepSeek-V3.2.json").read_text())
    target = Model(ModelConfig(words | {"index_topk_pattern": "F" * 60 + "S"}, "config.json"))
    arguments = {"speculative_config": {"method": "mtp", "num_speculative_tokens": 1}}
    engine = engine_of(arguments, target.config, vllm="0.29.0", where="test", draft=model)

    (drafted,) = draft_caches(target, engine)

    assert [len(layer) for layer in (target.caches.layers[-1], drafted)] == [1, 2]
    matrices = target.matrices()
    assert len(matrices.layers[matrices.draft_like]) > len(matrices.layers[-1])
