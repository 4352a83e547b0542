"""How many worker pods hold pieces that must each lie in one."""

from __future__ import annotations

from collections import Counter

import pytest

from generator.formats.environment import Pool
from generator.plan.packing import bins_in_any_order, bins_needed, most_in_any_order, worker_shape
from generator.plan.pools import node_pools


@pytest.mark.parametrize(
    ("pieces", "capacity", "bins"),
    [
        ({}, 4, 0),
        ({1: 4}, 4, 1),
        ({1: 5}, 4, 2),
        ({4: 1, 1: 1}, 4, 2),
        ({2: 1, 1: 2}, 4, 1),
        ({3: 2, 1: 2}, 4, 2),
        ({5: 2, 3: 1}, 8, 2),
    ],
)
def test_small_pieces_go_into_what_large_ones_leave(pieces: dict[int, int], capacity: int, bins: int):
    assert bins_needed(Counter(pieces), capacity) == bins


@pytest.mark.parametrize(
    ("pieces", "capacity", "bins"),
    [
        ({}, 4, 0),
        ({1: 4}, 4, 1),
        ({4: 1, 1: 1}, 4, 2),
        ({4: 1, 1: 2}, 4, 3),
        ({2: 2}, 4, 1),
        ({8: 6, 4: 1, 2: 2, 1: 1}, 8, 10),  # a bin for each; by their units alone it would be 50
    ],
)
def test_a_wide_piece_that_comes_last_finds_a_whole_bin(pieces: dict[int, int], capacity: int, bins: int):
    assert bins_in_any_order(Counter(pieces), capacity) == bins


def test_the_room_in_any_order_shrinks_with_the_widest_piece():
    assert [most_in_any_order({1, widest}, 4, 2) for widest in (1, 2, 4)] == [8, 7, 5]


def test_what_pods_lack_is_told_in_gpus():
    node_pool = node_pools({"p": Pool(gpu="L4-24GB", gpusPerNode=4, nodes=2)}, chart={}, where="test")["p"]
    shape = worker_shape(node_pool, Counter({4: 1, 1: 2}), Counter({4: 3}))
    assert (shape.slots, shape.workers_max) == (4, 2)
    assert (shape.workers_min, shape.workers_any_order, shape.workers_peak) == (2, 3, 3)
    assert (shape.slots_short, shape.slots_unsure, shape.slots_short_at_peak, shape.slots_taken) == (0, 4, 4, 8)
