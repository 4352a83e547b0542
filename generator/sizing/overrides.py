"""What `hf_overrides` makes of a model's configuration before vLLM looks at it. Takes both, gives another one.

Source: `vllm/config/model.py::_apply_dict_overrides`. The key of a part of the configuration changes what it names in
that part; any other key is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .config import TEXT_PARTS, ModelConfig
from .rotary import positions_of, stretch_of

# Two words for one thing, which transformers 5 reads as one: the last that is said holds.
_ROPE = ("rope_scaling", "rope_parameters")
_POSITIONS = "max_position_embeddings"


def overridden(config: ModelConfig, said: Mapping[str, Any]) -> ModelConfig:
    """The configuration with what is said in place of its own; a catalog's stays one, with its positions stretched."""
    if not said:
        return config
    data = dict(config.data)
    if config.complete and isinstance(data.get(_POSITIONS), int):
        # A catalog says the positions as its own scaling stretches them, and there may be another now.
        data[_POSITIONS] = round(data[_POSITIONS] / stretch_of(config))
    for key, value in said.items():
        if isinstance(value, Mapping) and key in TEXT_PARTS and not isinstance(data.get(key), Mapping):
            data = _set(data, value)  # A catalog's is the language model's part alone.
        else:
            data = _set(data, {key: value})
    found = replace(config, data=data)
    if not config.complete:
        return found
    stretched = positions_of(replace(found, complete=False))
    return replace(found, data={**data, _POSITIONS: stretched} if stretched else data)


def _set(data: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(data)
    for key, value in said.items():
        if key in _ROPE:
            for word in _ROPE:
                found.pop(word, None)
        own = found.get(key)
        # Parts are updated; how positions are scaled, and quantized, is said anew.
        part = key.endswith("_config") and key != "quantization_config"
        found[key] = _set(own, value) if part and isinstance(own, Mapping) and isinstance(value, Mapping) else value
    return found
