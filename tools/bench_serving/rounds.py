"""A run in rounds. What is compared throughout is measured in each, and a ratio is always one of the same round.

On a shared host the same server answers a sixth more or fewer requests a second an hour later. Within a round, minutes
lie between a variant and the limit; over the rounds the median stands, and how far they lie apart is to be seen.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .variants import Variant

Document = Mapping[str, Any]
"""What `measure` gives for one variant, in one round."""
Point = Mapping[str, Any]
OfPoint = Callable[[Point], float]


class Key(NamedTuple):
    """Which points are the same load."""

    shape: str
    concurrency: int
    stream: bool

    @classmethod
    def of(cls, point: Point) -> Key:
        return cls(*(point["load"][name] for name in cls._fields))


def shared_out(variants: Sequence[Variant], rounds: int) -> list[list[Variant]]:
    """The variants of each round: in all of them those of the full sweep, in one the others, in their order."""
    each, others = compared(variants), [variant for variant in variants if not variant.is_compared]
    bounds = [number * len(others) // rounds for number in range(rounds + 1)]
    # Every other round the other way about, so that a machine that slows down does not favour the first.
    orders = itertools.cycle((each, each[::-1]))
    return [order + others[start:end] for order, (start, end) in zip(orders, itertools.pairwise(bounds), strict=False)]


def compared(variants: Sequence[Variant]) -> list[Variant]:
    return [variant for variant in variants if variant.is_compared]


class Rounds:
    """The figures of a run, by variant and load. A point at which nothing was answered has none."""

    def __init__(self, rounds: Sequence[Sequence[Document]]) -> None:
        self._rounds = [{one["name"]: one for one in documents if one["points"]} for documents in rounds]
        self._points = [
            {name: _answered(one["points"]) for name, one in documents.items()} for documents in self._rounds
        ]
        self.stopped = [
            (number, one) for number, documents in enumerate(rounds, 1) for one in documents if one["error"]
        ]
        """What did not start or broke off, with its round."""

    @property
    def count(self) -> int:
        return len(self._rounds)

    @property
    def names(self) -> list[str]:
        """Of the variants that were measured, each once."""
        return list(dict.fromkeys(name for documents in self._rounds for name in documents))

    @property
    def keys(self) -> list[Key]:
        """The loads in the order of the points, each once."""
        return list(dict.fromkeys(key for name in self.names for each in self._points for key in each.get(name, ())))

    def documents(self, name: str) -> list[Document]:
        return [documents[name] for documents in self._rounds if name in documents]

    def points(self, name: str, key: Key) -> list[Point]:
        """The variant's points with this load, one for each round that has it."""
        return [each[name][key] for each in self._points if key in each.get(name, ())]

    def median(self, name: str, key: Key, figure: OfPoint) -> float | None:
        """None where it was not measured."""
        values = [figure(point) for point in self.points(name, key)]
        return statistics.median(values) if values else None

    def ratios(self, name: str, base: str, key: Key, figure: OfPoint) -> list[float]:
        """Of the variant's figure to that of `base` in the same round."""
        return [
            figure(each[name][key]) / figure(each[base][key])
            for each in self._points
            if key in each.get(name, ()) and key in each.get(base, ())
        ]

    def speeds(self, name: str, base: str) -> list[float]:
        """How fast the machine was around the variant, as a ratio to around `base` in the same round."""
        return [
            documents[base]["yardstick_s"] / documents[name]["yardstick_s"]
            for documents in self._rounds
            if all("yardstick_s" in documents.get(each, {}) for each in (name, base))
        ]

    def failed(self, name: str) -> int:
        """Requests without an answer, of all points."""
        return sum(point["failed"] for document in self.documents(name) for point in document["points"])


def _answered(points: Sequence[Point]) -> dict[Key, Point]:
    return {Key.of(point): point for point in points if point["completed"]}
