"""JSON Schemas as short as they go, in draft-07's words, which Helm reads; an object with known keys is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tools.references import REF, Schema

ANNOTATIONS = {"title", "description", "default", "examples", "discriminator", "format", "deprecated", "$defs"}
ANNOTATIONS |= {"definitions", "env_names", "writeOnly", "contentMediaType"}


def simplified(schema: Schema) -> Schema:
    """The same schema without annotations, closed, with unions as short as they go, in draft-07's words."""
    if "$ref" in schema:
        return {"$ref": REF + schema["$ref"].rsplit("/", 1)[1]}
    out: Schema = {}
    for key, value in schema.items():
        if key in _IN_DRAFT_07:
            word, simpler = _IN_DRAFT_07[key]
            out[word] = simpler(value)
        elif key not in ANNOTATIONS:
            out[key] = value
    if out.get("additionalProperties") is True and "properties" not in out:
        del out["additionalProperties"]
    if "properties" in out:
        out.setdefault("additionalProperties", False)
    if len(out.get("allOf", [])) == 1:
        out = {**out.pop("allOf")[0], **out}
    return union(out.pop("anyOf"), out) if "anyOf" in out else out


def _by_name(children: Mapping[str, Schema]) -> dict[str, Schema]:
    return {name: simplified(child) for name, child in children.items()}


def _each(children: Iterable[Schema]) -> list[Schema]:
    return [simplified(child) for child in children]


def _child(child: Schema | bool) -> Schema | bool:
    return simplified(child) if isinstance(child, dict) else child


# Of the keywords that hold schemas, or that draft-07 calls otherwise: its word, and what becomes of the value.
_IN_DRAFT_07: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "properties": ("properties", _by_name),
    "anyOf": ("anyOf", _each),
    "oneOf": ("anyOf", _each),
    "allOf": ("allOf", _each),
    "prefixItems": ("items", _each),
    "items": ("items", _child),
    "additionalProperties": ("additionalProperties", _child),
    "propertyNames": ("propertyNames", _child),
    "not": ("not", _child),
    "const": ("enum", lambda value: [value]),
}


def union(branches: Iterable[Schema], rest: Schema) -> Schema:
    """`anyOf` of simplified branches, flattened; branches of different types without common keywords become one."""
    flat = _flat(branches)
    if {} in flat:
        return rest
    merged = _merged(_without_implied(flat))
    return {**merged[0], **rest} if len(merged) == 1 else {"anyOf": merged, **rest}


def _flat(branches: Iterable[Schema]) -> list[Schema]:
    """The branches, those of an inner `anyOf` in its place; each once."""
    flat: list[Schema] = []
    for branch in branches:
        for part in branch["anyOf"] if set(branch) == {"anyOf"} else [branch]:
            if part not in flat:
                flat.append(part)
    return flat


def _without_implied(branches: list[Schema]) -> list[Schema]:
    """The branches but those that the others say, or say better."""
    if any("$ref" in branch for branch in branches):
        # Dict[str, Any] beside the class that Ray then makes of it. Null beside it says what leaving the key out says,
        # at the price of "not valid under any of the given schemas" for every fault inside.
        branches = [branch for branch in branches if branch not in ({"type": "object"}, {"type": "null"})]
    if {"type": "string"} in branches:
        # A plain string beside an enum: vLLM's way to say that plugins may add to it.
        branches = [branch for branch in branches if not ("enum" in branch and branch.get("type") == "string")]
    return branches


def _merged(branches: Iterable[Schema]) -> list[Schema]:
    """The branches, each joined with the first before it that it can be one schema with."""
    merged: list[Schema] = []
    for branch in branches:
        for i, earlier in enumerate(merged):
            if (both := merge(earlier, branch)) is not None:
                merged[i] = both
                break
        else:
            merged.append(branch)
    return merged


def merge(a: Schema, b: Schema) -> Schema | None:
    """One schema that accepts what either accepts, or None where JSON Schema has no short way to say it."""
    types_a, types_b = as_list(a.get("type")), as_list(b.get("type"))
    if not types_a or not types_b:
        return None
    if b == {"type": "null"} and "enum" in a:
        return {**a, "enum": [*a["enum"], None], "type": [*types_a, "null"]}
    keywords_a, keywords_b = set(a) - {"type"}, set(b) - {"type"}
    if "enum" in keywords_a | keywords_b or keywords_a & keywords_b or set(types_a) & set(types_b):
        return None
    numbers = {"integer", "number"}
    if numbers & set(types_a) and numbers & set(types_b):
        return None
    return {**a, **b, "type": [*types_a, *types_b]}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def nullable(schema: Schema) -> Schema:
    return schema if schema == {} else union([schema, {"type": "null"}], {})


def accepts_null(schema: Schema) -> bool:
    return "null" in as_list(schema.get("type")) or any(accepts_null(branch) for branch in schema.get("anyOf", []))


def of_keys(properties: Mapping[str, Schema]) -> Schema:
    """An object of these keys and no others."""
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def exclusive(schema: Schema) -> Schema:
    """Serve rejects a fixed `num_replicas` beside an `autoscaling_config` ("auto" may stand beside it)."""
    if not {"num_replicas", "autoscaling_config"} <= set(schema.get("properties", {})):
        return schema
    clash = {
        "required": ["autoscaling_config", "num_replicas"],
        "properties": {"num_replicas": {"type": "integer"}, "autoscaling_config": {"type": "object"}},
    }
    return {**schema, "not": clash}
