"""What `hf_overrides` makes of a model's configuration before vLLM looks at it. Takes both, gives another one.

Source: `vllm/config/model.py::_apply_dict_overrides`, 0.12.0 to 0.29.0. What is said of a part of the configuration is
merged into that, at any depth; any other key is set, and what it held is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from generator.errors import UserError
from generator.facts.files import version
from generator.sizing.config.config import TEXT_PARTS, ModelConfig
from generator.sizing.config.rotary import ROPE, positions_of, rope_fault, rope_of, stretch_of

_POSITIONS = "max_position_embeddings"
# By these a catalog's flat configuration is known for the text part of a larger one.
_TOWERS = ("vision_config", "audio_config")
# Words that vLLM reads beside the text part.
_OF_THE_WHOLE = ("architectures", "model_type", "quantization_config", "tie_word_embeddings", "torch_dtype", "dtype")


def overridden(config: ModelConfig, overrides: Mapping[str, Any], *, vllm: str, where: str) -> ModelConfig:
    """The configuration with what is set in place of its own; a catalog's stays one, with its positions stretched.

    Its faults are those of what is set at `where`. Raises UserError for what vLLM `vllm` does not start with.
    """
    if not overrides:
        return config
    where, data, warnings = f"{where}: hf_overrides", _unstretched(config), list(config.warnings)
    for key, value in overrides.items():
        if warning := _ignored(config, key, data.get(key), value, vllm):
            warnings.append(warning)
            continue
        if key in ROPE:
            warnings += _base_that_is_lost(config, value, vllm)
        data = _with(config, data, key, value, where=where)
    changed = replace(config, data=data, where=where, fix="Fix what is set there.", warnings=tuple(warnings))
    _check_rope(changed, overrides, where=where)
    if not config.complete:
        return changed
    stretched = positions_of(replace(changed, complete=False))
    return replace(changed, data={**data, _POSITIONS: stretched} if stretched else data)


def _unstretched(config: ModelConfig) -> dict[str, Any]:
    """The configuration's data. A catalog says positions as its own scaling stretches them, which may change now."""
    positions = config.data.get(_POSITIONS)
    if not config.complete or not isinstance(positions, int):
        return dict(config.data)
    return {**config.data, _POSITIONS: round(positions / stretch_of(config))}


def _ignored(config: ModelConfig, key: str, before: Any, value: Any, vllm: str) -> str:
    """What to tell of a key that vLLM does not read there; empty where it does. `before`: what is there."""
    if key in TEXT_PARTS and isinstance(value, Mapping) and (config.complete or not isinstance(before, Mapping)):
        return ""
    if key == "rope_parameters" and version(vllm) < (0, 12):
        return f"hf_overrides: vLLM {vllm} does not read `rope_parameters`; say `rope_scaling`"
    has_text_part = config.text is not config.data or (config.complete and any(part in config.data for part in _TOWERS))
    if has_text_part and key not in _OF_THE_WHOLE and not key.endswith("_config"):
        return f"hf_overrides: `{key}` is the language model's, and not read beside its part (text_config)"
    return ""


def _with(config: ModelConfig, data: Mapping[str, Any], key: str, value: Any, *, where: str) -> dict[str, Any]:
    """The data with one key set: parts are merged, anything else takes the place of what was there."""
    before = data.get(key)
    if key in TEXT_PARTS and isinstance(value, Mapping):
        if config.complete:
            return _merged(data, value)
        if not isinstance(before, Mapping):
            raise UserError(f"the model has no `{key}`", where=where, fix="Say its words without that.")
    if key.endswith("_config") and key not in _OF_THE_WHOLE and isinstance(before, Mapping):
        return {**data, key: _merged(before, value) if isinstance(value, Mapping) else value}
    kept = {word: words for word, words in data.items() if word not in ROPE} if key in ROPE else data
    return {**kept, key: value}


def _check_rope(config: ModelConfig, overrides: Mapping[str, Any], *, where: str) -> None:
    """Raise UserError where what is set of rotary positions is nothing that vLLM starts with."""
    whole, inside = (any(word in part for word in ROPE) for part in (overrides, _text_part(overrides)))
    if (whole or inside) and (fault := rope_fault(config, whole=whole)):
        raise UserError(
            fault, where=where, fix='Such as {"rope_type": "yarn", "factor": 4.0, …}, as the model card has it.'
        )


def _text_part(overrides: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is set in the language model's part, however deep that lies."""
    part = next((overrides[word] for word in TEXT_PARTS if isinstance(overrides.get(word), Mapping)), None)
    return {} if part is None else {**part, **_text_part(part)}


def _merged(part: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(part)
    for key, value in overrides.items():
        before = merged.get(key)
        if key in ROPE:
            before = next((merged[word] for word in ROPE if isinstance(merged.get(word), Mapping)), None)
            merged = {word: kept for word, kept in merged.items() if word not in ROPE}
        merged[key] = _merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return merged


def _base_that_is_lost(config: ModelConfig, value: Any, vllm: str) -> list[str]:
    """How positions turn is set whole: a base that is not said in it is the default of the model's class, or none."""
    base = config.get("rope_theta") or rope_of(config).get("rope_theta")
    if version(vllm) < (0, 12) or not isinstance(value, Mapping) or value.get("rope_theta") is not None:
        return []
    theta = f" ({base:,.0f})" if isinstance(base, (int, float)) else ""
    return [f"hf_overrides: what turns positions is set whole, so say the model's `rope_theta`{theta} in it too"]
