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
