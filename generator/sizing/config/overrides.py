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


def overridden(config: ModelConfig, said: Mapping[str, Any], *, vllm: str, where: str) -> ModelConfig:
    """The configuration with what is said in place of its own; a catalog's stays one, with its positions stretched.

    Its faults are those of what is said at `where`. Raises UserError for what vLLM `vllm` does not start with.
    """
    if not said:
        return config
    where, data, warnings = f"{where}: hf_overrides", dict(config.data), []
    if config.complete and isinstance(data.get(_POSITIONS), int):
        # A catalog says the positions as its own scaling stretches them, and there may be another now.
        data[_POSITIONS] = round(data[_POSITIONS] / stretch_of(config))
    has_text_part = config.text is not config.data or (config.complete and any(part in data for part in _TOWERS))
    for key, value in said.items():
        own = data.get(key)
        if key in TEXT_PARTS and isinstance(value, Mapping) and config.complete:
            data = _merged(data, value)
        elif key in TEXT_PARTS and isinstance(value, Mapping) and not isinstance(own, Mapping):
            raise UserError(f"the model has no `{key}`", where=where, fix="Say its words without that.")
        elif key == "rope_parameters" and version(vllm) < (0, 12):
            warnings.append(f"hf_overrides: vLLM {vllm} does not read `rope_parameters`; say `rope_scaling`")
        elif key.endswith("_config") and key not in _OF_THE_WHOLE and isinstance(own, Mapping):
            data[key] = _merged(own, value) if isinstance(value, Mapping) else value
        elif has_text_part and key not in _OF_THE_WHOLE and not key.endswith("_config"):
            warnings.append(
                f"hf_overrides: `{key}` is the language model's, and not read beside its part (text_config)"
            )
        else:
            if key in ROPE:
                warnings += _base_that_is_lost(config, value, vllm)
                data = {word: kept for word, kept in data.items() if word not in ROPE}
            data[key] = value
    found = replace(
        config, data=data, where=where, fix="Mend what is set there.", warnings=(*config.warnings, *warnings)
    )
    whole, inside = (any(word in part for word in ROPE) for part in (said, _text_part(said)))
    if (whole or inside) and (fault := rope_fault(found, whole=whole)):
        raise UserError(
            fault, where=where, fix='Such as {"rope_type": "yarn", "factor": 4.0, …}, as the model card has it.'
        )
    if not config.complete:
        return found
    stretched = positions_of(replace(found, complete=False))
    return replace(found, data={**data, _POSITIONS: stretched} if stretched else data)


def _text_part(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is said of the language model's part, however deep that lies."""
    inner = next((said[word] for word in TEXT_PARTS if isinstance(said.get(word), Mapping)), None)
    return {} if inner is None else {**inner, **_text_part(inner)}


def _merged(own: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(own)
    for key, value in said.items():
        before = found.get(key)
        if key in ROPE:
            before = next((found[word] for word in ROPE if isinstance(found.get(word), Mapping)), None)
            found = {word: kept for word, kept in found.items() if word not in ROPE}
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        found[key] = _merged(before, value) if both else value
    return found


def _base_that_is_lost(config: ModelConfig, value: Any, vllm: str) -> list[str]:
    """How positions turn is set whole: a base that is not said in it is the default of the model's class, or none."""
    base = config.get("rope_theta") or rope_of(config).get("rope_theta")
    if version(vllm) < (0, 12) or not isinstance(value, Mapping) or value.get("rope_theta") is not None:
        return []
    own = f" ({base:,.0f})" if isinstance(base, (int, float)) else ""
    return [f"hf_overrides: what turns positions is set whole, so say the model's `rope_theta`{own} in it too"]
