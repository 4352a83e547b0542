"""Several models on one GPU, and the slices of a divided one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import UserError
from generator.facts.gpus import gpus, process_context_gib
from generator.plan.plan import make_plan
from generator.plan.pools import SHARES, share_utilization
from generator.values import family_values, llm_config
from tests.support.builders import catalog, environment, falcon_h1, llama, model

SHARED = {"gpu": "H100-80GB", "nodes": 2, "share": True}
SMALL = model(falcon_h1(), billions=0.5)


def plan(models, pools, **fields):
    return make_plan("test", environment(pools, **fields), catalog(family=models), where="environments/test.yaml")


@settings(max_examples=200)
@given(
    gpu=st.sampled_from(sorted(gpus())),
    utilization=st.floats(0.5, 0.98),
    shares=st.lists(st.sampled_from(SHARES[1:]), min_size=1, max_size=8),
)
def test_engines_that_fill_a_gpu_fit_beside_each_other_with_a_context_for_each(gpu, utilization, shares):
    total = gpus()[gpu].memory_gib
    if sum(shares) > 1:
        return
    parts = [share_utilization(share, of=utilization, gpu_gib=total) for share in shares]
    taken = sum(part * total + process_context_gib() for part in parts if part)
    assert taken <= utilization * total + process_context_gib() + 1e-9, "no more than one engine alone would take"


def test_an_engine_with_a_gpu_of_its_own_is_told_nothing_new():
    assert share_utilization(1.0, of=0.92, gpu_gib=79.0) == 0.92


def test_models_share_a_gpu_only_where_the_pool_says_so():
    small = {"a": SMALL, "b": SMALL}
    alone = plan(small, {"p": {**SHARED, "share": False}})
    assert {m.placement.gpu_share for m in alone.models.values()} == {1.0}
    together = plan(small, {"p": SHARED})
    assert {m.placement.gpu_share for m in together.models.values()} == {0.125}
    assert together.pools["p"].workers_min == 1


def test_every_share_holds_a_request_of_full_context_and_the_sequences_that_users_need():
    place = plan({"a": model(falcon_h1(), billions=0.5, sequences=200)}, {"p": SHARED}).models["a"].placement
    assert place.memory.fits
    assert place.memory.most_sequences >= 200
    assert place.gpu_share > 0.125


def test_the_engine_is_told_its_part_and_the_bytes_of_its_cache():
    decided = plan({"a": SMALL}, {"p": SHARED})
    config, place = llm_config(decided.models["a"], decided), decided.models["a"].placement
    assert config["placement_group_config"]["bundle_per_worker"] == {"GPU": 0.125, "p": 0.125}
    engine = config["engine_kwargs"]
    assert engine["gpu_memory_utilization"] == place.shape.utilization < 0.125
    assert engine["kv_cache_memory_bytes"] == int(place.memory.kv_gib * 2**30)
    assert family_values(decided, "family")["workerGroups"]["p"]["gpusPerWorker"] == 1


def test_replicas_that_fill_a_gpu_find_their_cpus_in_its_pod():
    decided = plan({"a": SMALL}, {"p": SHARED})
    config = llm_config(decided.models["a"], decided)
    cpus = config["deployment_config"]["ray_actor_options"]["num_cpus"]
    assert 0 < cpus * 8 <= decided.pools["p"].node_pool.cpus_per_node


def test_a_share_that_people_say_is_taken():
    decided = plan({"a": SMALL}, {"p": SHARED}, defaults={"gpuShare": 0.5})
    assert decided.models["a"].placement.gpu_share == 0.5


@pytest.mark.parametrize(
    ("pool", "overrides", "message"),
    [
        ({"share": False}, {"gpuShare": 0.5}, "its models do not share GPUs"),
        ({}, {"llmConfig": {"engine_kwargs": {"tensor_parallel_size": 2}}}, "a model of several GPUs shares none"),
        ({}, {"llmConfig": {"engine_kwargs": {"gpu_memory_utilization": 0.4}}}, "is the plan's to decide"),
        (
            {},
            {"llmConfig": {"engine_kwargs": {"kv_cache_memory_bytes": 10**10}}},
            "memory_bytes is the plan's to decide",
        ),
        ({"gpu": None, "cpusPerNode": 4, "memoryPerNode": "64Gi"}, {}, "'share' is of GPUs"),
    ],
    ids=["not shared", "several GPUs", "utilization", "size of the cache", "CPUs"],
)
def test_what_contradicts_sharing_is_refused(pool, overrides, message):
    given = {key: value for key, value in {**SHARED, **pool}.items() if value is not None}
    with pytest.raises(UserError, match=message):
        plan({"a": SMALL}, {"p": given}, defaults=overrides)


def test_ray_2_49_1_shares_no_gpu():
    with pytest.raises(UserError, match="shares no GPU"):
        plan({"a": SMALL}, {"p": SHARED}, ray="2.49.1")


def test_a_slice_is_a_gpu_of_its_own_and_asked_for_by_its_own_name():
    pool = {"gpu": "H100-80GB-3g.40gb", "gpusPerNode": 2, "nodes": 2}
    decided = plan({"a": model(billions=7.5)}, {"slices": pool})
    group = family_values(decided, "family")["workerGroups"]["slices"]
    assert (group["gpusPerWorker"], group["gpuResourceName"]) == (1, "nvidia.com/mig-3g.40gb")
    assert group["maxReplicas"] == 4


def test_a_model_is_never_divided_over_slices():
    """They have no way to talk to each other."""
    with pytest.raises(UserError, match="fits on no pool"):
        plan({"a": model(llama(), billions=30)}, {"slices": {"gpu": "H100-80GB-3g.40gb", "gpusPerNode": 2, "nodes": 4}})


def test_stages_lie_beside_each_other_where_the_heads_do_not_divide_further():
    """Six heads give two GPUs at most, so four of one node are two stages of two."""
    odd = llama(num_attention_heads=6, num_key_value_heads=2, intermediate_size=23040, num_hidden_layers=40)
    place = (
        plan({"a": model(odd, billions=20)}, {"one": {"gpu": "L4-24GB", "gpusPerNode": 4, "nodes": 1}})
        .models["a"]
        .placement
    )
    assert (place.split.tensor, place.split.pipeline) == (2, 2)


def test_small_models_share_beside_many_that_take_a_whole_gpu() -> None:
    """Whatever comes first, a GPU for every replica is room for all: 10 of 12."""
    large = {f"large-{number}": model() for number in range(6)}
    small = {f"small-{number}": model(falcon_h1(), billions=0.5, sequences=4) for number in range(4)}
    pools = {"shared": {"gpu": "L4-24GB", "nodes": 12, "share": True}}

    decided = make_plan("test", environment(pools), catalog(family=large | small), where="environments/test.yaml")

    assert all(decided.models[name].placement.gpu_share < 1 for name in small)
    assert decided.pools["shared"].workers_min < 10 == decided.pools["shared"].workers_any_order
