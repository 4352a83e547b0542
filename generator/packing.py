"""How many worker pods or nodes hold pieces that must each lie in one."""

from __future__ import annotations

from collections import Counter


def bins_needed(pieces: Counter[int], capacity: int) -> int:
    """How many bins of `capacity` hold the pieces (count by size): the largest first, into the fullest bin with room.

    Exact where each size divides the next, as powers of two do; otherwise never too few. The time it takes depends on
    the number of sizes, not of pieces.
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


def _fill(room: Counter[int], free: int, bins: int, size: int, pieces: int) -> int:
    """Put up to `pieces` of `size` into `bins` that have `free` each; return how many went in."""
    each = free // size
    full = min(bins, pieces // each)
    rest = pieces - full * each if full < bins and pieces - full * each < each else 0
    for count, taken in ((full, each), (1 if rest else 0, rest)):
        room[free] -= count
        room[free - taken * size] += count
    return full * each + rest
