"""Which place every model takes: never more than there is, never dearer than must be, whatever comes first."""

from __future__ import annotations

from collections import Counter
from itertools import permutations, product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from generator.formats.environment import Pool
from generator.plan.assignment import assign
from generator.plan.occupancy import Occupancy, Option
from generator.plan.packing import bins_in_any_order, bins_needed, most_in_any_order, worker_shape
from generator.plan.pools import node_pools

GPUS = ("L4-24GB", "L40S-48GB", "A100-80GB", "H100-80GB")


def pools_of(**pools: Pool) -> Occupancy:
    made = node_pools(pools, chart={}, where="environments/test.yaml")
    return Occupancy(node_pools=made, minimum={p: Counter() for p in made}, peak={p: Counter() for p in made})


def total(pools: Occupancy, chosen: list[Option]) -> tuple[int, int, int]:
    """What the minimum replicas lack, what they lack in the worst order, and what their pods cost."""
    load = pools.copy()
    for option in chosen:
        load.add(option)
    shapes = {pool: load.shape(pool) for pool in load.node_pools}
    return (
        sum(shape.slots_short for shape in shapes.values()),
        sum(shape.slots_unsure for shape in shapes.values()),
        sum(load.node_pools[pool].weight * shape.slots_taken for pool, shape in shapes.items()),
    )


some_pools = st.lists(
    st.builds(
        Pool,
        gpu=st.sampled_from(GPUS),
        gpusPerNode=st.sampled_from([1, 2, 4, 8]),
        nodes=st.integers(1, 3),
        share=st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def fleets(draw):
    """Pools, and for each of up to five models the places where it could be."""
    pools = pools_of(**{f"p{n}": pool for n, pool in enumerate(draw(some_pools))})
    models = {}
    for number in range(draw(st.integers(1, 5))):
        options = []
        for name in draw(st.sets(st.sampled_from(sorted(pools.node_pools)), min_size=1)):
            one = pools.node_pools[name]
            largest = one.worker_sizes[-1] * one.units
            piece = draw(st.sampled_from([n for n in (1, 2, 3, 4, 8) if n <= largest]))
            least = draw(st.integers(0, 2))
            options.append(Option(name, piece, least, max(1, least + draw(st.integers(0, 2)))))
        options.sort(key=lambda o: (pools.volume_cost(o), o))
        models[f"m{number}"] = options
    return pools, models


@settings(max_examples=200)
@given(fleet=fleets())
def test_no_choice_of_places_is_better_than_the_one_that_is_made(fleet):
    pools, models = fleet
    made = assign(models, pools)
    mine = total(pools, [options[made.chosen[name]] for name, options in models.items()])
    best = min(total(pools, list(choice)) for choice in product(*models.values()))
    assert mine[0] == best[0], "a fleet is refused only where every choice lacks room"
    if not best[0]:
        assert mine == best
        assert made.cost == mine[2]
        if not best[1] and all(option.piece != 3 for options in models.values() for option in options):
            assert made.bound == made.cost, "nothing is left unproven where sizes divide each other"
    assert made.bound <= made.cost


def test_two_models_change_places_where_neither_alone_makes_the_plan_better():
    """Either alone leaves more to the order in which replicas come, or a GPU short."""
    pools = pools_of(
        p0=Pool(gpu="L4-24GB", gpusPerNode=2, nodes=1), p1=Pool(gpu="L4-24GB", gpusPerNode=1, nodes=2, share=True)
    )
    models = {
        "m0": [Option("p1", 1, 1, 1), Option("p0", 1, 2, 2)],
        "m1": [Option("p1", 1, 1, 1)],
        "m2": [Option("p1", 2, 1, 1), Option("p0", 1, 1, 1)],
        "m3": [Option("p1", 8, 1, 1)],
    }
    made = assign(models, pools)
    assert [models[name][made.chosen[name]].pool for name in models] == ["p1", "p1", "p0", "p1"]


@settings(max_examples=50)
@given(fleet=fleets(), data=st.data())
def test_the_order_in_which_models_are_named_changes_nothing(fleet, data):
    pools, models = fleet
    shuffled = dict(data.draw(st.permutations(list(models.items()))))
    assert assign(shuffled, pools) == assign(models, pools)


@settings(max_examples=50)
@given(fleet=fleets(), data=st.data())
def test_a_fleet_without_one_of_its_models_costs_no_more(fleet, data):
    pools, models = fleet
    made = assign(models, pools)
    assume(made.has_room and total(pools, [o[made.chosen[m]] for m, o in models.items()])[1] == 0)
    fewer = {name: options for name, options in models.items() if name != data.draw(st.sampled_from(sorted(models)))}
    assume(fewer)
    assert assign(fewer, pools).cost <= made.cost


def test_a_wide_model_gets_the_node_that_small_ones_would_leave_in_pieces():
    """Two small models would do anywhere; only without them does the pool of wide nodes hold the wide one for sure."""
    pools = pools_of(
        wide=Pool(gpu="L4-24GB", gpusPerNode=8, nodes=1), small=Pool(gpu="L40S-48GB", gpusPerNode=1, nodes=4)
    )
    models = {
        "wide": [Option("wide", 8, 1, 1)],
        "a": [Option("wide", 1, 1, 1), Option("small", 1, 1, 1)],
        "b": [Option("wide", 1, 1, 1), Option("small", 1, 1, 1)],
    }
    made = assign(models, pools)
    assert (made.chosen, made.has_room) == ({"wide": 0, "a": 1, "b": 1}, True)


def test_what_is_left_over_at_the_peak_goes_to_the_pool_that_has_room():
    pools = pools_of(first=Pool(gpu="L4-24GB", nodes=5), second=Pool(gpu="L4-24GB", nodes=5))
    options = [Option("first", 1, 1, 5), Option("second", 1, 1, 5)]
    made = assign({"a": options, "b": options}, pools)
    assert sorted(made.chosen.values()) == [0, 1]


@settings(max_examples=100)
@given(sizes=st.lists(st.integers(1, 8), min_size=1, max_size=12), capacity=st.integers(8, 16))
def test_room_in_any_order_is_never_less_than_room_at_best(sizes, capacity):
    assert bins_in_any_order(Counter(sizes), capacity) >= max(1, -(-sum(sizes) // capacity))


@settings(max_examples=100)
@given(sizes=st.lists(st.sampled_from([1, 2, 3, 4, 8]), min_size=1, max_size=6), capacity=st.sampled_from([8, 12]))
def test_with_room_in_any_order_the_worst_order_in_the_worst_bins_finds_room(sizes, capacity):
    bins = bins_in_any_order(Counter(sizes), capacity)
    for order in set(permutations(sizes)):
        free = [capacity] * bins
        for size in order:
            emptiest = max(range(bins), key=free.__getitem__)  # as Ray chooses
            assert free[emptiest] >= size
            free[emptiest] -= size


@settings(max_examples=100)
@given(sizes=st.sets(st.sampled_from([1, 2, 3, 4, 6, 8]), min_size=1), bins=st.integers(1, 20), data=st.data())
def test_the_most_that_finds_room_in_any_order_is_where_one_more_bin_begins(sizes, bins, data):
    pieces = Counter(data.draw(st.lists(st.sampled_from(sorted(sizes)), max_size=60))) + Counter(
        dict.fromkeys(sizes, 1)
    )
    by_units = sum(size * count for size, count in pieces.items()) <= most_in_any_order(sizes, 8, bins)
    assert (by_units or pieces.total() <= bins) == (bins_in_any_order(pieces, 8) <= bins)


def test_two_small_models_and_a_wide_one_need_a_third_pod_to_be_sure():
    """What the contract test sees in Ray itself."""
    pieces = Counter({1: 2, 8: 1})
    assert (bins_needed(pieces, 8), bins_in_any_order(pieces, 8)) == (2, 3)


@pytest.mark.parametrize(
    ("pieces", "slots"),
    [
        ({1: 3}, 1),  # as small as can be
        ({4: 1}, 4),
        ({4: 1, 1: 4}, 8),  # one pod of eight is sure, two of four are not
        ({3: 2, 2: 1}, 8),  # eight GPUs instead of twelve
    ],
)
def test_worker_pods_are_shaped_by_what_is_on_them(pieces, slots):
    made = node_pools({"p": Pool(gpu="H100-80GB", gpusPerNode=8, nodes=1)}, chart={}, where="environments/test.yaml")
    assert worker_shape(made["p"], Counter(pieces), Counter(pieces)).slots == slots


@pytest.mark.parametrize(("island", "slots"), [(None, 8), (4, 4)])
def test_a_worker_pod_stays_within_an_island_where_that_costs_nothing_now(island, slots):
    """Two replicas of three GPUs take eight in pods of either size; the peak alone would want the larger."""
    pool = Pool(gpu="H100-80GB", gpusPerNode=8, nodes=2, gpusPerIsland=island)
    made = node_pools({"p": pool}, chart={}, where="environments/test.yaml")
    assert worker_shape(made["p"], Counter({3: 2}), Counter({3: 4, 2: 2})).slots == slots
