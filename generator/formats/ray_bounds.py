"""Bounds for the numbers that Ray and vLLM take, where the release itself has none."""

from __future__ import annotations

from functools import cache
from typing import Any

from generator.documents.merge import JsonObject
from generator.facts.files import read_data
from generator.formats.bounds import EXACT


def bounded(definitions: JsonObject) -> JsonObject:
    """A release's definitions in which every number has a least and a most (data/ray_bounds.yaml)."""
    return {name: _bounded(schema, "") for name, schema in definitions.items()}


def _bounded(node: Any, name: str) -> Any:
    """A schema with bounds; `name` is the field's whose schema it is, also of what stands in a list there."""
    if isinstance(node, list):
        return [_bounded(item, name) for item in node]
    if not isinstance(node, dict):
        return node
    inside = {key: _inside(key, value, name) for key, value in node.items()}
    return _with_bounds(inside, name) if _is_number(node) else inside


def _inside(key: str, value: Any, name: str) -> Any:
    if key == "properties":
        return {field: _bounded(schema, field) for field, schema in value.items()}
    return _bounded(value, name) if key in ("anyOf", "items", "additionalProperties") else value


def _is_number(schema: JsonObject) -> bool:
    kinds = schema.get("type", [])
    return "enum" not in schema and bool({"integer", "number"} & set([kinds] if isinstance(kinds, str) else kinds))


def _with_bounds(schema: JsonObject, name: str) -> JsonObject:
    least, most = bounds_of(name)
    lower = {} if {"minimum", "exclusiveMinimum"} & schema.keys() else {"minimum": least}
    upper = {} if {"maximum", "exclusiveMaximum"} & schema.keys() else {"maximum": most}
    return {**schema, **lower, **upper}


def bounds_of(name: str) -> tuple[int, int]:
    """The least and the most of the field of this name, where the release has no bounds itself."""
    return next((row[1:] for row in _rows() if name.endswith(row[0])), (-EXACT, EXACT))


@cache
def _rows() -> list[tuple[str, int, int]]:
    """(end of the name, minimum, maximum), in the file's order."""
    rows = []
    for row in read_data("ray_bounds.yaml"):
        names = row["name"] if isinstance(row["name"], list) else [row["name"]]
        rows += [(name, row["minimum"], row["maximum"]) for name in names]
    return rows
