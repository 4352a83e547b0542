"""What the plan's decisions look like in the chart's and Ray's words."""

from __future__ import annotations

from typing import Any

import pytest

from generator.documents.load import Origin, dump_yaml, load_text
from generator.formats.check import check_document
from generator.plan.plan import make_plan
from generator.values import family_values
from tests.support.builders import catalog, environment, llama, model

L4 = {"gpu": "L4-24GB", "nodes": 10}


def values(one: Any, pools: dict[str, Any], **fields: Any) -> dict[str, Any]:
    decided = make_plan(
        "test", environment(pools, **fields), catalog(family={"m": one}), where="environments/test.yaml"
    )
    found = family_values(decided, "family")
    check_document(found, "values", Origin("values/test/family.yaml"))
    assert load_text(dump_yaml(found), "values/test/family.yaml") == found
    return found


def config(*arguments: Any, **fields: Any) -> dict[str, Any]:
    return values(*arguments, **fields)["models"]["m"]["llmConfig"]


def test_the_pools_name_is_in_every_bundle():
    placement = config(model(), {"small": L4})["placement_group_config"]
    assert placement == {"bundle_per_worker": {"GPU": 1, "small": 1}, "strategy": "STRICT_PACK"}


def test_a_model_over_several_nodes_is_packed_and_not_held_on_one():
    found = config(model(llama(num_hidden_layers=40), billions=10.3), {"small": L4})
    assert found["placement_group_config"]["strategy"] == "PACK"
    assert found["engine_kwargs"]["pipeline_parallel_size"] == 2


def test_ray_2_49_1_gets_its_own_placement_field_and_the_pools_name_on_the_replica():
    found = config(model(), {"small": L4}, ray="2.49.1")
    assert found["resources_per_bundle"] == {"GPU": 1}
    assert "placement_group_config" not in found
    assert found["deployment_config"]["ray_actor_options"]["resources"] == {"small": 1}
    assert "max_surge_percent" not in found["deployment_config"]


def test_the_model_id_is_said_by_the_key_alone():
    assert config(model(), {"small": L4})["model_loading_config"] == {"model_source": "org/name"}


def test_clients_name_a_model_as_the_environment_says_else_the_catalog_else_its_key():
    named = model().model_copy(update={"servedModelName": "org/Name"})

    def loading(**words: Any) -> dict[str, Any]:
        serve = {"family": {"models": {"m": words}}}
        return config(named, {"l4": L4}, serve=serve)["model_loading_config"]

    assert loading() == {"model_id": "org/Name", "model_source": "org/name"}
    assert loading(servedModelName="Mine")["model_id"] == "Mine"
    assert loading(servedModelName="m") == {"model_source": "org/name"}


def test_autoscaling_always_has_a_target_because_ray_would_never_scale_without():
    found = config(model(sequences=10), {"small": L4})["deployment_config"]
    assert found["autoscaling_config"]["target_ongoing_requests"] == 8
    assert found["max_ongoing_requests"] == 20


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_rolling_update_surges_where_there_is_a_spare_gpu(nodes):
    found = config(model(), {"small": {**L4, "nodes": nodes}})["deployment_config"]
    assert ("max_surge_percent" in found) == (nodes == 2)


def test_a_pinned_revision_is_served_unless_the_weights_come_from_elsewhere():
    pinned = model().model_copy(update={"revision": "a" * 40})
    assert config(pinned, {"small": L4})["engine_kwargs"]["revision"] == "a" * 40
    elsewhere = config(pinned, {"small": L4}, defaults={"source": "s3://bucket/m"})
    assert "revision" not in elsewhere["engine_kwargs"]


def test_code_of_a_repository_runs_only_where_the_catalog_says_why():
    assert "trust_remote_code" not in config(model(), {"small": L4})["engine_kwargs"]
    trusted = model().model_copy(update={"trustRemoteCode": "its tokenizer is not in transformers"})
    assert config(trusted, {"small": L4})["engine_kwargs"]["trust_remote_code"] is True


def test_the_environments_own_words_win_last():
    own = {"engine_kwargs": {"max_num_seqs": 7}, "deployment_config": {"max_ongoing_requests": 99}}
    found = config(model(), {"small": L4}, defaults={"llmConfig": own})
    assert found["engine_kwargs"]["max_num_seqs"] == 7
    assert found["deployment_config"]["max_ongoing_requests"] == 99


def test_a_pool_is_a_worker_group_with_its_share_of_the_node():
    pool = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": 2, "cpusPerNode": 80, "memoryPerNode": "800Gi",
            "nodeSelector": {"a": "b"}, "workerGroup": {"priorityClassName": "high"}}  # fmt: skip
    group = values(model(), {"big": pool})["workerGroups"]["big"]
    assert group["gpusPerWorker"] == 1
    assert (group["minReplicas"], group["maxReplicas"]) == (0, 16)
    assert group["resources"]["limits"] == {"cpu": 10, "memory": "100Gi"}
    assert (group["nodeSelector"], group["priorityClassName"]) == ({"a": "b"}, "high")


def test_a_worker_asks_for_the_disk_that_its_models_files_take_and_has_no_limit_of_it():
    # 7.456 billion parameters of two bytes are 13.9 GiB, beside 10 for logs and compiled kernels.
    resources = values(model(), {"small": L4})["workerGroups"]["small"]["resources"]
    assert resources["requests"]["ephemeral-storage"] == "24Gi"
    assert resources["limits"] == {"cpu": 6, "memory": "24Gi"}
    of_the_image = values(model(), {"small": L4}, defaults={"source": "/home/ray/checkpoints/m"})
    assert of_the_image["workerGroups"]["small"]["resources"]["requests"] == {"cpu": 6, "memory": "24Gi"}


def test_who_says_what_a_worker_asks_of_its_disk_wins():
    own = {"workerGroup": {"resources": {"requests": {"ephemeral-storage": "5Gi"}}}}
    resources = values(model(), {"small": {**L4, **own}})["workerGroups"]["small"]["resources"]
    assert resources["requests"] == {"cpu": 6, "memory": "24Gi", "ephemeral-storage": "5Gi"}


def test_a_cpu_pool_gives_each_replica_a_cpu_and_says_how_much_cache_it_has():
    found = values(model(billions=1), {"cpus": {"nodes": 1, "cpusPerNode": 2, "memoryPerNode": "16Gi"}})
    llm_config = found["models"]["m"]["llmConfig"]
    assert llm_config["placement_group_config"]["bundle_per_worker"] == {"CPU": 1, "cpus": 1}
    assert int(llm_config["runtime_env"]["env_vars"]["VLLM_CPU_KVCACHE_SPACE"]) >= 1
    assert found["workerGroups"]["cpus"]["rayResources"] == {"cpus": 2}


def test_the_faster_path_is_taken_where_the_ray_release_has_it():
    assert values(model(), {"small": L4})["serving"] == {"path": "throughput"}
    assert "serving" not in values(model(), {"small": L4}, ray="2.49.1")


@pytest.mark.parametrize(
    ("chart", "path"),
    [
        ({"serving": {"path": "standard"}}, "standard"),
        ({"serving": {"routing": "unified"}}, None),
        ({"serving": {"ingress": {"num_replicas": 2}}}, None),
        ({"pods": {"env": {"RAY_SERVE_ENABLE_HA_PROXY": "0"}}}, None),
        ({"serving": {"delivery": "inline"}}, "throughput"),
    ],
)
def test_who_asks_for_what_the_standard_path_alone_has_gets_that(chart: dict[str, Any], path: str | None):
    assert values(model(), {"small": L4}, chart=chart).get("serving", {}).get("path") == path
