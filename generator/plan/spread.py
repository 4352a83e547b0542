"""Models that name several pools: how many of their replicas are counted where, and the order of the pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from generator.errors import UserError
from generator.formats.environment import Replicas
from generator.plan.occupancy import Occupancy, Option
from generator.plan.packing import WorkerShape


def spread(options: Sequence[Option], replicas: Replicas, load: Occupancy) -> list[Option]:
    """What all replicas take of each pool, in the order of the pools: as much as there is room for beside `load`.

    `options` are the places of one replica, one on each pool. What has room nowhere is counted on the first pool at the
    least, and on the last at the most.
    """
    load = load.copy()
    least = _filled(
        [
            _most(replicas.min, option, load, lambda one, n: _times(one, n, n), lambda shape: shape.slots_short)
            for option in options
        ],
        replicas.min,
        rest=0,
    )
    for option, count in zip(options, least, strict=True):
        load.add(_times(option, count, count))
    more = replicas.max - replicas.min
    extra = _filled(
        [
            _most(more, option, load, lambda one, n: _times(one, 0, n), lambda shape: shape.slots_short_at_peak)
            for option in options
        ],
        more,
        rest=-1,
    )
    return [_times(one, n, n + more) for one, n, more in zip(options, least, extra, strict=True)]


def _times(option: Option, least: int, most: int) -> Option:
    return option._replace(minimum=option.minimum * least, peak=option.peak * most)


def _most(
    most: int,
    option: Option,
    load: Occupancy,
    taken: Callable[[Option, int], Option],
    short: Callable[[WorkerShape], int],
) -> int:
    """The most replicas, up to `most`, that have room; found by halving."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        fits = not short(load.shape(option.pool, taken(option, middle)))
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def _filled(room: Sequence[int], replicas: int, *, rest: int) -> list[int]:
    """So many replicas in this room, the first pool first; what is left over goes to the pool number `rest`."""
    counts = []
    for each in room:
        counts.append(min(each, replicas))
        replicas -= counts[-1]
    counts[rest] += replicas
    return counts


def priorities(pools_by_model: Mapping[str, Sequence[str]], *, where: str) -> dict[str, int]:
    """By pool that some model names beside others, its rank: of two that one model names, the first has the higher one.

    Worker groups have one order in a cluster. Raises UserError where two models want opposite ones.
    """
    first_by_pair: dict[tuple[str, str], str] = {}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for model, pools in pools_by_model.items():
        for before, after in pairwise(pools):
            sorter.add(after, before)
            first_by_pair.setdefault((before, after), model)
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        circle = error.args[1]
        models = sorted({first_by_pair[pair] for pair in pairwise(circle)})
        raise UserError(
            f"models {', '.join(models)} name the pools {', '.join(circle[1:])} in opposite orders, and a "
            "cluster has one order of its worker groups",
            where=where,
            fix="Name them in the same order everywhere.",
        ) from None
    return {pool: len(order) - number for number, pool in enumerate(order)}
