"""Parameters of what stands beside a language model, by the sizes of models whose authors publish the count."""

from __future__ import annotations

from typing import Any

import pytest

from generator.sizing.config.config import ModelConfig
from generator.sizing.model import Model

# Sizes as sgl-project/ome@17b77eda and sophgo/LLM-TPU@d581e7bf keep them; these towers say no model_type.
QWEN = {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "model_type": "qwen2_5_vl",
    "hidden_size": 2048,
    "intermediate_size": 11008,
    "num_hidden_layers": 36,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "max_position_embeddings": 128000,
    "tie_word_embeddings": True,
    "vision_config": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 2048,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    },
}
GLM = {
    "architectures": ["Glm4vForConditionalGeneration"],
    "model_type": "glm4v",
    "hidden_size": 4096,
    "intermediate_size": 13696,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 2,
    "vocab_size": 151552,
    "max_position_embeddings": 65536,
    "attention_bias": True,
    "tie_word_embeddings": False,
    "vision_config": {
        "depth": 24,
        "hidden_size": 1536,
        "image_size": 336,
        "intermediate_size": 13696,
        "num_heads": 12,
        "out_hidden_size": 4096,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    },
}
HEARS = {"model_type": "qwen2_5_omni_audio_encoder", "d_model": 1280, "encoder_layers": 32, "encoder_ffn_dim": 5120}


def parameters(config: dict[str, Any]) -> int:
    return Model(ModelConfig(config, "config.json")).matrices().parameters


@pytest.mark.parametrize(
    ("config", "published"), [(QWEN, 3_754_622_976), (GLM, 10_292_777_472)], ids=["Qwen2.5-VL-3B", "GLM-4.1V-9B"]
)
def test_a_tower_that_does_not_say_what_it_is_is_the_models_own(config, published):
    assert parameters(config) == pytest.approx(published, rel=0.001)


def test_towers_of_a_thinker_count_as_those_of_a_whole_model():
    """Qwen's omni models have a part between the whole and the language model, and their towers are in it."""
    text = {key: value for key, value in QWEN.items() if key not in ("architectures", "vision_config")}
    held = {
        "vision_config": QWEN["vision_config"] | {"model_type": "qwen2_5_omni_vision_encoder"},
        "audio_config": HEARS,
    }
    names = {"architectures": ["Qwen2_5OmniForConditionalGeneration"], "model_type": "qwen2_5_omni"}
    text |= {"model_type": "qwen2_5_omni_text"}
    omni = parameters({**names, "thinker_config": {"text_config": text, **held}})
    assert omni == parameters({**names, "text_config": text, **held})
    # Whisper's encoder, whose layers have no gate: 635 million parameters.
    assert omni - parameters(QWEN) == pytest.approx(635_000_000, rel=0.02)
