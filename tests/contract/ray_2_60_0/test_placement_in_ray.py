"""What the plan says of worker pods is what Ray does: its autoscaler brings that many, and its scheduler fills them."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import pytest
import ray
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ray.autoscaler.v2.instance_manager.config import NodeTypeConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingReply, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import GangResourceRequest
from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group

from generator.errors import UserError
from generator.formats.catalog import Catalog
from generator.formats.environment import Environment
from generator.plan.packing import bins_in_any_order, bins_needed
from generator.plan.plan import Plan, make_plan
from generator.project.library import library
from generator.project.project import Project
from generator.values import llm_config, worker_group
from tests.support.paths import ROOT

CATALOG = Project.at(ROOT).catalog()
MODELS = sorted(model for family in CATALOG.families.values() for model in family.models)
Bundles = tuple[list[dict[str, float]], str]


def planned(pools: dict[str, Any], models: dict[str, Any], catalog: Catalog = CATALOG) -> Plan:
    """The plan of these models of the catalog, by id with their overrides, on these pools."""
    serve: dict[str, Any] = {}
    for name, family in catalog.families.items():
        mine = {model: models[model] for model in family.models if model in models}
        if mine:
            serve[name] = {"models": mine}
    environment = Environment.model_validate({"namespace": "ai", "ray": "2.60.0", "pools": pools, "serve": serve})
    return make_plan("test", environment, catalog, where="environments/test.yaml")


def replicas(plan: Plan) -> list[Bundles]:
    """The placement groups of every replica at the least, with their strategies, as Ray Serve LLM asks for them.

    `test_bundles_are_those_that_ray_serve_llm_makes` holds this against Ray's own code.
    """
    found = []
    for model in plan.models.values():
        config = llm_config(model, plan)
        placement, engine = config["placement_group_config"], config["engine_kwargs"]
        ranks = engine.get("tensor_parallel_size", 1) * engine.get("pipeline_parallel_size", 1)
        bundles = [dict(placement["bundle_per_worker"]) for _ in range(ranks)]
        cpus = config["deployment_config"]["ray_actor_options"]["num_cpus"]
        bundles[0]["CPU"] = bundles[0].get("CPU", 0) + cpus
        group = bundles * engine.get("data_parallel_size", 1)
        found += [(group, placement["strategy"])] * model.replicas.min
    return found


def node_types(plan: Plan, most: dict[str, int] | None = None) -> dict[str, NodeTypeConfig]:
    """The worker groups as the autoscaler knows them: what a pod offers, and how many there can be."""
    types = {}
    for name, pool in plan.pools.items():
        group = worker_group(pool)
        gpus = group.get("gpusPerWorker", 0)
        offered = {"CPU": float(group["resources"]["limits"]["cpu"]), **group.get("rayResources", {name: gpus})}
        if gpus:
            offered["GPU"] = gpus
        count = group["maxReplicas"] if most is None else most[name]
        types[name] = NodeTypeConfig(name=name, min_worker_nodes=0, max_worker_nodes=count, resources=offered)
    return types


def autoscaled(
    types: dict[str, NodeTypeConfig], groups: list[Bundles], availability: dict[str, float] | None = None
) -> SchedulingReply:
    """What Ray's autoscaler launches from nothing for these placement groups, and what it finds infeasible.

    `availability` is less than 1 for types of which a pod did not come up lately.
    """
    affinity = ResourceRequestUtil.PlacementConstraintType.AFFINITY
    gangs = [
        GangResourceRequest(
            requests=[
                ResourceRequestUtil.make(
                    bundle, [(affinity, "_PG_", str(number))] if strategy == "STRICT_PACK" else None
                )
                for bundle in bundles
            ]
        )
        for number, (bundles, strategy) in enumerate(groups)
    ]
    request = SchedulingRequest(
        disable_launch_config_check=True,
        node_type_configs=types,
        gang_resource_requests=gangs,
        recoverable_resource_availabilities=availability or {},
    )
    return ResourceDemandScheduler().schedule(request)


gpu_pools = st.fixed_dictionaries(
    {
        "gpu": st.sampled_from(["L4-24GB", "L40S-48GB", "A100-80GB", "H100-80GB"]),
        "gpusPerNode": st.sampled_from([1, 2, 4, 8]),
        "nodes": st.integers(1, 6),
        "share": st.booleans(),
    }
)
cpu_pools = st.fixed_dictionaries(
    {"nodes": st.integers(1, 4), "cpusPerNode": st.sampled_from([1, 2, 4]), "memoryPerNode": st.just("160Gi")}
)
overrides = st.fixed_dictionaries(
    {
        "context": st.just(2048),
        "replicas": st.integers(0, 3).map(lambda n: {"min": n, "max": max(1, n)}),
    },
    optional={
        "llmConfig": st.sampled_from([2, 4]).map(lambda n: {"engine_kwargs": {"tensor_parallel_size": n}}),
    },
)
fleets = st.dictionaries(st.sampled_from(MODELS), overrides, min_size=1, max_size=8)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(fleet=fleets, first=gpu_pools, second=gpu_pools | cpu_pools, seed=st.integers(0, 1000))
def test_the_autoscaler_brings_the_worker_pods_of_the_plan(fleet, first, second, seed):
    try:
        plan = planned({"first": first, "second": second}, fleet)
    except UserError:
        assume(False)
    groups = replicas(plan)
    random.Random(seed).shuffle(groups)  # the order in which applications are deployed
    reply = autoscaled(node_types(plan), groups)
    assert not reply.infeasible_gang_resource_requests
    launched = Counter({launch.instance_type: launch.count for launch in reply.to_launch})
    staged = {model.node_pool.name for model in plan.models.values() if model.placement.split.pipeline > 1}
    for name, pool in plan.pools.items():
        if name in staged:  # Ray may put GPUs of one stage apart, where that takes fewer pods
            assert launched[name] <= pool.workers_min
        elif pool.node_pool.pool.share:  # and it takes shares as they come, not the largest first
            assert pool.workers_min <= launched[name] <= max(pool.workers_min, pool.workers_any_order)
        else:
            assert launched[name] == pool.workers_min


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(fleet=fleets, pool=gpu_pools)
def test_what_the_plan_refuses_the_autoscaler_cannot_place(fleet, pool):
    roomy = {**pool, "nodes": 40}
    try:
        plan = planned({"pool": roomy}, fleet)
    except UserError:
        assume(False)
    assume(all(model.placement.split.pipeline == 1 for model in plan.models.values()))
    nodes = -(-plan.pools["pool"].workers_min * plan.pools["pool"].slots_per_worker // pool["gpusPerNode"]) - 1
    assume(nodes > 0)
    with pytest.raises(UserError, match=r"cannot hold its models at minimum|fits on no pool"):
        planned({"pool": {**pool, "nodes": nodes}}, fleet)
    # Whatever size of pods one might have chosen for these nodes.
    node_pool = plan.pools["pool"].node_pool
    for slots in node_pool.worker_sizes:
        offered = {"CPU": node_pool.cpus_per_node * slots / node_pool.slots_per_node, "GPU": slots, "pool": slots}
        most = nodes * (node_pool.slots_per_node // slots)
        types = {"pool": NodeTypeConfig(name="pool", min_worker_nodes=0, max_worker_nodes=most, resources=offered)}
        assert autoscaled(types, replicas(plan)).infeasible_gang_resource_requests


WORKERS = {"four": (3, 4), "eight": (2, 8), "shared": (3, 1)}
"""Pods of the cluster, and the GPUs of each."""


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of these pods, with GPUs in name only."""
    small = {"object_store_memory": 80_000_000}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small})
    for pool, (pods, gpus) in WORKERS.items():
        for _ in range(pods):
            made.add_node(num_cpus=6 * gpus, num_gpus=gpus, resources={pool: gpus}, **small)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def placed(groups: list[Bundles], *, seconds: float) -> bool:
    """Whether Ray finds room for all, one after the other; they are taken away again."""
    made = []
    try:
        for bundles, strategy in groups:
            made.append(placement_group(bundles, strategy=strategy))
            if not made[-1].wait(seconds):
                return False
        return True
    finally:
        for group in made:
            remove_placement_group(group)
        # Until the scheduler knows that everything is free again: it chooses by what it believes.
        while ray.available_resources().get("GPU") != ray.cluster_resources()["GPU"]:
            time.sleep(0.05)


def pieces(pool: str, sizes: list[float]) -> list[Bundles]:
    """Replicas of so many GPUs each, on one pool."""
    return [
        ([{"GPU": min(1, size), pool: min(1, size)} for _ in range(max(1, int(size)))], "STRICT_PACK") for size in sizes
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_finds_room_in_any_order_is_placed_in_any_order(cluster, data):
    pool = data.draw(st.sampled_from(sorted(WORKERS)))
    pods, gpus = WORKERS[pool]
    possible = [0.125, 0.25, 0.5, 1] if pool == "shared" else [n for n in (1, 2, 3, 4, 8) if n <= gpus]
    sizes = data.draw(st.lists(st.sampled_from(possible), min_size=1, max_size=12))
    units = 8 if pool == "shared" else 1
    counted = Counter(round(size * units) for size in sizes)
    assume(bins_in_any_order(counted, gpus * units) <= pods)
    assert placed(pieces(pool, sizes), seconds=10)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_has_no_room_at_all_is_not_placed(cluster, data):
    pool = data.draw(st.sampled_from(sorted(WORKERS)))
    pods, gpus = WORKERS[pool]
    possible = [0.25, 0.5, 1] if pool == "shared" else [n for n in (1, 2, 4, 8) if n <= gpus]
    sizes = data.draw(st.lists(st.sampled_from(possible), min_size=1, max_size=40))
    units = 8 if pool == "shared" else 1
    assume(bins_needed(Counter(round(size * units) for size in sizes), gpus * units) > pods)
    assert not placed(pieces(pool, sizes), seconds=1)


def test_ray_spreads_small_replicas_so_that_a_wide_one_waits(cluster):
    """Why the plan asks for room in any order. Where this fails, Ray has learnt to pack and the plan may be bolder."""
    small_first = pieces("eight", [1, 1, 8])
    assert bins_needed(Counter({1: 2, 8: 1}), 8) == WORKERS["eight"][0]
    assert not placed(small_first, seconds=2)
    assert placed(small_first[::-1], seconds=10)


def test_bundles_are_those_that_ray_serve_llm_makes(cluster):
    """One GPU, a part of one, several of a node, and stages over nodes."""
    from ray.llm._internal.serve.core.server.llm_server import LLMServer
    from ray.serve.llm import LLMConfig

    plan = planned(
        {
            "whole": {"gpu": "L4-24GB", "nodes": 4},
            "shared": {"gpu": "L4-24GB", "nodes": 2, "share": True},
            "wide": {"gpu": "L4-24GB", "gpusPerNode": 4, "nodes": 4},
        },
        {
            "falcon3-1b-instruct": {"pool": "shared", "replicas": {"min": 1, "max": 1}},
            "falcon3-3b-instruct": {"pool": "whole", "replicas": {"min": 1, "max": 1}},
            "falcon3-7b-instruct": {
                "pool": "wide",
                "replicas": {"min": 1, "max": 1},
                "llmConfig": {"engine_kwargs": {"tensor_parallel_size": 4}},
            },
            "falcon3-10b-instruct": {
                "pool": "wide",
                "replicas": {"min": 1, "max": 1},
                "llmConfig": {"engine_kwargs": {"tensor_parallel_size": 2, "pipeline_parallel_size": 2}},
            },
        },
    )
    assert plan.models["falcon3-1b-instruct"].placement.gpu_share < 1
    made = []
    for model_id, model in plan.models.items():
        config = llm_config(model, plan)
        config["model_loading_config"]["model_id"] = model_id
        options = LLMServer.get_deployment_options(LLMConfig(**config))
        bundles = [{k: v for k, v in bundle.items() if v} for bundle in options["placement_group_bundles"]]
        made.append((bundles, options["placement_group_strategy"]))
        if model.placement.gpu_share < 1:
            environment = LLMConfig(**config).get_engine_config().get_runtime_env_with_local_env_vars()["env_vars"]
            assert environment["VLLM_RAY_PER_WORKER_GPUS"] == str(model.placement.gpu_share)
    assert made == replicas(plan)
    assert placed(pieces("shared", [0.5, 0.5]), seconds=10)


def test_two_stages_go_to_two_pods_of_one_gpu(cluster):
    pool = {"gpu": "L4-24GB", "nodes": 3}
    fleet = {"falcon3-10b-instruct": {"context": 8192, "replicas": {"min": 1, "max": 1}}}
    fleet["falcon3-10b-instruct"]["llmConfig"] = {"engine_kwargs": {"pipeline_parallel_size": 2}}
    plan = planned({"shared": pool}, fleet)
    reply = autoscaled(node_types(plan), replicas(plan))
    assert {launch.instance_type: launch.count for launch in reply.to_launch} == {"shared": 2}
    assert not reply.infeasible_gang_resource_requests
    [(bundles, strategy)] = replicas(plan)
    group = placement_group(bundles, strategy=strategy)
    assert group.wait(10)
    assert len(set(placement_group_table(group)["bundles_to_node_id"].values())) == 2
    remove_placement_group(group)


def test_ranks_of_a_replica_fill_the_worker_pods_of_the_plan():
    pools = {"l4": {"gpu": "L4-24GB", "gpusPerNode": 2, "nodes": 4, "memoryPerNode": "96Gi"}}
    words = {"engine_kwargs": {"data_parallel_size": 4, "enable_expert_parallel": True}}
    entry = {"context": 4096, "sequences": 8, "replicas": {"min": 1, "max": 1}, "llmConfig": words}
    plan = planned(pools, {"gpt-oss-20b": entry}, library())
    reply = autoscaled(node_types(plan), replicas(plan))
    assert {launch.instance_type: launch.count for launch in reply.to_launch} == {"l4": plan.pools["l4"].workers_min}
    assert (plan.pools["l4"].workers_min, plan.pools["l4"].slots_per_worker) == (2, 2)


SPOT, ON_DEMAND = {"gpu": "L4-24GB", "nodes": 2}, {"gpu": "L4-24GB", "nodes": 5}


def in_order(plan: Plan) -> dict[str, NodeTypeConfig]:
    """The node types as the chart's order of worker groups makes them: the highest priority first."""
    types = node_types(plan)
    return dict(sorted(types.items(), key=lambda item: -(plan.pools[item[0]].priority or 0)))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    least=st.integers(1, 7),
    model=st.sampled_from(["falcon3-1b-instruct", "falcon3-3b-instruct", "falcon3-7b-instruct"]),
    order=st.permutations(["spot", "on-demand"]),
)
def test_replicas_of_a_model_that_names_several_pools_go_where_the_plan_counts_them(least, model, order):
    fleet = {model: {"pool": order, "context": 2048, "replicas": {"min": least, "max": least}}}
    plan = planned({"on-demand": ON_DEMAND, "spot": SPOT}, fleet)
    reply = autoscaled(in_order(plan), replicas(plan))
    assert not reply.infeasible_gang_resource_requests
    launched = {launch.instance_type: launch.count for launch in reply.to_launch}
    assert launched == {home.node_pool.name: home.least for home in plan.models[model].homes if home.least}


def test_a_pool_whose_pods_did_not_come_up_is_tried_after_the_next():
    fleet = {"falcon3-1b-instruct": {"pool": ["spot", "on-demand"], "replicas": {"min": 1, "max": 1}}}
    plan = planned({"on-demand": ON_DEMAND, "spot": SPOT}, fleet)
    failed = autoscaled(in_order(plan), replicas(plan), availability={"spot": 0.5})
    assert [launch.instance_type for launch in failed.to_launch] == ["on-demand"]


def test_ray_runs_a_bundle_that_asks_for_what_two_pools_offer(cluster):
    """On a real cluster: the name of a list of pools is one that Ray takes for a resource."""
    small = {"object_store_memory": 80_000_000}
    names = ("spot", "on-demand")
    nodes = [
        cluster.add_node(num_cpus=6, num_gpus=1, resources={name: 1, "spot/on-demand": 1}, **small) for name in names
    ]
    try:
        asked = [([{"GPU": 1, "spot/on-demand": 1}], "STRICT_PACK")] * 2
        assert placed(asked, seconds=20)
    finally:
        for node in nodes:
            cluster.remove_node(node)
