"""The assignment as an integer program for HiGHS, which finds the best or proves how far from it an answer can be.

For every pool one mode is chosen: the size of its worker pods, the largest piece on it and what all pieces divide by.
With these the room that is there in any order is one number (`packing.most_in_any_order`), so everything is linear. In
one more mode there is a pod for every piece.
Whole numbers, one thread, no clock and a bound on nodes: the same program is solved the same way every time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, gcd
from typing import Any, Literal, NamedTuple

import highspy

from generator.plan.occupancy import Kind, Occupancy, Option, Taken
from generator.plan.packing import most_in_any_order

MOST_NODES = 100
# Between plans of one cost the solver decides up to this size; beyond it takes longer than finding the cost.
MOST_CHOICES_TO_ORDER = 100


@dataclass(frozen=True, kw_only=True)
class Solved:
    taken: Taken | None
    """None where no plan has room, or none was found."""
    bound: int
    """No plan that has room costs less."""


class _Mode(NamedTuple):
    slots: int
    """Of a pod."""
    capacity: int
    """Units of the minimum replicas that find room."""
    largest: int
    unit: int
    pieces: int | None = None
    """How many there may be, of whatever size; None where their units alone count."""


Effort = Literal["best", "room", "bound"]
"""What is looked for: the best plan; the first with room; or, with models and pods divided, a bound and no plan."""


def solve(kinds: Mapping[Kind, int], pools: Occupancy, effort: Effort) -> Solved:
    """The cheapest plan with room in any order; where there is none, the cheapest with room at all."""
    if effort == "bound":
        return _Program(kinds, pools, in_any_order=False).relaxed()
    for in_any_order in (True, False):
        program = _Program(kinds, pools, in_any_order=in_any_order)
        solved = program.solve(first=effort == "room")
        if solved.taken:
            return solved
    return solved


class _Program:
    def __init__(self, kinds: Mapping[Kind, int], pools: Occupancy, *, in_any_order: bool) -> None:
        self.kinds, self.pools = kinds, pools
        self.highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        settings = {"output_flag": False, "threads": 1, "random_seed": 0, "mip_rel_gap": 0.0, "mip_abs_gap": 0.1}
        for name, value in {**settings, "mip_max_nodes": MOST_NODES}.items():
            self.highs.setOptionValue(name, value)
        self.counts = {
            kind: [self.highs.addIntegral(lb=0, ub=count) for _ in kind] for kind, count in sorted(kinds.items())
        }
        for kind, counts in self.counts.items():
            self.highs.addConstr(sum(counts) == kinds[kind])
        # By pool, everything that could be on it.
        self.on: dict[str, list[tuple[Option, Any, int]]] = defaultdict(list)
        for kind, counts in self.counts.items():
            for option, count in zip(kind, counts, strict=True):
                self.on[option.pool].append((option, count, kinds[kind]))
        self.cost = sum(self._pool(pool, in_any_order=in_any_order) for pool in sorted(pools.node_pools))
        self.rest = self._rest()

    def _pool(self, pool: str, *, in_any_order: bool) -> Any:
        """Add a pool's modes and pods; return what its pods cost."""
        possible = self.on[pool]
        modes = {mode: self.highs.addBinary() for mode in self._modes(pool, in_any_order=in_any_order)}
        if not modes:
            for _, count, _ in possible:
                self.highs.addConstr(count <= 0)
            return 0
        self.highs.addConstr(sum(modes.values()) == 1)
        self._only_what_its_mode_takes(pool, modes)
        total = sum(size * count for size, count in self.pools.minimum[pool].items()) + sum(
            option.piece * option.minimum * count for option, count, _ in possible if option.minimum
        )
        self.highs.addConstr(total <= sum(mode.capacity * chosen for mode, chosen in modes.items()))
        self._a_pod_for_every_piece(pool, modes)
        pods = self._pods(pool, modes)
        units = self.pools.node_pools[pool].units
        self.highs.addConstr(sum(slots * units * count for slots, count in pods.items()) >= total)
        self._whole_pieces(pool, {slots * units: count for slots, count in pods.items()})
        return sum(self.pools.node_pools[pool].weight * slots * count for slots, count in pods.items())

    def _only_what_its_mode_takes(self, pool: str, modes: Mapping[_Mode, Any]) -> None:
        """Models go where the chosen mode holds their pieces, and the mode holds what is there already."""
        units = self.pools.node_pools[pool].units
        for option, count, most in self.on[pool]:
            allowed = [chosen for mode, chosen in modes.items() if _goes(option.piece, option.minimum, mode, units)]
            if len(allowed) < len(modes):
                self.highs.addConstr(count <= most * sum(allowed) if allowed else count <= 0)
        for sizes, minimum in ((self.pools.minimum[pool], 1), (self.pools.peak[pool], 0)):
            for size in (size for size, count in sizes.items() if count):
                holding = [chosen for mode, chosen in modes.items() if _goes(size, minimum, mode, units)]
                self.highs.addConstr(sum(holding) >= 1)

    def _a_pod_for_every_piece(self, pool: str, modes: Mapping[_Mode, Any]) -> None:
        """The modes that count pieces have no more of them than pods."""
        if all(mode.pieces is None for mode in modes):
            return
        there = sum(self.pools.minimum[pool].values())
        all_that_could_be = there + sum(option.minimum * most for option, _, most in self.on[pool])
        pieces = there + sum(option.minimum * count for option, count, _ in self.on[pool] if option.minimum)
        room = sum(
            (all_that_could_be if mode.pieces is None else mode.pieces) * chosen for mode, chosen in modes.items()
        )
        self.highs.addConstr(pieces <= room)

    def _pods(self, pool: str, modes: Mapping[_Mode, Any]) -> dict[int, Any]:
        """Add how many pods there are, by their slots; only those of the chosen mode can be."""
        node_pool = self.pools.node_pools[pool]
        pods: dict[int, Any] = {}
        for slots in sorted({mode.slots for mode in modes}):
            most = node_pool.pool.nodes * (node_pool.slots_per_node // slots)
            pods[slots] = self.highs.addIntegral(lb=0, ub=most)
            chosen = sum(chosen for mode, chosen in modes.items() if mode.slots == slots)
            self.highs.addConstr(pods[slots] <= most * chosen)
        return pods

    def _whole_pieces(self, pool: str, pods_by_units: Mapping[int, Any]) -> None:
        """Of pieces at least so large a pod holds so many: sizes that do not divide it leave some over."""
        fixed = self.pools.minimum[pool]
        sizes = {option.piece for option, _, _ in self.on[pool] if option.minimum} | {
            size for size, n in fixed.items() if n
        }
        for size in sorted(size for size in sizes if any(units % size for units in pods_by_units)):
            larger: Any = sum(n for other, n in fixed.items() if other >= size)
            larger = larger + sum(option.minimum * count for option, count, _ in self.on[pool] if option.piece >= size)
            self.highs.addConstr(sum(units // size * pods for units, pods in pods_by_units.items()) >= larger)

    def _modes(self, pool: str, *, in_any_order: bool) -> list[_Mode]:
        node_pool = self.pools.node_pools[pool]
        sizes = {option.piece for option, _, _ in self.on[pool] if option.minimum}
        sizes |= {size for size, count in self.pools.minimum[pool].items() if count}
        modes = set()
        for slots in node_pool.worker_sizes:
            capacity, most = slots * node_pool.units, node_pool.pool.nodes * (node_pool.slots_per_node // slots)
            fitting = {size for size in sizes if size <= capacity}
            if not in_any_order or not fitting:
                modes.add(_Mode(slots, capacity * most, capacity, 1))
                continue
            modes.add(_Mode(slots, capacity * most, capacity, 1, most))
            for largest in fitting:
                for unit in _divisors(largest, fitting):
                    room = most_in_any_order({largest, unit}, capacity, most)
                    modes.add(_Mode(slots, room, largest, unit))
        return sorted(modes, key=lambda mode: (mode[:4], mode.pieces is not None))

    def _rest(self) -> Any:
        """What decides between plans of one cost: what the peak lacks, then everyone's own order of places."""
        lacking: Any = 0
        for pool, possible in sorted(self.on.items()):
            node_pool = self.pools.node_pools[pool]
            peak = sum(size * count for size, count in self.pools.peak[pool].items())
            peak = peak + sum(option.piece * option.peak * count for option, count, _ in possible)
            short = self.highs.addVariable(lb=0)
            self.highs.addConstr(short >= peak - node_pool.slots * node_pool.units)
            lacking = lacking + max(1, node_pool.weight // 1000) * 100 * short
        # Kinds differ a little in how much they insist, so that two of them do not change places for nothing.
        order = sum(
            placement * (1 + number / (1 + len(self.counts))) * count
            for number, counts in enumerate(self.counts.values())
            for placement, count in enumerate(counts)
            if placement
        )
        return lacking + order

    def solve(self, *, first: bool) -> Solved:
        if first:
            self.highs.setOptionValue("mip_max_improving_sols", 1)
        if not self._run(self.cost):
            return Solved(taken=None, bound=0)
        bound = _floor_of(self.highs.getInfo().mip_dual_bound)
        taken = self._taken()
        cost = self.highs.getInfo().objective_function_value
        if not isinstance(self.cost, int):
            self.highs.addConstr(self.cost <= cost + 0.5)
        if sum(map(len, self.kinds)) <= MOST_CHOICES_TO_ORDER and self._run(self.rest):
            taken = self._taken()
        return Solved(taken=taken, bound=bound)

    def relaxed(self) -> Solved:
        self.highs.setOptionValue("solve_relaxation", True)
        solved = self._run(self.cost)
        return Solved(taken=None, bound=_floor_of(self.highs.getInfo().objective_function_value) if solved else 0)

    def _run(self, objective: Any) -> bool:
        self.highs.minimize(*([] if isinstance(objective, int) else [objective]))
        return bool(self.highs.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible)

    def _taken(self) -> Taken:
        return {kind: [round(self.highs.val(count)) for count in counts] for kind, counts in self.counts.items()}


def _floor_of(bound: float) -> int:
    """The whole number that a bound allows, less what floating point may have added."""
    return ceil(bound * (1 - 1e-7) - 1e-6)


def _divisors(largest: int, sizes: set[int]) -> set[int]:
    """What the largest and any of the other sizes have in common."""
    units = {largest}
    for size in sizes:
        units |= {gcd(unit, size) for unit in units}
    return units


def _goes(size: int, minimum: int, mode: _Mode, units: int) -> bool:
    """Whether a piece may be there: it fits a pod, and where it is there at minimum, the mode is of its size."""
    return size <= mode.slots * units and (not minimum or (size <= mode.largest and size % mode.unit == 0))
