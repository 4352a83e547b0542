"""Variants and points as values: what variants.yaml and points.yaml say."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from generator.bench.load import Load
from generator.documents.load import read_yaml
from generator.documents.merge import JsonObject, merged
from generator.errors import UserError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True, kw_only=True)
class Variant:
    name: str
    title: str
    what: str
    points: str
    """A sweep of points.yaml."""
    model: str
    values: JsonObject
    """Of the chart; for the engine alone, those that its arguments are taken from."""
    engine: tuple[str, ...] | None
    """More arguments of vLLM's own API server; None: the chart is served."""

    @property
    def is_compared(self) -> bool:
        """Whether it is measured in every round, at every point; the others are single settings."""
        return self.points == "full"


def variants(only: Sequence[str] = (), *, where: str = "--only") -> list[Variant]:
    """All variants in their order, or those named. Raises UserError for a name that is not there, said in `where`."""
    said = read_yaml(HERE / "variants.yaml")
    for name in only:
        if name not in said["variants"]:
            raise UserError.unknown("variant", name, said["variants"], where=where)
    return [
        Variant(
            name=name,
            title=one["title"],
            what=one["what"].strip(),
            points=one.get("points", "key"),
            model=said["model"],
            values=_values(one.get("values", said["values"]), one.get("without", ()), one.get("overlay", {})),
            engine=tuple(one["engine"]) if "engine" in one else None,
        )
        for name, one in said["variants"].items()
        if not only or name in only
    ]


def _values(path: str, without: Sequence[str], overlay: JsonObject) -> JsonObject:
    values = read_yaml(ROOT / path)
    for dotted in without:
        *parents, last = _keys(values, dotted)
        below: Any = values
        for key in parents:
            below = below[key]
        del below[last]
    return merged(values, copy.deepcopy(overlay))


def _keys(values: Any, dotted: str) -> list[str]:
    """The keys of a dotted path; a key may itself have dots. Raises KeyError where the values have no such path."""
    for key in values:
        if dotted == key:
            return [key]
        if dotted.startswith(f"{key}."):
            return [key, *_keys(values[key], dotted.removeprefix(f"{key}."))]
    raise KeyError(dotted)


class Asked(NamedTuple):
    """A point as points.yaml has it."""

    load: Load
    at_least_s: float
    """Where its requests are answered sooner, it is measured again with as many as take so long."""


def sweep(name: str) -> list[Asked]:
    """The points of a sweep. A point has the same prompts for every variant, and other prompts than any other point."""
    said = read_yaml(HERE / "points.yaml")
    found = []
    for point in said["sweeps"][name]:
        at_least_s = point.pop("at_least_s", 0.0)
        load = Load(**said["shapes"][point["shape"]], **point)
        found.append(Asked(replace(load, seed=zlib.crc32(load.name.encode())), at_least_s))
    return found
