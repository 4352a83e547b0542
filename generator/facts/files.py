"""Files of `generator/data/`, parsed once, and versions, by which they are looked up. Other modules give them types."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

DATA = Path(__file__).parents[1] / "data"


@cache
def read_data(name: str) -> Any:
    """Return what a data file holds; `name` ends in .yaml or .json."""
    text = (DATA / name).read_text(encoding="utf-8")
    if name.endswith(".json"):
        return json.loads(text)
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def version(text: str) -> tuple[int, ...]:
    """A version of vLLM or Ray as numbers that compare; what follows them (rc1, post1, dev) is left out."""
    numbers = []
    for part in text.lstrip("v").split(".")[:3]:
        digits = part[: next((i for i, char in enumerate(part) if not char.isdigit()), len(part))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def as_of(vllm: str, entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What holds for vLLM `vllm`: of every fact the newest entry that is not newer; the oldest for older versions."""
    row: dict[str, Any] = {}
    for number in sorted(entries, key=version):
        if not row or version(number) <= version(vllm):
            row |= entries[number]
    return row


def within(span: Sequence[str], vllm: str) -> bool:
    """Whether `vllm` is in a span: from its first version on, until its second where it has one."""
    now = version(vllm)
    return version(span[0]) <= now and (len(span) == 1 or now < version(span[1]))


Row = TypeVar("Row")


def row_of(rows: Mapping[str, Row], name: str) -> Row | None:
    """The row of a name, or None; a row's own name that ends in * is of all names that begin so."""
    for known, row in rows.items():
        if name == known or (known.endswith("*") and name.startswith(known[:-1])):
            return row
    return None
