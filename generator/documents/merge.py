"""JSON objects, merged as Helm merges values."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]


def merged(*layers: JsonObject) -> JsonObject:
    """Deep-merge mappings as Helm does: a later layer wins, mappings merge, lists are replaced. Nothing is mutated."""
    result: JsonObject = {}
    for layer in layers:
        for key, value in layer.items():
            mine = result.get(key)
            result[key] = merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return result
