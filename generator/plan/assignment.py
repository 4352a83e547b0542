"""Which of its places every model takes, so that the fleet costs the fewest GPUs and finds room; and how good that is.

Models that could go to the same places are one kind and are counted, not named: a thousand models are a few dozen
kinds. What is compared, in this order: slots that minimum replicas lack; slots without which the order in which
replicas come would decide; the cost of the GPUs that minimum replicas take; what the peak lacks; and everyone's own
order of places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from operator import neg
from typing import TYPE_CHECKING, NamedTuple

from generator.plan.occupancy import Kind, Occupancy, Option, Step, Taken

if TYPE_CHECKING:
    from generator.plan.solver import Effort

# Above these a search would be felt; what they leave unproven shows as a bound below the cost. To solve is to decide in
# whole models; to bound, in parts of models, which is quick and never dearer.
MOST_MOVES = 4000
MOST_CHOICES_TO_SOLVE = 3000
MOST_CHOICES_TO_BOUND = 20000


class Score(NamedTuple):
    """What is compared; less is better, the first first."""

    short: int
    unsure: int
    cost: int
    short_at_peak: int
    order: int


@dataclass(frozen=True, kw_only=True)
class Assignment:
    chosen: dict[str, int]
    """By model, which of its options."""
    cost: int
    """Of the worker pods of the minimum replicas, in the pools' weights."""
    bound: int
    """No plan of this fleet on these pools costs less."""
    has_room: bool
    """Whether the minimum replicas find room, at least where the largest come first."""


def assign(models: Mapping[str, Sequence[Option]], pools: Occupancy) -> Assignment:
    """Choose for every model. The same models and pools give the same answer, in whatever order they are named."""
    names: dict[Kind, list[str]] = {}
    for name in sorted(models):
        names.setdefault(tuple(models[name]), []).append(name)
    kinds = {kind: len(same) for kind, same in names.items()}
    fleet = _Fleet(pools, {kind: [count] + [0] * (len(kind) - 1) for kind, count in kinds.items()})
    bound = _cheapest(kinds, pools)
    if not fleet.is_perfect(bound):
        fleet = _improved(_one_by_one(models, kinds, pools))
    if any(len(kind) > 1 for kind in kinds):
        choices = sum(map(len, kinds))
        if not fleet.holds_at(bound) and choices <= MOST_CHOICES_TO_BOUND:
            from generator.plan.solver import solve  # late: most fleets need no solver

            effort: Effort = "best" if choices <= MOST_CHOICES_TO_SOLVE else "room" if fleet.score().short else "bound"
            solved = solve(kinds, pools, effort)
            bound = max(bound, solved.bound)
            better = _improved(_Fleet(pools, solved.taken)) if solved.taken else fleet
            fleet = min(fleet, better, key=_Fleet.score)
    else:
        bound = fleet.score().cost
    chosen = {
        name: place
        for kind, same in names.items()
        for name, place in zip(same, _spelt_out(fleet.taken[kind]), strict=True)
    }
    score = fleet.score()
    return Assignment(chosen=chosen, cost=score.cost, bound=min(bound, score.cost), has_room=not score.short)


def _spelt_out(counts: Sequence[int]) -> Iterator[int]:
    for option, count in enumerate(counts):
        yield from [option] * count


def _cheapest(kinds: Mapping[Kind, int], pools: Occupancy) -> int:
    """Everyone's cheapest place, were there room for all and no pod half empty."""
    fixed = sum(
        pools.node_pools[pool].weight * size * count // pools.node_pools[pool].units
        for pool, pieces in pools.minimum.items()
        for size, count in pieces.items()
    )
    return fixed + sum(count * min(map(pools.volume_cost, kind)) for kind, count in kinds.items())


Points = tuple[int, ...]
"""Of a pool: what it lacks, what order decides, its cost, and what its peak lacks."""


def _added(points: Iterable[Points]) -> Points:
    return tuple(map(sum, zip(*points, strict=True)))


class _Fleet:
    """Everyone at a place, and what that comes to."""

    def __init__(self, pools: Occupancy, taken: Taken) -> None:
        self.pools, self.taken = pools.copy(), {kind: list(counts) for kind, counts in taken.items()}
        for kind, counts in self.taken.items():
            for option, count in zip(kind, counts, strict=True):
                if count:
                    self.pools.add(option, count)
        self.points = {pool: self._points(pool) for pool in pools.node_pools}
        self.sums = _added(self.points.values())
        self.order = sum(place * count for counts in self.taken.values() for place, count in enumerate(counts))

    def _points(self, pool: str) -> Points:
        shape, weight = self.pools.shape(pool), self.pools.node_pools[pool].weight
        return (
            shape.slots_short,
            shape.slots_unsure,
            weight * shape.slots_taken,
            weight * shape.slots_short_at_peak,
        )

    def score(self) -> Score:
        short, unsure, cost, short_at_peak = self.sums
        return Score(short, unsure, cost, short_at_peak, self.order)

    def holds_at(self, bound: int) -> bool:
        """Whether there is room in any order, for no more than that."""
        score = self.score()
        return not score.short and not score.unsure and score.cost <= bound

    def is_perfect(self, bound: int) -> bool:
        return self.holds_at(bound) and not self.score().short_at_peak

    def troubled(self, pool: str) -> bool:
        """Whether something of a pool would be better elsewhere, even where that costs more by itself."""
        short, unsure, _, peak = self.points[pool]
        node_pool, shape = self.pools.node_pools[pool], self.pools.shape(pool)
        used = sum(size * count for size, count in self.pools.minimum[pool].items())
        return bool(short or unsure or peak) or used < shape.slots_taken * node_pool.units

    def moved(self, *steps: Step) -> bool:
        """Move one model for each step, if all of them together make the plan better."""
        before, sums, points = self.score(), self.sums, dict(self.points)
        for step in steps:
            self._shift(*step)
        for pool in {kind[place].pool for kind, start, end in steps for place in (start, end)}:
            was, self.points[pool] = self.points[pool], self._points(pool)
            self.sums = _added((self.sums, self.points[pool], tuple(map(neg, was))))
        if self.score() < before:
            return True
        for kind, start, end in steps:
            self._shift(kind, end, start)
        self.sums, self.points = sums, points
        return False

    def _shift(self, kind: Kind, start: int, end: int) -> None:
        for place, models in ((start, -1), (end, 1)):
            self.taken[kind][place] += models
            self.pools.add(kind[place], models)
            self.order += models * place


def _one_by_one(models: Mapping[str, Sequence[Option]], kinds: Mapping[Kind, int], pools: Occupancy) -> _Fleet:
    """The widest models first, each at its best place where there is room whatever comes first."""
    taken = {kind: [0] * len(kind) for kind in kinds}
    load = pools.copy()
    for name in sorted(models, key=lambda m: (-models[m][0].piece, m)):
        kind = tuple(models[name])
        place = _first_room(load, kind)
        taken[kind][place] += 1
        load.add(kind[place])
    return _Fleet(pools, taken)


def _first_room(load: Occupancy, kind: Kind) -> int:
    """The first option with room in any order; else the first with room at all; else the first."""
    with_room = None
    for number, option in enumerate(kind):
        shape = load.shape(option.pool, option)
        if not shape.slots_short:
            if not shape.slots_unsure:
                return number
            with_room = number if with_room is None else with_room
    return with_room or 0


def _improved(fleet: _Fleet) -> _Fleet:
    """Move one model at a time for as long as that makes the plan better; where order still decides, two at a time."""
    moves = MOST_MOVES
    again = True
    while again and moves > 0:
        again = False
        for kind in sorted(fleet.taken):
            for start in range(len(kind)):
                for end in _worth_a_try(fleet, kind, start):
                    if not fleet.taken[kind][start] or moves <= 0:
                        break
                    moves -= 1
                    again |= fleet.moved((kind, start, end))
        if not again and fleet.score().unsure:
            steps = [
                (kind, start, end)
                for kind, counts in sorted(fleet.taken.items())
                for start, count in enumerate(counts)
                for end in range(len(kind))
                if count and start != end
            ]
            for pair in islice(combinations(steps, 2), moves):
                moves -= 1
                if pair[0][:2] != pair[1][:2] and fleet.moved(*pair):
                    again = True
                    break
    return fleet


def _worth_a_try(fleet: _Fleet, kind: Kind, start: int) -> list[int]:
    if not fleet.taken[kind][start]:
        return []
    mine = fleet.pools.volume_cost(kind[start])
    anywhere = fleet.troubled(kind[start].pool)
    return [
        end
        for end, option in enumerate(kind)
        if end != start and (anywhere or fleet.pools.volume_cost(option) < mine or end < start)
    ]
