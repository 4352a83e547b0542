"""Engine arguments that memory depends on: counted, told or refused."""

from __future__ import annotations

from typing import Any

import pytest

from generator.errors import UserError
from generator.facts.gpus import gpu
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.arguments import engine_of
from generator.sizing.fit import fit
from generator.sizing.model import Model
from generator.sizing.weights.divisions import Split
from tests.support.stored import QWEN, predicted, words


def test_a_cache_that_is_asked_for_by_its_size_has_that_and_no_other():
    asked = predicted(words(QWEN), kv_cache_memory_bytes=10 * 2**30)
    assert (asked.kv_gib, asked.fits) == (10.0, True)
    assert not predicted(words(QWEN), kv_cache_memory_bytes=2**30).fits
    assert (
        "GiB more than weights and overhead leave" in predicted(words(QWEN), kv_cache_memory_bytes=100 * 2**30).refusal
    )
    blocks = predicted(words(QWEN), num_gpu_blocks_override=100, max_model_len=512)
    assert (blocks.kv_tokens, blocks.fits) == (1600, True)
    assert not predicted(words(QWEN), num_gpu_blocks_override=100, max_model_len=4096).fits


def test_windows_that_are_cached_as_if_they_saw_all_take_as_much():
    config = words("google--gemma-3-27b-it")
    apart, alike = (predicted(config, disable_hybrid_kv_cache_manager=off) for off in (False, True))
    assert len(apart.layout.groups) > 1
    # 62 layers, 16 heads of 128 entries, keys and values of two bytes.
    assert len(alike.layout.groups) == 1
    assert alike.layout.token_bytes == 62 * 16 * 128 * 2 * 2


def test_adapters_of_experts_have_slots_since_vllm_has_them():
    def slots(vllm: str, **more: Any) -> float:
        def bytes_with(**lora: Any) -> float:
            return predicted(words("Qwen--Qwen3-30B-A3B"), tp=2, vllm=vllm, **lora, **more).weights_gib

        return (bytes_with(enable_lora=True, max_loras=4, max_lora_rank=64) - bytes_with()) * 2**30

    # 48 layers of 128 experts, 4 slots of rank 64, two bytes: hidden 2,048 is whole, the experts' 768 are halved.
    experts = 48 * 128 * 3 * (2048 + 768 / 2) * 64 * 4 * 2
    assert slots("0.29.0") - slots("0.10.0") == pytest.approx(experts, rel=1e-6)
    # Whole experts, half of them.
    whole = 48 * 64 * 3 * (2048 + 768) * 64 * 4 * 2
    assert slots("0.29.0", enable_expert_parallel=True) - slots("0.10.0") == pytest.approx(whole, rel=1e-6)


EAGLE3 = {
    "architectures": ["LlamaForCausalLMEagle3"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 1, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    "draft_vocab_size": 32000, "max_position_embeddings": 2048,
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "words_of_head", "parameters"),
    [
        # fc, queries and keys and values of two vectors, output projection, MLP, its own head.
        ("eagle3", EAGLE3, 3 * 4096**2 + 8192 * (4096 + 2048) + 4096**2 + 3 * 4096 * 14336 + 32000 * 4096),
        # A checkpoint that names the plain model; its head is the model's.
        (
            "eagle",
            EAGLE3 | {"architectures": ["LlamaForCausalLM"]},
            2 * 4096**2 + 4096 * (4096 + 2048) + 4096**2 + 3 * 4096 * 14336,
        ),
    ],
)
def test_a_head_of_eagle_has_no_embedding_of_its_own(method: str, words_of_head: dict[str, Any], parameters: int):
    model, head = (
        Model(words("meta-llama--Llama-3.1-8B")),
        Model(ModelConfig(words_of_head, "head"), checkpoint_bytes=2e9),
    )
    said = {"speculative_config": {"model": "head", "method": method, "num_speculative_tokens": 3}}
    on = {"device": gpu("H100-80GB", where=""), "split": Split()}
    with_head, alone = (
        fit(model, engine=engine_of(asked, model.config, vllm="0.29.0", where="test", draft=lambda name: head), **on)
        for asked in (said, {})
    )
    # Beside its matrices two norms and the tables of its positions.
    assert (with_head.weights_gib - alone.weights_gib) * 2**30 / 2 == pytest.approx(parameters, rel=2e-3)
    assert with_head.layout.token_bytes - alone.layout.token_bytes == 2 * 8 * 128 * 2


def test_an_argument_that_is_not_counted_is_told():
    assert any(
        "cpu_offload_gb: memory depends on it" in note for note in predicted(words(QWEN), cpu_offload_gb=20).notes
    )
    assert any("multiples of 16" in note for note in predicted(words(QWEN), block_size=7).notes)
    assert not any("depends on it" in note for note in predicted(words(QWEN)).notes)


def test_a_model_that_is_adapted_to_make_vectors_has_no_output_head_and_no_sampler():
    plain, ranker = (
        predicted(words(QWEN, architectures=[f"Qwen3For{end}"])) for end in ("CausalLM", "SequenceClassification")
    )
    assert plain.weights_gib - ranker.weights_gib == pytest.approx(151936 * 4096 * 2 / 2**30, rel=0.02)
    assert ranker.activation_gib < plain.activation_gib
    assert not ranker.notes


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"kv_cache_dtype": "float32"}, "unknown type of cache 'float32'"),
        ({"kv_cache_dtype": "nvfp4"}, "kv_cache_dtype nvfp4 is vLLM's, and its memory is not known here"),
        ({"enable_lora": True, "max_lora_rank": 7}, "max_lora_rank 7 is not a rank of vLLM's"),
    ],
)
def test_an_argument_that_is_nothing_to_count_with_is_refused(said: dict[str, Any], why: str):
    with pytest.raises(UserError, match=why):
        predicted(words(QWEN), **said)


ODD = [
    (QWEN, "architectures", 5), (QWEN, "architectures", {"a": 1}), ("Qwen--Qwen3-30B-A3B", "mlp_only_layers", 1),
    ("Qwen--Qwen3-30B-A3B", "mlp_only_layers", "32"), ("Qwen--Qwen3-30B-A3B", "decoder_sparse_step", "abc"),
    ("google--gemma-3-1b-it", "sliding_window_pattern", ""), ("Qwen--Qwen3.5-4B", "mamba_ssm_dtype", {}),
    (QWEN, "vision_config", {"vt_hidden_size": {}}), (QWEN, "vision_config", {"intermediate_size": "32"}),
    (QWEN, "vision_config", {"temporal_patch_size": "32"}),
    ("deepseek-ai--DeepSeek-R1", "moe_layer_freq", {"a": 1}), ("deepseek-ai--DeepSeek-R1", "moe_layer_freq", ["x"]),
    ("Zyphra--Zamba2-2.7B", "hybrid_layer_ids", "abc"), (QWEN, "mamba_ssm_cache_dtype", {"a": 1}),
    (QWEN, "vision_config", {"hidden_size": 64, "num_hidden_layers": 2, "deepstack_visual_indexes": 1e308}),
    (QWEN, "quantization_config", {"quant_method": "awq", "bits": 1e308, "group_size": 128}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "key", "value"), ODD, ids=str)
def test_an_odd_value_is_left_or_said_and_no_traceback(name: str, key: str, value: Any):
    try:
        assert predicted(words(name, **{key: value})).layout
    except UserError as error:
        assert key in str(error)
