"""A model of the catalog is sized as its config.json is."""

from __future__ import annotations

import json

import pytest

from generator.checkpoint.architecture import architecture_of
from generator.facts.gpus import Device
from generator.formats.architecture import Architecture
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.engine import Engine
from generator.sizing.fit import MemoryFit, fit
from generator.sizing.model import Model
from generator.sizing.weights.divisions import Split
from tests.support.paths import CONFIGS

# `architectures`, `dtype` and `compression_config` are kept by other names; positions are kept as they are stretched.
OTHERWISE = {"architectures", "dtype", "compression_config", "model_max_length", "original_max_position_embeddings"}
FILES = sorted(CONFIGS.glob("*.json"))


def sized(config: ModelConfig) -> MemoryFit:
    device, engine = Device(name="H100-80GB", memory_gib=79.11), Engine(vllm="0.29.0", context=4096)
    return fit(Model(config), device=device, split=Split(tensor=2, pipeline=2), engine=engine)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_catalog_keeps_every_key_that_sizing_reads(path):
    config = ModelConfig(json.loads(path.read_text()), path.name)
    quantization = config.get("quantization_config") or {}
    kept = ModelConfig(architecture_of(config, {}, {}, quantization).config_json(), "catalog", complete=True)
    ours, theirs = sized(kept), sized(config)
    assert ours.activation_gib == pytest.approx(theirs.activation_gib)
    assert ours.layout.blocks_of_request(4096) == theirs.layout.blocks_of_request(4096)
    assert ours.layout.block_bytes == theirs.layout.block_bytes
    if not any(isinstance(value, list) and len(value) > 16 for value in quantization.values()):
        # Long lists of layers are left out: a catalog knows its weights' bytes from the files.
        assert ours.weights_gib == pytest.approx(theirs.weights_gib)


@pytest.mark.parametrize("written", [{"num_hidden_layers": 12}, {}], ids=["transformers 4", "transformers 5"])
def test_whisper_has_heads_and_layers_by_the_words_of_encoders(written):
    config = {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "d_model": 768,
        "decoder_attention_heads": 12,
        "decoder_layers": 12,
        "encoder_attention_heads": 12,
        "encoder_layers": 12,
        "is_encoder_decoder": True,
        "max_source_positions": 1500,
        "max_target_positions": 448,
        "num_mel_bins": 80,
        "vocab_size": 51865,
    } | written
    kept = architecture_of(ModelConfig(config, "config.json"), {}, {}, {})
    assert (kept.num_attention_heads, kept.head_dim, kept.max_position_embeddings) == (12, 64, 448)
    assert kept.num_hidden_layers == 12
    again = ModelConfig(kept.config_json(), "catalog", complete=True)
    whole = ModelConfig(config, "config.json")
    assert Model(again).matrices().parameters == Model(whole).matrices().parameters
    assert sized(again).layout.block_bytes == sized(whole).layout.block_bytes


def test_a_layout_that_names_every_layer_is_left_out_of_the_catalog():
    layers = {f"model.layers.{i}.mlp.down_proj": {"quant_algo": "NVFP4"} for i in range(17)}
    stated = {
        "quant_method": "modelopt",
        "quant_algo": "MIXED_PRECISION",
        "quantized_layers": layers,
        "ignore": ["lm_head"],
    }
    config = ModelConfig(json.loads((CONFIGS / "Qwen--Qwen3-8B.json").read_text()), "config.json")
    assert architecture_of(config, {}, {}, stated).quantization_config == {
        "quant_method": "modelopt",
        "quant_algo": "MIXED_PRECISION",
        "ignore": ["lm_head"],
    }


def test_no_key_is_read_that_the_catalog_does_not_keep(monkeypatch):
    read: set[str] = set()
    get = ModelConfig.get

    def noted(self, key, default=None):
        read.add(key)
        return get(self, key, default)

    monkeypatch.setattr(ModelConfig, "get", noted)
    for path in FILES:
        sized(ModelConfig(json.loads(path.read_text()), path.name))
    assert len(read) > 100
    assert read - set(Architecture.model_fields) <= OTHERWISE
