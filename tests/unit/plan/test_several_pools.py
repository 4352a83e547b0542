"""Models that name several pools in order of wish."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import UserError
from generator.formats.environment import Environment
from generator.formats.faults import parse_text
from generator.plan.plan import make_plan
from generator.values import llm_config, worker_group
from tests.support.builders import catalog, environment, falcon_h1, llama, model

SPOT = {"gpu": "L4-24GB", "nodes": 2}
ON_DEMAND = {"gpu": "L4-24GB", "nodes": 5}
A100 = {"gpu": "A100-80GB", "gpusPerNode": 4, "nodes": 2}
SEVEN = llama()
TEN = llama(num_hidden_layers=40)


def plan(models, pools, *, serve=None, **fields):
    served = {"family": {"models": serve}} if serve else None
    return make_plan(
        "test", environment(pools, serve=served, **fields), catalog(family=models), where="environments/test.yaml"
    )


def counted(decided, name="m"):
    return {home.node_pool.name: (home.least, home.most) for home in decided.models[name].homes}


def notes(decided, name="m"):
    return [warning.text for warning in decided.warnings if warning.subject == name]


def both(**more):
    return {"m": {"pool": ["spot", "on-demand"], **more}}


def test_replicas_go_to_the_first_pool_that_has_room():
    pools = {"on-demand": ON_DEMAND, "spot": SPOT}
    decided = plan({"m": model()}, pools, serve=both(replicas={"min": 3, "max": 6}))
    assert counted(decided) == {"spot": (2, 2), "on-demand": (1, 4)}
    assert [decided.pools[name].workers_min for name in ("spot", "on-demand")] == [2, 1]


def test_a_wish_goes_before_what_costs_less():
    decided = plan({"m": model()}, {"small": SPOT, "big": A100}, serve={"m": {"pool": ["big", "small"]}})
    assert counted(decided) == {"big": (1, 5), "small": (0, 0)}


def test_without_replicas_said_there_are_as_many_as_all_the_pools_hold():
    pools = {"spot": {**SPOT, "nodes": 1}, "on-demand": {**ON_DEMAND, "nodes": 2}}
    assert plan({"m": model()}, pools, serve=both()).models["m"].replicas.max == 3


def test_a_model_that_can_be_on_one_pool_alone_has_its_place_there_before():
    models = {"m": model(), "only-spot": model()}
    serve = {**both(replicas={"min": 2, "max": 2}), "only-spot": {"pool": "spot", "replicas": {"min": 1, "max": 1}}}
    decided = plan(models, {"spot": SPOT, "on-demand": ON_DEMAND}, serve=serve)
    assert counted(decided) == {"spot": (1, 1), "on-demand": (1, 1)}
    assert any("may fill it first, and then only-spot waits" in note for note in notes(decided, "spot"))


def test_a_model_that_the_plan_places_goes_around_those_that_have_a_wish():
    models = {"m": model(), "free": model()}
    serve = {**both(replicas={"min": 2, "max": 2}), "free": {}}
    assert (
        plan(models, {"spot": SPOT, "on-demand": ON_DEMAND}, serve=serve).models["free"].node_pool.name == "on-demand"
    )


def test_what_has_room_on_no_pool_is_refused():
    with pytest.raises(UserError, match="pool 'spot' cannot hold its models at minimum: 4 worker pods"):
        plan({"m": model()}, {"spot": SPOT, "on-demand": ON_DEMAND}, serve=both(replicas={"min": 9, "max": 9}))


def test_the_bundles_ask_for_what_every_pool_offers_and_the_first_pool_is_tried_first():
    decided = plan({"m": model()}, {"on-demand": ON_DEMAND, "spot": SPOT, "other": A100}, serve=both())
    config = llm_config(decided.models["m"], decided)
    assert config["placement_group_config"]["bundle_per_worker"] == {"GPU": 1, "spot/on-demand": 1}
    groups = {name: worker_group(pool) for name, pool in decided.pools.items()}
    assert groups["spot"]["rayResources"] == {"spot": 1, "spot/on-demand": 1}
    assert groups["on-demand"]["rayResources"] == {"on-demand": 1, "spot/on-demand": 1}
    assert groups["spot"]["priority"] > groups["on-demand"]["priority"]
    assert not {"rayResources", "priority"} & groups["other"].keys()


def test_ray_2_49_1_asks_in_the_replica_and_is_said_to_wait_for_pending_pods():
    decided = plan({"m": model()}, {"on-demand": ON_DEMAND, "spot": SPOT}, serve=both(), ray="2.49.1")
    config = llm_config(decided.models["m"], decided)
    assert config["deployment_config"]["ray_actor_options"]["resources"] == {"spot/on-demand": 1}
    assert any("it waits for pods that stay pending" in note for note in notes(decided))


def test_engine_arguments_are_what_the_smallest_gpu_holds():
    decided = plan({"m": model(sequences=256)}, {"small": SPOT, "big": A100}, serve={"m": {"pool": ["big", "small"]}})
    alone = plan({"m": model(sequences=256)}, {"small": SPOT})
    alike, small = (one.models["m"].placement.shape for one in (decided, alone))
    assert (alike.batched_tokens, alike.context) == (small.batched_tokens, small.context)


def test_gpus_of_a_replica_are_as_many_on_every_pool_and_a_note_says_where_fewer_would_do():
    pools = {"wide": {**SPOT, "gpusPerNode": 4}, "big": A100}
    decided = plan({"m": model(TEN, billions=10.3)}, pools, serve={"m": {"pool": ["big", "wide"]}})
    assert decided.models["m"].gpus == 2
    assert any("on big fewer than 2 x A100-80GB would hold it" in note for note in notes(decided))


def test_pools_that_hold_it_with_different_numbers_of_gpus_are_refused():
    with pytest.raises(
        UserError, match="names the pools big, spot, and does not run alike on all of them: with 1 x L4"
    ):
        plan({"m": model(TEN, billions=10.3)}, {"spot": SPOT, "big": A100}, serve={"m": {"pool": ["big", "spot"]}})


def test_gpus_and_cpus_do_not_go_together():
    pools = {"spot": SPOT, "cpu": {"nodes": 2, "cpusPerNode": 8, "memoryPerNode": "64Gi"}}
    with pytest.raises(UserError, match="some have GPUs and some have none"):
        plan({"m": model(falcon_h1(), billions=0.5)}, pools, serve={"m": {"pool": ["spot", "cpu"]}})


def test_a_pool_that_cannot_run_it_whatever_its_memory_is_named():
    serve = {"m": {"pool": ["big", "spot"], "llmConfig": {"engine_kwargs": {"tensor_parallel_size": 2}}}}
    with pytest.raises(UserError, match="and spot cannot run it: tensor_parallel_size is 2, and a node has 1 GPU"):
        plan({"m": model()}, {"spot": SPOT, "big": A100}, serve=serve)


def test_parts_of_a_gpu_are_taken_of_one_type_alone():
    small = {"m": model(falcon_h1(), billions=0.5)}
    shared = {"a": {**SPOT, "share": True}, "b": {**ON_DEMAND, "share": True}, "c": {**A100, "share": True}}
    assert plan(small, shared, serve={"m": {"pool": ["a", "b"]}}).models["m"].placement.gpu_share < 1
    assert plan(small, shared, serve={"m": {"pool": ["a", "c"]}}).models["m"].placement.gpu_share == 1


def test_the_load_is_counted_where_a_replica_serves_the_least():
    expect = {"requestsPerSecond": 4, "promptTokens": 1000, "outputTokens": 200}
    pools = {"big": A100, "small": {**SPOT, "nodes": 40}}
    either = plan({"m": model()}, pools, serve={"m": {"pool": ["big", "small"], "expect": expect}})
    small = plan({"m": model()}, pools, serve={"m": {"pool": "small", "expect": expect}})
    assert either.models["m"].replicas.min == small.models["m"].replicas.min


def test_pools_of_unlike_pods_may_not_keep_their_order():
    pools = {"spot": {**SPOT, "cpusPerNode": 12}, "on-demand": ON_DEMAND}
    assert any(
        "the order of its pools may not hold" in note for note in notes(plan({"m": model()}, pools, serve=both()))
    )
    alike = {"spot": SPOT, "on-demand": ON_DEMAND}
    assert not any("order" in note for note in notes(plan({"m": model()}, alike, serve=both())))


def test_opposite_orders_are_refused_with_the_models_that_want_them():
    serve = {"m": {"pool": ["spot", "on-demand"]}, "n": {"pool": ["on-demand", "spot"]}}
    with pytest.raises(UserError, match=r"models m, n name the pools .* in opposite orders"):
        plan({"m": model(), "n": model()}, {"spot": SPOT, "on-demand": ON_DEMAND}, serve=serve)


def test_a_pool_of_the_list_that_there_is_not_is_told():
    with pytest.raises(UserError, match="pool 'sport'"):
        plan({"m": model()}, {"spot": SPOT, "on-demand": ON_DEMAND}, serve={"m": {"pool": ["sport", "on-demand"]}})


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ("[spot, spot]", "names a pool twice: spot"),
        ("[]", "'pool' is an empty list; name a pool"),
        ("[Spot]", "a name of small letters"),
        ("Spot", "a name of small letters"),
        ("5", "'pool' is neither"),
        ("{spot: 1}", "'pool' is neither"),
    ],
)
def test_a_wrong_list_is_told(pool, message):
    text = f"namespace: ai\nray: 2.60.0\npools: {{spot: {{nodes: 1}}}}\ndefaults: {{pool: {pool}}}\n"
    with pytest.raises(UserError) as refused:
        parse_text(text, "environments/test.yaml", Environment)
    assert message in str(refused.value)


@settings(max_examples=25, deadline=None)
@given(nodes=st.lists(st.integers(1, 6), min_size=2, max_size=4), least=st.integers(0, 12), more=st.integers(0, 12))
def test_all_replicas_are_counted_once_and_no_pool_before_the_last_is_more_than_full(nodes, least, more):
    pools = {f"p{number}": {**SPOT, "nodes": count} for number, count in enumerate(nodes)}
    replicas = {"min": least, "max": max(1, least + more)}
    try:
        decided = plan({"m": model()}, pools, serve={"m": {"pool": list(pools), "replicas": replicas}})
    except UserError:
        assert least > sum(nodes)
        return
    homes = decided.models["m"].homes
    assert sum(home.least for home in homes) == replicas["min"]
    assert sum(home.most for home in homes) == replicas["max"]
    assert all(home.least <= home.room for home in homes)
    assert all(home.most <= home.room for home in homes[:-1])
    filled = [home.least == home.room for home in homes]
    assert all(filled[number] for number, home in enumerate(homes[1:]) if home.least)
