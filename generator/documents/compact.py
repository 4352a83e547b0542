"""Data as YAML that people like to read: short mappings on one line, long ones in blocks, long sentences wrapped."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from generator.documents.edit import loads_as

_WIDTH = 120


def block_lines(key: str, value: Any, column: int, step: int) -> Iterator[str]:
    """One key: on one line where that is short, a flow map over several lines where its items are, else a block."""
    head, indent = f"{' ' * column}{inline(key)}:", " " * (column + step)
    if not isinstance(value, Mapping):
        line = f"{head} {inline(value, flow=False)}"
        words = isinstance(value, str) and value.isprintable() and value == " ".join(value.split())
        if len(line) > _WIDTH and words:
            yield f"{head} >-"
            yield from _wrapped(value, indent)
        else:
            yield line
        return
    items = [f"{inline(name)}: {inline(item)}" for name, item in value.items()]
    if len(head) + sum(len(item) + 2 for item in items) + 1 <= _WIDTH:
        yield f"{head} {{{', '.join(items)}}}"
    elif not items:  # behind a long key
        yield f"{head} {{}}"
    elif all(len(item) <= _WIDTH * 2 // 5 for item in items):
        yield from _filled(f"{head} {{", items, indent)
    else:
        yield head
        for name, item in value.items():
            yield from block_lines(name, item, column + step, step)


def _wrapped(words: str, indent: str) -> list[str]:
    return textwrap.wrap(
        words,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _filled(line: str, items: list[str], indent: str) -> Iterator[str]:
    """Items of a flow map, as many to a line as fit."""
    parts = [f"{item}," for item in items[:-1]] + [f"{items[-1]}}}"]
    line += parts[0]
    for part in parts[1:]:
        if len(line) + 1 + len(part) > _WIDTH:
            yield line
            line = indent + part
        else:
            line += f" {part}"
    yield line


def inline(value: Any, *, flow: bool = True) -> str:
    """A value on one line; `flow`: such that it can stand in a flow map."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{inline(key)}: {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        return "[" + ", ".join(inline(each) for each in value) + "]"
    if isinstance(value, float):
        return yaml.safe_dump(value).partition("\n")[0]  # 1.0e-05: without its point YAML reads text
    if not isinstance(value, str):
        return json.dumps(value)
    if value.isprintable() and (loads_as(f"[{value}]", [value]) if flow else loads_as(value, value)):
        return value
    return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=float("inf")).strip()
