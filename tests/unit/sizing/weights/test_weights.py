"""Parameters and bytes of weights on one GPU, from config.json alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.facts.gpus import Device
from generator.sizing.config.config import ModelConfig
from generator.sizing.config.rotary import positions_of
from generator.sizing.engine.engine import Engine
from generator.sizing.engine.refusals import tensor_splits
from generator.sizing.model import Model
from generator.sizing.weights.quantization import quantization_of
from generator.sizing.weights.rank import LoraSlots, WeightOptions
from tests.support.paths import CONFIGS

GIB = 2**30
TP1 = WeightOptions()


def config_of(name: str, **changes: Any) -> ModelConfig:
    return ModelConfig({**json.loads((CONFIGS / f"{name.replace('/', '--')}.json").read_text()), **changes}, name)


def gib(name: str, options: WeightOptions = TP1, **changes: Any) -> float:
    return Model(config_of(name, **changes)).weights(options).bytes / GIB


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 8_030_261_248),
        ("Qwen/Qwen3-30B-A3B", 30_532_122_624),
        ("deepseek-ai/DeepSeek-R1", 671_026_419_200),
        ("openai/gpt-oss-120b", 116_829_156_672),
        ("google/gemma-2-9b", 9_241_705_984),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 79_674_391_296),
        ("RedHatAI/gemma-4-26B-A4B-it-FP8-Dynamic", 25_805_936_206),
    ],
)
def test_the_parameters_are_those_that_the_models_authors_publish(name, parameters):
    assert Model(config_of(name)).weights(TP1).parameters == pytest.approx(parameters, rel=0.001)


def test_key_value_heads_are_repeated_where_there_are_fewer_than_gpus():
    eight, sixteen = (gib("Qwen/Qwen3-30B-A3B", replace(TP1, tensor_parallel=n)) for n in (8, 16))
    keys_and_values = 48 * 2 * 2048 * 128 * 2 / GIB  # of one head, in all layers
    rest = eight - keys_and_values
    assert sixteen - keys_and_values == pytest.approx(rest / 2, rel=0.05)


def test_stages_hold_their_layers_and_one_end_of_the_model():
    whole = gib("meta-llama/Llama-3.1-8B-Instruct")
    half = gib("meta-llama/Llama-3.1-8B-Instruct", replace(TP1, pipeline_parallel=2))
    head = 128256 * 4096 * 2 / GIB
    assert half == pytest.approx((whole - 2 * head) / 2 + head, rel=0.01)


def test_a_tied_head_is_stored_once_and_is_on_both_ends_of_a_pipeline():
    tied = gib("meta-llama/Llama-3.2-1B")
    head = 128256 * 2048 * 2 / GIB
    assert gib("meta-llama/Llama-3.2-1B", tie_word_embeddings=False) == pytest.approx(tied + head, rel=1e-6)


def test_experts_are_shared_out_whole_where_they_are_parallel():
    model = "Qwen/Qwen3-30B-A3B"
    divided = gib(model, replace(TP1, tensor_parallel=4))
    whole = gib(model, replace(TP1, tensor_parallel=4, expert_parallel=True))
    assert whole == pytest.approx(divided, rel=1e-6)  # 128 experts over 4 GPUs
    assert gib(model, replace(TP1, tensor_parallel=3, expert_parallel=True)) > gib(
        model, replace(TP1, tensor_parallel=3)
    )


def test_fp8_made_while_loading_halves_linear_layers_and_leaves_the_embeddings():
    plain = gib("meta-llama/Llama-3.1-8B-Instruct")
    made = gib("meta-llama/Llama-3.1-8B-Instruct", replace(TP1, quantization="fp8"))
    heads = 2 * 128256 * 4096 * 2 / GIB
    assert made == pytest.approx((plain - heads) / 2 + heads, rel=0.005)


@pytest.mark.parametrize(
    ("ignored", "name", "stays"),
    [
        ("lm_head", "lm_head", True),
        ("re:.*mlp.gate$", "model.layers.3.mlp.gate", True),
        ("re:.*mlp.gate$", "model.layers.3.mlp.gate_proj", False),
        ("model.layers.0.self_attn", "model.layers.0.self_attn.q_proj", True),
        ("model.layers.0.self_attn", "model.layers.10.self_attn.q_proj", False),
        ("model.layers.*.self_attn", "model.layers.10.self_attn.q_proj", True),
        ("down_proj", "model.layers.1.mlp.down_proj", True),
    ],
)
def test_a_quantized_checkpoint_keeps_the_layers_that_its_list_names(ignored, name, stays):
    groups = {"a": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}}
    stated = {"quant_method": "compressed-tensors", "config_groups": groups, "ignore": [ignored]}
    scheme = quantization_of(ModelConfig({"quantization_config": stated}, "config.json"))
    assert (scheme.format_of(name) is None) == stays


@pytest.mark.parametrize(
    ("stated", "bits"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}, 4 + 20 / 128),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True}, 4 + 16 / 128),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, 8 + 32 / 128**2),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, 4 + 8 / 16),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 4 + 32 / 64),
    ],
)
def test_a_weight_takes_its_bits_and_its_share_of_scale_and_zero_point(stated, bits):
    stored = quantization_of(ModelConfig({"quantization_config": stated}, "config.json")).format_of("model.layers.0.x")
    assert stored.bytes(4096, 4096) * 8 / 4096**2 == pytest.approx(bits, rel=1e-3)


def test_a_scheme_that_is_not_known_says_so_and_has_a_wide_range():
    weights = Model(config_of("Qwen/Qwen3-0.6B", quantization_config={"quant_method": "newest"})).weights(TP1)
    assert "newest is not known" in weights.notes[0]
    assert weights.high > 1.25 * weights.bytes


def test_headers_correct_the_count_and_layers_of_multi_token_prediction_do_not_count():
    config = config_of("deepseek-ai/DeepSeek-R1")
    counted = Model(config).weights(TP1)
    files = 688_586_727_753.0  # safetensors of the repository, with the 61st layer
    assert Model(config, checkpoint_bytes=files).weights(TP1).bytes == pytest.approx(counted.bytes, rel=0.01)


def test_adapters_take_two_thin_matrices_beside_every_linear_layer():
    without = gib("meta-llama/Llama-3.1-8B-Instruct")
    lora = replace(TP1, lora=LoraSlots(adapters=4, rank=16))
    layer = 2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 14336)
    assert gib("meta-llama/Llama-3.1-8B-Instruct", lora) - without == pytest.approx(32 * layer * 64 * 2 / GIB, rel=1e-6)


def test_yarn_stretches_the_positions_and_the_rotary_table():
    rope = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    assert positions_of(config_of("Qwen/Qwen3-8B", rope_scaling=rope)) == 131072


@given(
    tensor=st.sampled_from([1, 2, 4, 8]),
    pipeline=st.integers(1, 4),
    name=st.sampled_from(["Qwen/Qwen3-8B", "deepseek-ai/DeepSeek-R1", "openai/gpt-oss-20b", "google/gemma-3-27b-it"]),
)
def test_gpus_together_hold_at_least_the_model(tensor, pipeline, name):
    options = replace(TP1, tensor_parallel=tensor, pipeline_parallel=pipeline, compute_capability=0.0)
    model = Model(config_of(name))
    one, whole = model.weights(options), model.weights(replace(TP1, compute_capability=0.0))
    assert one.low <= one.bytes <= one.high <= whole.high
    assert one.bytes * tensor * pipeline >= whole.bytes * 0.999


def test_splits_are_those_by_which_every_kind_of_head_divides():
    engine, h100 = Engine(vllm="0.29.0"), Device(name="H100-80GB", memory_gib=79.11)
    assert tensor_splits(Model(config_of("Qwen/Qwen3-32B")), 16, engine, h100) == [1, 2, 4, 8, 16]
    assert 4 not in tensor_splits(Model(config_of("tiiuae/Falcon-H1-3B-Base")), 8, engine, h100)  # ten attention heads


def test_the_words_of_transformers_5_for_layers_mean_what_those_before_meant():
    moe = gib("deepseek-ai/DeepSeek-V4-Pro")
    assert gib("deepseek-ai/DeepSeek-V4-Pro", mlp_layer_types=["hash_moe", "moe"] * 40) == pytest.approx(moe)
    name, words = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-FP8", {"M": "linear_attention", "*": "full_attention"}
    kinds = [(words | {"E": "moe", "-": "mlp"})[one] for one in config_of(name).data["hybrid_override_pattern"]]
    before, after = (
        Model(config_of(name, **more)) for more in ({}, {"hybrid_override_pattern": None, "layer_types": kinds})
    )
    assert after.caches == before.caches
    assert after.matrices().parameters == before.matrices().parameters
    alone = {"hybrid_override_pattern": None, "num_hidden_layers": None, "layers_block_type": kinds}
    assert Model(config_of(name, **alone)).config.layers == before.config.layers  # Nemotron 3 Ultra


@pytest.mark.parametrize(("tensor", "slots"), [(1, 5), (2, 1)])
def test_a_group_that_is_repeated_makes_one_slot_of_merged_projections(tensor, slots):
    """Mamba's gate, values, two of its group and steps have slots of their own where the group is not repeated."""
    name, lora = "tiiuae/Falcon-H1-3B-Base", LoraSlots(adapters=1, rank=16)
    config = config_of(name)
    with_slots = replace(TP1, tensor_parallel=tensor, lora=lora)
    found = gib(name, with_slots) - gib(name, replace(with_slots, lora=None))
    layer = Model(config).matrices().layers[0]
    others = [m for m in layer if m.linear and not m.name.endswith("in_proj")]
    rows = sum(m.rows for m in layer if m.linear) / tensor
    entries = sum(m.columns for m in others) + slots * config.needed("hidden_size") + rows
    assert found * GIB == pytest.approx(entries * config.layers * 16 * 2)
