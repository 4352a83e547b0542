"""How many worker pods or nodes hold pieces that must each lie in one: at best, and whatever comes first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import gcd

from generator.plan.pools import NodePool


def bins_needed(pieces: Counter[int], capacity: int) -> int:
    """How many bins of `capacity` hold the pieces (count by size): the largest first, into the fullest bin with room.

    This is the order in which Ray's autoscaler places what waits (`autoscaler/v2/scheduler.py`, 2.60.0: bundles that
    must lie together, most first, each on the node that it fills best). Exact where each size divides the next, as
    powers of two do; otherwise never too few. The time it takes depends on the number of sizes, not of pieces.
    """
    bins = 0
    room: Counter[int] = Counter()  # bins by what is free in them
    for size in sorted(pieces, reverse=True):
        left = pieces[size]
        for free in sorted(level for level in room if level >= size):
            left -= _fill(room, free, room[free], size, left)
        fresh = -(-left // (capacity // size))
        bins += fresh
        room[capacity] += fresh
        _fill(room, capacity, fresh, size, left)
    return bins


def bins_in_any_order(pieces: Counter[int], capacity: int) -> int:
    """With how many bins every piece finds room, whatever comes first and wherever it is put.

    Ray puts a replica on the node with the most free (`LeastResourceScorer`), not on the fullest: two models of one GPU
    take two idle pods of four, and a model of four then waits for ever. A piece of the largest size s is kept out only
    where every bin has at least capacity - s + 1 taken by others, all counted in the sizes' common divisor. And where
    there is a bin for every piece, one is always empty.
    """
    sizes = [size for size, count in pieces.items() if count]
    if not sizes:
        return 0
    unit = gcd(*sizes)
    largest = max(sizes) // unit
    total = sum(size * count for size, count in pieces.items()) // unit
    return min((total - largest) // (capacity // unit - largest + 1) + 1, sum(pieces.values()))


def most_in_any_order(sizes: set[int], capacity: int, bins: int) -> int:
    """The largest total of pieces of these sizes that `bins` bins hold in any order, however many pieces they are."""
    unit = gcd(*sizes)
    largest = max(sizes) // unit
    return unit * (largest + bins * (capacity // unit - largest + 1) - 1)


def _fill(room: Counter[int], free: int, bins: int, size: int, pieces: int) -> int:
    """Put up to `pieces` of `size` into `bins` that have `free` each; return how many went in."""
    each = free // size
    full = min(bins, pieces // each)
    rest = pieces - full * each if full < bins and pieces - full * each < each else 0
    for count, taken in ((full, each), (1 if rest else 0, rest)):
        room[free] -= count
        room[free - taken * size] += count
    return full * each + rest


@dataclass(frozen=True, kw_only=True)
class WorkerShape:
    """Worker pods of one size."""

    slots: int
    """GPUs of a pod; on a CPU pool replicas."""
    workers_max: int
    """Pods that the pool can have."""
    workers_min: int
    """Pods that the smallest number of replicas takes, as the autoscaler brings them."""
    workers_any_order: int
    """Pods with which these replicas find room in whatever order they come."""
    workers_peak: int
    """Pods that all replicas at once would take; may be more than there are."""

    @property
    def slots_short(self) -> int:
        """Slots that minimum replicas lack."""
        return max(0, self.workers_min - self.workers_max) * self.slots

    @property
    def slots_unsure(self) -> int:
        """Slots without which the order decides whether the minimum replicas find room."""
        return max(0, self.workers_any_order - self.workers_max) * self.slots

    @property
    def slots_taken(self) -> int:
        return self.workers_min * self.slots

    @property
    def slots_short_at_peak(self) -> int:
        return max(0, self.workers_peak - self.workers_max) * self.slots


def worker_shape(node_pool: NodePool, minimum: Counter[int], peak: Counter[int]) -> WorkerShape:
    """The pods for these pieces (units by size, at minimum replicas and at the most).

    Every piece fits a pod; then the minimum replicas find room, in any order, on the fewest GPUs, within an island of
    directly connected GPUs; then the peak does; then the smallest pods, which pack nodes and scale in small steps.
    """
    units = node_pool.units
    widest = -(-max((size for size in (*minimum, *peak)), default=1) // units)
    sizes = [slots for slots in node_pool.worker_sizes if slots >= widest] or node_pool.worker_sizes[-1:]
    shapes = (
        WorkerShape(
            slots=slots,
            workers_max=node_pool.pool.nodes * (node_pool.slots_per_node // slots),
            workers_min=bins_needed(minimum, slots * units),
            workers_any_order=bins_in_any_order(minimum, slots * units),
            workers_peak=bins_needed(peak, slots * units),
        )
        for slots in sizes
    )
    island = node_pool.pool.gpusPerIsland or node_pool.slots_per_node
    return min(
        shapes,
        key=lambda shape: (
            shape.slots_short,
            shape.slots_unsure,
            shape.slots_taken,
            shape.slots > island,
            shape.slots_short_at_peak,
            shape.slots,
        ),
    )
