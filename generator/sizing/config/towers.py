"""The parameters of what stands beside a language model: vision and audio towers, and their projectors.

Counted from the sub-configurations' own sizes. Towers differ in small things (biases, position tables), so the count is
an estimate: `ABOUT` is its share of doubt. Forms: transformers' modeling files (CLIP, SigLIP, Pixtral, Qwen-VL).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.sizing.config.config import MOST_FACTOR, ModelConfig

ABOUT = 0.08
"""Share of a tower's parameters by which the count may err."""

_GATED = ("pixtral", "qwen2_5_vl", "llama4_vision_model", "gemma4_vision", "glm4v", "qwen2_5_omni_vision")
# Pixtral's, and Gemma 4's, which transformers runs; Kimi's are known by their words.
_REPEATED = ("pixtral", "gemma4_vision")
# SigLIP and CLIP sizes that a configuration names instead of giving them.
_NAMED = {
    "clip_vision_model": {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096, "patch_size": 14}
}


def size_in(config: Mapping[str, Any], *words: str) -> int:
    """The first of these words that says a whole number, 0 included; 0 where none does."""
    stated = (config.get(word) for word in words)
    return next((v for v in stated if isinstance(v, int) and not isinstance(v, bool) and v >= 0), 0)


def tower_parameters(config: ModelConfig) -> int:
    """Parameters of all towers and projectors; 0 for a text model."""
    text = config.needed("hidden_size")
    vision = vision_of(config)
    parameters = (
        _vision(vision, text, steps=1 if config.model_type.startswith("gemma") else 2) if vision is not None else 0
    )
    audio = config.get("audio_config")
    if isinstance(audio, Mapping):
        parameters += _audio(audio, text)
    return parameters


def is_unsized(config: ModelConfig) -> bool:
    """Whether a tower's layers are not told, so that it is not counted (Gemma 3n's)."""
    parts = (vision_of(config), config.get("audio_config"))
    return any(isinstance(part, Mapping) and not _layers(part) for part in parts)


def is_repeated(config: ModelConfig) -> bool:
    """Whether every GPU of a tensor parallel group holds the whole tower, as vLLM does with some."""
    vision = vision_of(config)
    return vision is not None and (vision.get("model_type") in _REPEATED or "vt_hidden_size" in vision)


def vision_of(config: ModelConfig) -> Mapping[str, Any] | None:
    """A tower that does not say what it is, is the model's own (Qwen2.5-VL, GLM-4.1V)."""
    vision = config.get("vision_config")
    if not isinstance(vision, Mapping):
        return None
    named = vision.get("model_type") or vision.get("name")
    return vision if named else {**vision, "model_type": config.model_type.removesuffix("_text")}


def sizes_of(tower: Mapping[str, Any]) -> dict[str, Any]:
    """What of a tower's configuration is read here, and in `overhead`: its name, numbers, and two lists of them."""
    lists = [
        key
        for key in ("deepstack_visual_indexes", "merge_kernel_size")
        if isinstance(tower.get(key), list) and all(isinstance(number, int) for number in tower[key])
    ]
    plain = {k: v for k, v in tower.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    named = {k: tower[k] for k in ("model_type", "name") if isinstance(tower.get(k), str)}
    return named | plain | {k: tower[k] for k in lists}


def _layers(tower: Mapping[str, Any]) -> int:
    kind = str(tower.get("model_type") or tower.get("name") or "")
    tower = {**_NAMED.get(kind, {}), **tower}
    width = size_in(tower, "embed_dim", "vt_hidden_size") or size_in(tower, "hidden_size", "d_model", "width")
    if kind == "qwen2_5_vl":
        width = size_in(tower, "hidden_size")
    depth = size_in(tower, "depth", "num_hidden_layers", "vt_num_hidden_layers", "encoder_layers", "layers")
    depth += size_in(tower, "num_global_layers")
    inner = size_in(tower, "intermediate_size", "vt_intermediate_size", "encoder_ffn_dim", "mlp_dim")
    if kind.startswith("glm4v"):  # whose other width is the merger's (`glm4_1v.py`)
        inner = size_in(tower, "out_hidden_size") or inner
    ratio = tower.get("mlp_ratio")
    inner = inner or int(width * (ratio if isinstance(ratio, (int, float)) and 0 < ratio <= MOST_FACTOR else 4))
    matrices = 3 if any(word in kind for word in _GATED) else 2
    return depth * (4 * width * width + matrices * width * inner + 8 * width)


def _vision(tower: Mapping[str, Any], text: int, *, steps: int) -> int:
    """`steps`: of a projector that takes one patch at a time."""
    kind = str(tower.get("model_type") or tower.get("name") or "")
    sizes = {**_NAMED.get(kind, {}), **tower}
    width = size_in(sizes, "embed_dim", "vt_hidden_size") or size_in(sizes, "hidden_size", "width")
    if kind == "qwen2_5_vl":
        width = size_in(sizes, "hidden_size")
    patch = size_in(sizes, "patch_size") or 14
    parameters = _layers(tower) + 3 * patch * patch * width * (size_in(sizes, "temporal_patch_size") or 1)
    image = size_in(sizes, "image_size")
    if image and "pixtral" not in kind:
        parameters += (image // patch) ** 2 * width
    tables = 2 if kind == "gemma4_vision" else 1  # one for each of two axes
    parameters += tables * size_in(sizes, "num_position_embeddings", "position_embedding_size") * width
    # A merger takes 2 x 2 patches to the text's width in two steps; plain projectors take one patch.
    kernel = sizes.get("merge_kernel_size")
    kernel = {"merge": kernel[0]} if isinstance(kernel, list) and kernel else {}
    merge = size_in(kernel, "merge") or size_in(sizes, "spatial_merge_size") or 1
    joined = width * merge * merge
    if kind.startswith("glm4v"):  # a step down to the text's width, and a gated part of the tower's other width
        outer = size_in(sizes, "out_hidden_size") or text
        return parameters + joined * outer + outer * outer + 3 * outer * size_in(sizes, "intermediate_size")
    # Qwen3-VL has one more merger for each layer whose features go deeper into the text model.
    deeper = sizes.get("deepstack_visual_indexes")
    mergers = 1 + (len(deeper) if isinstance(deeper, list) else 0)
    plain = width * text + (steps - 1) * text * text
    return parameters + mergers * (joined * joined + joined * text if merge > 1 else plain)


def _audio(tower: Mapping[str, Any], text: int) -> int:
    width, outputs = size_in(tower, "hidden_size", "d_model"), size_in(tower, "output_proj_dims")
    if tower.get("model_type") != "gemma4_audio":
        return _layers(tower) + width * text
    # A conformer's layers: two feed-forward parts, attention with relative positions, and a gated convolution.
    inner = size_in(tower, "intermediate_size") or 4 * width
    layers = size_in(tower, "num_hidden_layers") * (4 * width * inner + 8 * width * width)
    return layers + outputs * (width + text)
