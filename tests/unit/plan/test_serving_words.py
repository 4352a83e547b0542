"""Adapters, routers and KV offload: said in an environment's own words, planned, and in Ray's words in the values."""

from __future__ import annotations

from typing import Any

import pytest

from generator.errors import UserError
from generator.facts.releases import releases
from generator.plan.plan import Plan, make_plan
from generator.values import family_values
from tests.support.builders import catalog, environment, falcon_h1, model

L4 = {"small": {"gpu": "L4-24GB", "nodes": 4}}
OLD = {"ray": "2.49.1", "chart": {"networkPolicy": {"enabled": False}}}
STANDARD = {"chart": {"serving": {"path": "standard"}}}
SOURCES = {"adapters": {"sources": {"pirate": "/adapters/pirate"}}}


def plan(words: dict[str, Any], pools: dict[str, Any] = L4, **fields: Any) -> Plan:
    served = {"family": {"models": {"m": words}}}
    stated = environment(pools, serve=served, **fields)
    return make_plan("test", stated, catalog(family={"m": model()}), where="environments/test.yaml")


def llm_config(decided: Plan) -> dict[str, Any]:
    config: dict[str, Any] = family_values(decided, "family")["models"]["m"]["llmConfig"]
    return config


def test_adapters_of_a_volume_are_loaded_when_a_replica_starts() -> None:
    config = llm_config(plan({"adapters": {"sources": {"pirate": "/adapters/pirate", "poet": "org/poet"}}}))

    engine = config["engine_kwargs"]
    assert engine["lora_modules"] == [
        {"name": "m:pirate", "path": "/adapters/pirate", "base_model_name": "m"},
        {"name": "m:poet", "path": "org/poet", "base_model_name": "m"},
    ]
    assert engine.items() >= {"enable_lora": True, "max_loras": 2, "max_lora_rank": 16, "max_cpu_loras": 2}.items()
    assert "lora_config" not in config


def test_adapters_go_by_the_models_name_for_clients() -> None:
    engine = llm_config(plan({"servedModelName": "Org/Name", **SOURCES}))["engine_kwargs"]

    assert [module["name"] for module in engine["lora_modules"]] == ["Org/Name:pirate"]


def test_adapters_of_a_bucket_are_loaded_when_they_are_asked_for() -> None:
    config = llm_config(plan({"adapters": {"bucket": "s3://b/adapters", "maxAtOnce": 3, "maxRank": 20}}, **STANDARD))

    assert config["lora_config"]["dynamic_lora_loading_path"] == "s3://b/adapters"
    assert config["engine_kwargs"].items() >= {"enable_lora": True, "max_loras": 3, "max_lora_rank": 32}.items()
    assert config["engine_kwargs"]["max_cpu_loras"] == config["lora_config"]["max_num_adapters_per_replica"] == 16


def test_the_plan_counts_adapters_on_the_gpu_and_on_the_disk() -> None:
    alone, beside = (
        plan({}).models["m"],
        plan({"adapters": {"sources": {"poet": "org/poet"}, "maxRank": 64}}).models["m"],
    )

    assert beside.placement.memory.weights_gib > alone.placement.memory.weights_gib + 0.3
    assert "org/poet" in {download.name for download in beside.downloads - alone.downloads}


@pytest.mark.parametrize("ray", releases())
def test_every_router_of_a_release_is_a_class_of_rays(ray: str) -> None:
    release = releases()[ray]
    fields = OLD if ray == "2.49.1" else {"ray": ray}
    for name, path in release.request_routers.items():
        config = llm_config(
            plan({"router": name}, **fields, **(STANDARD if release.path_of_routers.get(name) == "standard" else {}))
        )

        assert config["deployment_config"]["request_router_config"] == {"request_router_class": path}


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        ({"router": "kvAware"}, "ai-dynamo in the image"),
        ({"router": "sessionAffinity"}, ""),
        ({"kvOffload": {"memory": "8Gi", "backend": "lmcache"}}, "LMCache in the image"),
    ],
)
def test_what_the_image_must_have_is_said(words: dict[str, Any], needed: str) -> None:
    said = [str(warning) for warning in plan(words).warnings if "in the image" in str(warning)]

    assert needed in "".join(said)
    assert bool(said) == bool(needed)


def test_a_router_may_be_said_for_all_and_overruled_in_rays_words() -> None:
    own = {"deployment_config": {"request_router_config": {"request_router_kwargs": {"imbalanced_threshold": 20}}}}

    config = llm_config(plan({"llmConfig": own}, defaults={"router": "prefixAffinity"}, **STANDARD))

    assert config["deployment_config"]["request_router_config"] == {
        "request_router_class": "ray.serve.llm.request_router.PrefixCacheAffinityRouter",
        "request_router_kwargs": {"imbalanced_threshold": 20},
    }


@pytest.mark.parametrize(
    ("words", "fields", "told"),
    [
        ({"router": "roundRobin"}, OLD, "Ray 2.49.1 has no router 'roundRobin'"),
        ({"router": "kvAware"}, STANDARD, "is of the throughput path, and the environment is on the standard path"),
        ({"router": "prefixAffinity"}, {}, "or take roundRobin or sessionAffinity."),
        ({"router": "leastBusy"}, {}, "is of the standard path: on the throughput path HAProxy sends the requests"),
        (SOURCES, STANDARD, "are served on the throughput path alone"),
        (SOURCES, OLD, "is on the standard path by Ray 2.49.1, which has no other"),
        (SOURCES, {"chart": {"serving": {"routing": "unified"}}}, "by chart.serving.routing: unified"),
        ({"adapters": {"sources": {"pirate": "s3://b/pirate"}}}, {}, "Say the folder above it as `bucket`"),
        ({"adapters": {"bucket": "/mnt/adapters"}}, {}, "What lies in the image or a volume is said as `sources`"),
        ({"adapters": {"bucket": "azure://b"}}, OLD, "It begins with one of s3://, gs://."),
        ({"adapters": {"bucket": "s3://b", "maxRank": 1024}}, {}, "maxRank 1024 is more than vLLM's largest, 512"),
    ],
)
def test_what_cannot_be_served_so_is_told_with_the_way_out(
    words: dict[str, Any], fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError) as refused:
        plan(words, **fields)

    assert told in str(refused.value)
    assert "environments/test.yaml: serve.family.m" in str(refused.value)


def test_lmcache_has_no_place_for_states() -> None:
    served = {"family": {"models": {"m": {"kvOffload": {"memory": "8Gi", "backend": "lmcache"}}}}}
    hybrid = catalog(family={"m": model(falcon_h1(), billions=0.5)})

    with pytest.raises(UserError) as refused:
        make_plan("test", environment(L4, serve=served), hybrid, where="environments/test.yaml")

    assert "keeps attention beside states by its hybrid cache manager alone" in str(refused.value)


H100 = {"big": {"gpu": "H100-80GB", "gpusPerNode": 2, "nodes": 2, "memoryPerNode": "200Gi"}}


def test_native_kv_offload_is_in_the_pods_shared_memory() -> None:
    decided = plan({"kvOffload": {"memory": "64Gi"}}, H100)

    assert llm_config(decided)["engine_kwargs"]["kv_offloading_size"] == 64
    group = family_values(decided, "family")["workerGroups"]["big"]
    replicas_of_a_pod = group["gpusPerWorker"]
    assert group["sharedMemory"] == f"{64 * replicas_of_a_pod + 10}Gi"
    assert group["resources"]["limits"]["memory"] == f"{100 * replicas_of_a_pod}Gi"


def test_lmcache_has_its_part_in_each_engine_process() -> None:
    two = {"llmConfig": {"engine_kwargs": {"tensor_parallel_size": 2}}}

    config = llm_config(plan({"kvOffload": {"memory": "64Gi", "backend": "lmcache"}, **two}, H100))

    assert config["engine_kwargs"]["kv_transfer_config"] == {"kv_connector": "LMCacheConnectorV1", "kv_role": "kv_both"}
    assert config["runtime_env"]["env_vars"]["LMCACHE_MAX_LOCAL_CPU_SIZE"] == "32"
    assert "sharedMemory" not in family_values(plan({}, H100), "family")["workerGroups"]["big"]


def test_a_replica_takes_a_second_gpu_where_that_has_the_memory() -> None:
    assert plan({"kvOffload": {"memory": "150Gi"}}, H100).models["m"].gpus == 2


@pytest.mark.parametrize(
    ("words", "pools", "fields", "told"),
    [
        ({"kvOffload": {"memory": "200Gi"}}, H100, {}, "a replica needs 204 GiB of the host's memory (kvOffload 200, "),
        ({"kvOffload": {"memory": "21Gi"}}, L4, {}, "beside its GPUs the pool has 24"),
        ({"kvOffload": {"memory": "1Gi"}}, {"cpu": {"nodes": 1}}, {}, "KV offload is from GPUs to the host"),
        ({"kvOffload": {"memory": "1Gi"}}, L4, OLD, "vLLM 0.10.0 has no KV offload of its own"),
        (
            {
                "kvOffload": {"memory": "1Gi"},
                "llmConfig": {"engine_kwargs": {"kv_transfer_config": {"kv_connector": "NixlConnector"}}},
            },
            L4,
            {},
            "each name the one connector of an engine",
        ),
    ],
)
def test_kv_offload_that_cannot_be_had_is_told(
    words: dict[str, Any], pools: dict[str, Any], fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError) as refused:
        plan(words, pools, **fields)

    assert told in str(refused.value)
