"""What vLLM refuses whatever the memory, and what is said of it. Against vLLM itself: tests/contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from generator.errors import UserError
from generator.facts.gpus import Device, gpu
from generator.sizing.config.architectures import missing_in
from generator.sizing.config.config import ModelConfig
from generator.sizing.config.rotary import default_context, positions_of
from generator.sizing.engine.arguments import engine_of
from generator.sizing.engine.refusals import stages_refusal, tensor_splits
from generator.sizing.fit import fit
from generator.sizing.model import Model
from generator.sizing.suggestions import changes
from generator.sizing.weights.divisions import Split
from tests.support.stored import CONFIGS, FP8_MIXTURE, QWEN, refusal, words

QUANTIZED = [
    ("openai--gpt-oss-20b", "T4-16GB", "0.29.0", "mxfp4 weights need compute capability 8.0; T4-16GB has 7.5"),
    ("openai--gpt-oss-20b", "A100-80GB", "0.29.0", ""),
    ("Qwen--Qwen3-8B-FP8", "T4-16GB", "0.13.0", "fp8 weights need compute capability 8.0"),
    ("Qwen--Qwen3-8B-FP8", "T4-16GB", "0.29.0", ""),
    ("Qwen--Qwen3-8B-AWQ", "V100-32GB", "0.18.0", "awq weights need compute capability 7.5"),
    ("nvidia--DeepSeek-V3.2-NVFP4", "A100-80GB", "0.29.0", ""),
    ("Qwen--Qwen3-8B", "V100-32GB", "0.20.0", "no kernels for V100-32GB (compute capability 7.0; it needs 7.5)"),
    ("Qwen--Qwen3-8B", "V100-32GB", "0.18.0", ""),
    ("meta-llama--Meta-Llama-3.1-405B-Instruct-FP8", "H100-80GB", "0.29.0", "fbgemm_fp8 is deprecated"),
    ("meta-llama--Meta-Llama-3.1-405B-Instruct-FP8", "H100-80GB", "0.13.0", ""),
    ("openai--gpt-oss-20b", "H100-80GB", "0.10.0", "has no quantization method 'mxfp4' (it came in 0.10.1)"),
]


@pytest.mark.parametrize(("name", "on", "vllm", "why"), QUANTIZED)
def test_a_gpu_must_have_what_the_weights_are_multiplied_with(name: str, on: str, vllm: str, why: str):
    said = {"kv_cache_dtype": "fp8"} if "V3.2" in name else {}
    found = refusal(words(name), on=on, vllm=vllm, **said)
    assert why in found
    assert bool(why) == bool(found)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"max_model_len": 40961}, "the model takes 40,960 tokens, fewer than max_model_len 40,961"),
        ({"max_model_len": 40960}, ""),
        ({"max_num_seqs": 2049, "max_num_batched_tokens": 2048}, "max_num_seqs 2,049 is more than the 2,048 tokens"),
        ({"max_num_seqs": 8193}, "max_num_seqs 8,193 is more than the 8,192 tokens"),
        ({"quantization": "bitsandbytes"}, "no quantization method 'bitsandbytes' (it was taken out in 0.28.0)"),
        ({"quantization": "awq"}, "config.json tells of no quantization, and vLLM 0.29.0 makes no awq"),
        ({"quantization": "mxfp4", "dtype": "float16"}, ""),
        ({"quantization": "mxfp4", "dtype": "float32"}, "mxfp4 weights are not multiplied in float32"),
        ({"quantization": "FP8"}, ""),
        ({"quantization": "fp8"}, ""),
        ({"quantization": "fp8_per_block"}, ""),
    ],
)
def test_arguments_that_contradict_the_model_are_refused(arguments: dict[str, Any], why: str):
    found = refusal(words(QWEN), **arguments)
    assert why in found
    assert bool(why) == bool(found)


def test_weights_of_one_method_are_not_read_by_another():
    awq = words("Qwen--Qwen3-8B-AWQ")
    assert refusal(awq, quantization="gptq") == "the weights are awq, not gptq"
    assert not refusal(awq, quantization="awq_marlin")


def test_a_method_that_nobody_has_is_told_with_the_nearest():
    with pytest.raises(UserError, match="unknown quantization method 'fp9'") as caught:
        refusal(words(QWEN), quantization="fp9")
    assert "fp8" in caught.value.fix


def test_models_that_float16_breaks_run_in_float32_where_there_is_no_bfloat16():
    gemma = words("google--gemma-3-4b-it")
    assert "in float16" in refusal(gemma, dtype="float16")
    model = Model(gemma)
    engine = engine_of({}, gemma, vllm="0.29.0", where="test", draft=lambda name: model)
    small = fit(model, device=gpu("T4-16GB", where=""), split=Split(), engine=engine)
    assert (small.shape.dtype, small.refusal) == ("float32", "")


@pytest.mark.parametrize(
    ("name", "tp", "vllm", "why"),
    [
        # 768 rows of an expert over 4 GPUs are 192; blocks of 64 divide them from 0.29 on, of 32 those over 8.
        (FP8_MIXTURE, 4, "0.28.0", "192 rows on each GPU are no whole blocks of 128"),
        (FP8_MIXTURE, 4, "0.29.0", ""),
        (FP8_MIXTURE, 2, "0.28.0", ""),
        # 29,568 inputs over 8 GPUs are 3,696: 28 groups of 128 and 112 more.
        ("qwen2.5-72b-awq", 8, "0.29.0", "mlp.down_proj: 3,696 inputs on each GPU are no whole groups of 128"),
        ("qwen2.5-72b-awq", 1, "0.29.0", ""),
    ],
)
def test_a_split_does_not_cut_what_shares_a_scale(name: str, tp: int, vllm: str, why: str):
    if name == "qwen2.5-72b-awq":
        config = words("Qwen--Qwen3-8B-AWQ", hidden_size=8192, intermediate_size=29568, num_attention_heads=64)
    else:
        config = words(name)
    found = refusal(config, on="B200-180GB", tp=tp, vllm=vllm)
    assert why in found
    assert bool(why) == bool(found)


def test_whole_experts_on_each_gpu_are_not_cut():
    config = words(FP8_MIXTURE)
    assert refusal(config, tp=4, vllm="0.28.0")
    assert not refusal(config, tp=4, vllm="0.28.0", enable_expert_parallel=True)
    model = Model(config)
    engine = engine_of({}, config, vllm="0.28.0", where="test", draft=lambda name: model)
    h100 = gpu("H100-80GB", where="")
    assert tensor_splits(model, 8, engine, h100) == [1, 2]
    assert tensor_splits(model, 8, engine._replace(expert_parallel=True), h100) == [1, 2, 4, 8]


def test_slices_of_a_gpu_do_not_work_together():
    assert refusal(words(QWEN), on="H100-80GB-3g.40gb", tp=2) == "slices of a GPU do not work together"


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        ({"max_model_len": 99999}, "--max-model-len 40960"),
        ({"max_num_seqs": 9000}, "--max-num-batched-tokens 9000"),
        ({"quantization": "bitsandbytes"}, "no --quantization"),
    ],
)
def test_what_is_refused_is_told_what_would_not_be(arguments: dict[str, Any], change: str):
    model = Model(words(QWEN))
    engine = engine_of(arguments, model.config, vllm="0.29.0", where="test", draft=lambda name: model)
    device = gpu("H100-80GB", where="")
    found = changes(model, device=device, split=Split(), engine=engine)
    assert change in [one.words for one in found]
    assert all(one.fit.fits for one in found)


ROPE = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


@pytest.mark.parametrize(
    ("more", "positions", "usual"),
    [
        ({}, 40960, 40960),
        ({"rope_scaling": ROPE}, 131072, 131072),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, 81920, 81920),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 40960, 40960),
        # Phi 3.5 has room for 131,072 tokens and takes what it was made for.
        (
            {"rope_scaling": {"type": "longrope"}, "original_max_position_embeddings": 4096},
            40960,
            4096,
        ),
        # Command R's word.
        ({"max_position_embeddings": 8192, "model_max_length": 131072}, 131072, 131072),
    ],
)
def test_positions_are_what_vllm_derives(more: dict[str, Any], positions: int, usual: int):
    config = words(QWEN, **more)
    assert (positions_of(config), default_context(config, "0.29.0")) == (positions, usual)


def test_whisper_answers_in_as_many_tokens_as_its_decoder_has_places():
    config = ModelConfig({"architectures": ["WhisperForConditionalGeneration"], "max_target_positions": 448}, "w")
    assert default_context(config, "0.29.0") == 448


def test_a_step_by_default_has_no_more_tokens_than_its_sequences():
    model = Model(words(QWEN))
    for vllm, tokens in (("0.11.0", 8192), ("0.12.0", 2048)):
        engine = engine_of(
            {"max_num_seqs": 4, "max_model_len": 512}, model.config, vllm=vllm, where="test", draft=lambda name: model
        )
        found = fit(model, device=gpu("H100-80GB", where=""), split=Split(), engine=engine)
        assert found.shape.batched_tokens == tokens


@pytest.mark.parametrize(
    ("architecture", "vllm", "note"),
    [
        ("Qwen3NextForCausalLM", "0.10.1", "which came in 0.10.2"),
        ("Qwen3NextForCausalLM", "0.29.0", ""),
        ("BambaForCausalLM", "0.23.0", ""),
        ("BambaForCausalLM", "0.29.0", "which was taken out in 0.24.0"),
        ("SomethingNewForCausalLM", "0.29.0", ""),
        ("Llama4ForConditionalGeneration", "0.8.5", ""),
        ("ExaoneMoEForCausalLM", "0.16.0", ""),
        ("ExaoneMoEForCausalLM", "0.29.0", "which came in 0.32.0"),
    ],
)
def test_a_version_that_has_no_code_for_a_model_is_told(architecture: str, vllm: str, note: str):
    found = missing_in(vllm, words(QWEN, architectures=[architecture]))
    assert note in found
    assert bool(note) == bool(found)


TORCHAO = {"quant_method": "torchao", "quant_type": {"default": {"_type": "Float8WeightOnlyConfig"}}}
WIDE = {"hidden_size": 5120, "intermediate_size": 13824, "num_attention_heads": 40}


@pytest.mark.parametrize(
    ("more", "arguments", "vllm"),
    [
        # 13,824 inputs over 8 GPUs are no whole groups of 128: of methods that have none.
        ({**WIDE, "quantization_config": TORCHAO}, {}, "0.29.0"),
        ({**WIDE, "quantization_config": {"quant_method": "gguf"}}, {}, "0.18.0"),
        (WIDE, {"quantization": "bitsandbytes"}, "0.18.0"),
        # Whatever is asked for, ModelOpt's and gpt-oss's own method reads them.
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}, {"quantization": "fp8"}, "0.29.0"),
        ({"quantization_config": {"quant_method": "mxfp4"}}, {"quantization": "fp8"}, "0.29.0"),
        ({"quantization_config": {"quant_method": "fp8"}}, {"quantization": "deepseek_v4_fp8"}, "0.29.0"),
        ({"quantization_config": {"quant_method": "qqq"}, "torch_dtype": "float16"}, {}, "0.9.2"),
        ({"quantization_config": {"quant_method": "auto-round"}}, {"quantization": "gptq"}, "0.29.0"),
        ({}, {"quantization": "torchao"}, "0.29.0"),  # hf_overrides may say it
        ({}, {"quantization": "experts_int8"}, "0.29.0"),
    ],
)
def test_what_vllm_may_start_is_not_refused(more: dict[str, Any], arguments: dict[str, Any], vllm: str):
    assert not refusal(words(QWEN, **more), tp=8, vllm=vllm, **arguments)


@pytest.mark.parametrize(
    ("name", "on", "vllm", "arguments", "why"),
    [
        ("RedHatAI--Llama-3.3-70B-Instruct-FP8-dynamic", "T4-16GB", "0.14.0", {}, "compressed-tensors weights need"),
        ("RedHatAI--Llama-3.3-70B-Instruct-FP8-dynamic", "T4-16GB", "0.29.0", {}, ""),
        ("nvidia--Llama-3.3-70B-Instruct-FP8", "MI300X-192GB", "0.18.0", {}, "no modelopt for AMD's GPUs"),
        ("nvidia--Llama-3.3-70B-Instruct-FP8", "MI300X-192GB", "0.29.0", {}, ""),
        ("Qwen--Qwen3-8B-AWQ", "A100-80GB", "0.11.0", {"quantization": "auto_awq"}, "'auto_awq' (it came in 0.24.0)"),
        ("Qwen--Qwen3-8B-AWQ", "A100-80GB", "0.11.0", {"quantization": "awq", "dtype": "bfloat16"}, "in bfloat16"),
        ("Qwen--Qwen3-8B-AWQ", "A100-80GB", "0.11.0", {"dtype": "bfloat16"}, ""),
        ("Qwen--Qwen3-30B-A3B", "B200-180GB", "0.16.0", {"quantization": "experts_int8"}, "experts_int8 is deprecated"),
    ],
)
def test_more_that_is_asked_of_gpus_and_words(name: str, on: str, vllm: str, arguments: dict[str, Any], why: str):
    found = refusal(words(name), on=on, vllm=vllm, **arguments)
    assert why in found
    assert bool(why) == bool(found)


def test_experts_blocks_are_made_smaller_only_where_kernels_take_them():
    assert "192 rows" in refusal(words(FP8_MIXTURE), on="A100-80GB", tp=4)
    assert not refusal(words(FP8_MIXTURE), on="L40S-48GB", tp=4)


def test_blocks_of_compressed_tensors_are_whole_also_where_matrices_are_merged():
    weights = {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": "128x128"}
    groups = {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": weights, "targets": ["Linear"]}}}
    config = words(QWEN, quantization_config=groups, num_key_value_heads=8, head_dim=64)
    assert "k_proj: 64 rows on each GPU are no whole blocks of 128" in refusal(config, tp=8)


def test_a_gpu_of_which_only_the_memory_is_said_is_not_asked_what_it_can_do():
    model = Model(words("Qwen--Qwen3-30B-A3B"))
    engine = engine_of(
        {"quantization": "nvfp4_per_token"}, model.config, vllm="0.29.0", where="test", draft=lambda name: model
    )
    for known, why in ((False, ""), (True, "nvfp4_per_token weights need compute capability 10.0")):
        device = Device(name="178 GiB", memory_gib=178, is_known=known)
        assert why in fit(model, device=device, split=Split(), engine=engine).refusal


@pytest.mark.parametrize(
    "stated",
    [
        {"quant_method": "fp8", "weight_block_size": [128]},
        {"quant_method": "fp8", "weight_block_size": [0, 0]},
        {"quant_method": "fp8", "modules_to_not_convert": ["re:("]},
        {"quant_method": "awq", "bits": {"of": 4}},
        {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"num_bits": [8]}}}},
    ],
)
def test_a_quantization_that_cannot_be_read_is_told_in_one_message(stated: dict[str, Any]):
    with pytest.raises(UserError, match="`quantization_config` cannot be read"):
        refusal(words(QWEN, quantization_config=stated))


@pytest.mark.parametrize(("factor", "positions"), [(float("inf"), 40960), (-2, 40960), (0, 40960), ("4", 40960)])
def test_a_scaling_that_is_none_stretches_nothing(factor: Any, positions: int):
    assert positions_of(words(QWEN, rope_scaling={"type": "linear", "factor": factor})) == positions


def test_of_several_words_for_its_positions_the_least_is_what_a_model_takes():
    assert positions_of(words(QWEN, seq_length=8192)) == 8192
    su = words(QWEN, rope_scaling={"type": "su"}, original_max_position_embeddings=4096)
    assert default_context(su, "0.29.0") == 4096


def test_what_holds_a_language_model_that_float16_breaks_may_run_in_it():
    gemma = json.loads((CONFIGS / "google--gemma-2-9b.json").read_text())
    inside = {"architectures": ["PaliGemmaForConditionalGeneration"], "model_type": "paligemma", "text_config": gemma}
    assert not refusal(ModelConfig(inside, "config.json"), dtype="float16")
    assert "in float16" in refusal(ModelConfig(gemma, "config.json"), dtype="float16")


def test_a_bitsandbytes_checkpoint_goes_over_several_gpus_by_stages_only():
    stored = words(QWEN, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    assert "not divided by tensor parallelism" in refusal(stored, tp=2, vllm="0.27.0")
    assert refusal(stored, tp=1, vllm="0.27.0") == ""
    # What is made while loading is.
    assert refusal(words(QWEN), tp=2, vllm="0.27.0", quantization="bitsandbytes") == ""


ENCODER = {
    "architectures": ["ModernBertModel"], "model_type": "modernbert", "hidden_size": 768, "intermediate_size": 1152,
    "num_hidden_layers": 22, "num_attention_heads": 12, "vocab_size": 50368, "max_position_embeddings": 8192,
}  # fmt: skip


def test_a_prompt_that_is_not_cut_must_fit_a_step():
    encoder = ModelConfig(ENCODER, "config.json")
    assert refusal(encoder, on="L4-24GB") == ""
    assert refusal(encoder, on="L4-24GB", max_num_batched_tokens=8192) == ""
    asked = refusal(encoder, on="L4-24GB", max_num_batched_tokens=4096)
    assert asked == "max_num_batched_tokens 4,096 is less than a prompt of 8,192 tokens, which is not cut here"
    assert refusal(words(QWEN), max_num_batched_tokens=4096) == ""
    assert "not cut" in refusal(words(QWEN), max_num_batched_tokens=4096, enable_chunked_prefill=False)
    assert refusal(words(QWEN), enable_chunked_prefill=False) == ""


@pytest.mark.parametrize(
    ("name", "vllm", "why"),
    [
        (QWEN, "0.29.0", ""),
        ("google--gemma-3-27b-it", "0.29.0", ""),
        ("Zyphra--Zamba2-2.7B", "0.29.0", "vLLM 0.29.0 serves no LoRA adapters beside Zamba2ForCausalLM"),
        ("Zyphra--Zamba2-2.7B", "0.33.0", "vLLM 0.33.0 serves no LoRA adapters beside Zamba2ForCausalLM"),
        ("Zyphra--Zamba2-2.7B", "0.28.0", ""),
    ],
)
def test_adapters_are_served_beside_models_that_take_them(name: str, vllm: str, why: str):
    found = refusal(words(name), vllm=vllm, enable_lora=True)
    assert why in found
    assert bool(why) == bool(found)


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        (QWEN, {}, ""),
        ("Zyphra--Zamba2-2.7B", {}, "does not divide Zamba2ForCausalLM over pipeline stages"),
        (QWEN, {"speculative_config": {"method": "ngram", "num_speculative_tokens": 3}}, ""),
        (QWEN, {"speculative_config": {"model": "m", "num_speculative_tokens": 3}}, ""),
        (QWEN, {"speculative_config": {"method": "eagle3", "model": "m", "num_speculative_tokens": 3}}, "its draft"),
        (
            "deepseek-ai--DeepSeek-R1",
            {"speculative_config": {"method": "mtp", "num_speculative_tokens": 1}},
            "its draft",
        ),
    ],
)
def test_what_has_no_pipeline_stages(name: str, arguments: dict[str, Any], why: str):
    config = words(name)
    draft = Model(words("meta-llama--Llama-3.2-1B"))
    engine = engine_of(arguments, config, vllm="0.29.0", where="test", draft=lambda _: draft)
    found = stages_refusal(Model(config), engine)
    assert why in found
    assert bool(why) == bool(found)
