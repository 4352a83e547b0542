"""Where models go, what is refused, and what every plan holds whatever the fleet."""

from __future__ import annotations

from collections import Counter
from math import ceil

import pytest
from builders import catalog, environment, falcon_h1, llama, model
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import UserError
from generator.facts import gpus
from generator.plan import bins_needed, make_plan

L4 = {"gpu": "L4-24GB", "nodes": 10}
H100 = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": 2}


def plan(models, pools, **fields):
    return make_plan("test", environment(pools, **fields), catalog(family=models), where="environments/test.yaml")


def test_a_small_model_takes_one_gpu_of_the_smallest_pool():
    place = plan({"m": model()}, {"big": H100, "small": L4}).models["m"].place
    assert (place.hardware.name, place.split.tensor, place.split.pipeline) == ("small", 1, 1)


def test_a_model_too_large_for_one_gpu_is_divided_within_a_node_before_over_nodes():
    big = model(llama(num_attention_heads=64, num_key_value_heads=8, head_dim=128, hidden_size=8192,
                      intermediate_size=28672, num_hidden_layers=80), billions=70.6)  # fmt: skip
    place = plan({"m": big}, {"small": {**L4, "nodes": 16}, "big": H100}).models["m"].place
    assert (place.hardware.name, place.split.tensor, place.split.pipeline) == ("big", 2, 1)


def test_a_model_that_one_node_cannot_hold_goes_over_nodes():
    place = plan({"m": model(llama(num_hidden_layers=40), billions=10.3)}, {"small": L4}).models["m"].place
    assert (place.split.tensor, place.split.pipeline) == (1, 2)


def test_ray_2_49_1_is_never_asked_to_go_over_nodes():
    with pytest.raises(UserError, match="fits on no pool"):
        plan({"m": model(llama(num_hidden_layers=40), billions=10.3)}, {"small": L4}, ray="2.49.1")


def test_what_fits_nowhere_is_refused_with_the_gib_that_are_missing():
    with pytest.raises(UserError) as refused:
        plan({"m": model(billions=700)}, {"small": L4})
    assert "GiB too little for one request of 8,192 tokens" in str(refused.value)
    assert "add a pool with larger GPUs" in str(refused.value)


def test_a_context_that_does_not_fit_is_answered_with_the_longest_that_does():
    with pytest.raises(UserError, match=r"ask for a context of at most [\d,]+ tokens"):
        plan({"m": model(llama(max_position_embeddings=131072), context=131072)}, {"small": {**L4, "nodes": 1}})


def test_a_context_beyond_the_model_is_refused():
    with pytest.raises(UserError, match="knows 16,384"):
        plan({"m": model(falcon_h1(), billions=0.5)}, {"small": L4}, defaults={"context": 20000})


def test_a_pool_that_cannot_hold_its_models_at_the_least_is_refused():
    with pytest.raises(UserError, match="cannot hold its models at the least: 3 worker pods"):
        plan({name: model() for name in "abc"}, {"small": {**L4, "nodes": 2}})


def test_a_full_pool_sends_the_next_model_to_a_larger_one():
    decided = plan({name: model() for name in "abc"}, {"small": {**L4, "nodes": 2}, "big": H100})
    assert sorted(m.place.hardware.name for m in decided.models.values()) == ["big", "small", "small"]


def test_models_that_may_sleep_share_a_pool_that_is_too_small_for_all():
    decided = plan(
        {name: model() for name in "abc"},
        {"small": {**L4, "nodes": 2}},
        defaults={"replicas": {"min": 0, "max": 1}},
    )
    assert decided.pools["small"].least_workers == 0
    assert any("at peak" in warning for warning in decided.warnings)


def test_a_lone_replica_surges_only_where_the_pool_has_room_for_its_successor():
    assert plan({"m": model()}, {"small": {**L4, "nodes": 2}}).models["m"].surge
    tight = plan({"m": model()}, {"small": {**L4, "nodes": 1}})
    assert not tight.models["m"].surge
    assert any("no room for one more replica" in warning for warning in tight.warnings)


def test_worker_pods_are_as_small_as_the_widest_model_allows():
    wide = model(llama(num_attention_heads=64, num_key_value_heads=8, head_dim=128, hidden_size=8192,
                       intermediate_size=28672, num_hidden_layers=80), billions=120)  # fmt: skip
    pool = plan({"wide": wide, "narrow": model()}, {"big": H100}).pools["big"]
    assert (pool.slots_per_worker, pool.most_workers) == (4, 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"serve": {"famly": {}}}, "did you mean 'family'"),
        ({"serve": {"family": {"models": {"n": {}}}}}, "unknown model 'n'"),
        ({"defaults": {"pool": "smal"}}, "did you mean 'small'"),
        ({"ray": "2.60.1"}, "did you mean '2.60.0'"),
        ({"pools": {"small": {"gpu": "L4-24G", "nodes": 1}}}, "did you mean 'L4-24GB'"),
    ],
    ids=["family", "model", "pool", "release", "gpu"],
)
def test_an_unknown_name_is_answered_with_the_nearest(changed, message):
    with pytest.raises(UserError, match=message):
        plan({"m": model()}, **{"pools": {"small": L4}, **changed})


def test_arguments_of_the_environment_are_what_the_arithmetic_is_of():
    engine = {"dtype": "float32", "max_model_len": 1024, "gpu_memory_utilization": 0.5, "enforce_eager": True}
    placed = plan(
        {"m": model(falcon_h1(), billions=0.5)}, {"small": L4}, defaults={"llmConfig": {"engine_kwargs": engine}}
    ).models["m"].place  # fmt: skip
    assert placed.shape.dtype == "float32"
    assert placed.shape.context == 1024
    assert placed.memory.usable_gib == pytest.approx(gpus()["L4-24GB"].memory_gib * 0.5)
    assert placed.memory.cuda_graph_gib == 0


fleets = st.lists(
    st.builds(
        model,
        st.builds(
            llama,
            num_hidden_layers=st.integers(2, 96),
            num_attention_heads=st.sampled_from([8, 12, 16, 32, 64]),
            num_key_value_heads=st.sampled_from([1, 2, 4, 8]),
        ),
        billions=st.floats(0.2, 80),
        context=st.sampled_from([512, 4096, 32768]),
        sequences=st.integers(1, 512),
    ),
    min_size=1,
    max_size=6,
)
pools = st.fixed_dictionaries(
    {
        "gpu": st.sampled_from(sorted(gpus())),
        "gpusPerNode": st.sampled_from([1, 2, 3, 4, 8]),
        "nodes": st.integers(1, 6),
    }
)


@settings(max_examples=150, deadline=None)
@given(fleet=fleets, first=pools, second=pools)
def test_every_plan_holds_what_it_promises_or_is_refused(fleet, first, second):
    models = {f"m{i}": m for i, m in enumerate(fleet)}
    try:
        decided = plan(models, {"first": first, "second": second})
    except UserError:
        return
    for one in decided.models.values():
        memory, split, shape = one.place.memory, one.place.split, one.place.shape
        a = one.model.architecture
        assert memory.fits
        assert memory.weights_gib + memory.other_gib + memory.kv_gib == pytest.approx(memory.usable_gib)
        assert memory.usable_gib <= memory.total_gib
        assert shape.context == one.model.needs.context
        assert memory.longest_context >= shape.context
        assert 1 <= one.sequences <= one.model.needs.sequences
        assert a.num_attention_heads % split.tensor == 0
        assert split.tensor <= one.place.hardware.pool.gpusPerNode
        assert split.gpus <= one.place.hardware.slots
        assert one.replicas.min <= one.replicas.max
    for pool in decided.pools.values():
        assert pool.least_workers <= pool.most_workers
        assert pool.hardware.slots_per_node % pool.slots_per_worker == 0
        assert pool.most_workers * pool.slots_per_worker <= pool.hardware.slots
        mine = [m for m in decided.models.values() if m.place.hardware.name == pool.name]
        assert sum(m.replicas.min * m.gpus for m in mine) <= pool.least_workers * pool.slots_per_worker
        assert all(m.place.split.tensor <= pool.slots_per_worker for m in mine if m.place.split.pipeline == 1)


@settings(max_examples=60, deadline=None)
@given(fleet=fleets, pool=pools)
def test_the_same_fleet_is_planned_the_same_way_in_any_order_of_the_catalog(fleet, pool):
    models = {f"m{i}": m for i, m in enumerate(fleet)}
    backwards = dict(reversed(list(models.items())))
    try:
        one = plan(models, {"p": pool})
    except UserError:
        with pytest.raises(UserError):
            plan(backwards, {"p": pool})
        return
    other = plan(backwards, {"p": pool})
    assert {m: p.place for m, p in one.models.items()} == {m: p.place for m, p in other.models.items()}


@settings(max_examples=300)
@given(pieces=st.lists(st.sampled_from([1, 2, 4, 8]), max_size=40))
def test_packing_is_exact_where_sizes_divide_each_other(pieces):
    assert bins_needed(Counter(pieces), 8) == ceil(sum(pieces) / 8)


@settings(max_examples=300)
@given(pieces=st.lists(st.integers(1, 8), max_size=40))
def test_packing_is_never_too_few_and_never_far_too_many(pieces):
    bins = bins_needed(Counter(pieces), 8)
    least = max(ceil(sum(pieces) / 8), sum(piece > 4 for piece in pieces))
    assert least <= bins <= 2 * least
