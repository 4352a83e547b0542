"""Which definitions of a JSON Schema refer to which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

REF = "#/definitions/"
Schema = dict[str, Any]


def reachable(definitions: Mapping[str, Schema], roots: Iterable[str]) -> dict[str, Schema]:
    """The definitions that the roots refer to, themselves included.

    Raises SystemExit on a reference to a definition that does not exist.
    """
    kept: dict[str, Schema] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in kept:
            continue
        if name not in definitions:
            raise SystemExit(f"a reference to {name}, which is not defined")
        kept[name] = definitions[name]
        waiting += _references(definitions[name])
    return kept


def _references(node: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(REF)
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)
