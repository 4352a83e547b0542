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


def common(first: JsonObject, others: list[JsonObject]) -> JsonObject:
    """What all of them say alike, mappings key by key."""
    alike: JsonObject = {}
    for key, value in first.items():
        theirs = [other.get(key) for other in others]
        if isinstance(value, dict) and all(isinstance(each, dict) for each in theirs):
            if inner := common(value, [each for each in theirs if each is not None]):
                alike[key] = inner
        elif all(each == value for each in theirs):
            alike[key] = value
    return alike


def without(data: JsonObject, said: JsonObject) -> JsonObject:
    """What `data` says that `said` does not: merged over that it is the same again."""
    rest: JsonObject = {}
    for key, value in data.items():
        if isinstance(value, dict) and isinstance(said.get(key), dict):
            if inner := without(value, said[key]):
                rest[key] = inner
        elif key not in said or said[key] != value:
            rest[key] = value
    return rest
