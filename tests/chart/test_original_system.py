"""The environment `original` renders the system that this project began as, field by field.

That system: Ray 2.49.1 on KubeRay, one RayService of Falcon models, each at /inference/<model>, its LLMConfig in a
ConfigMap of the family, on one kind of small GPU. The figures are those of that system.
"""

from __future__ import annotations

import json

import pytest

from tests.chart.rendering import parse
from tests.support.paths import ROOT

DRAIN = {"graceful_shutdown_timeout_s": 600}
"""The chart's own, beside the original's words: the original cut off what was still being answered after 20 seconds."""
MODELS = ["falcon3-1b-instruct", "falcon3-3b-instruct", "falcon3-7b-instruct"]


@pytest.fixture
def original(render):
    return render([ROOT / "values" / "original" / "falcon3.yaml"], release="falcon3", namespace="ai")


def test_every_pod_runs_the_originals_image(original):
    assert original.cluster["rayVersion"] == "2.49.1"
    for name in original.templates:
        assert original.container(name)["image"] == "rayproject/ray-llm:2.49.1-py311-cu128"


def test_the_family_config_map_has_a_file_for_each_model_and_lies_where_it_lay(original):
    config_map = original.one("ConfigMap")
    assert config_map["metadata"]["name"] == "falcon3-family-config"
    assert sorted(config_map["data"]) == [f"{model}.yaml" for model in MODELS]
    for name in ("head", "small-model-workers"):
        mounts = {mount["mountPath"] for mount in original.container(name)["volumeMounts"]}
        assert "/home/ray/models/falcon3" in mounts


@pytest.mark.parametrize("model", MODELS)
def test_a_models_llm_config_is_the_originals(original, model):
    config = parse(original.one("ConfigMap")["data"][f"{model}.yaml"])
    # How many replicas there are was in the original's file too; Serve is told it beside the application now.
    (scaling,) = (one for one in original.applications[model]["deployments"] if one["name"] == f"LLMServer:{model}")
    assert config["model_loading_config"]["model_id"] == model
    assert config["resources_per_bundle"] == {"GPU": 1}
    assert "placement_group_config" not in config
    assert {**config["deployment_config"], **scaling} == {
        "name": f"LLMServer:{model}",
        "ray_actor_options": {"num_cpus": 6, "resources": {"small-model-workers": 1}},
        "autoscaling_config": {"min_replicas": 1, "max_replicas": 5, "target_ongoing_requests": 85},
        "max_ongoing_requests": 100,
        **DRAIN,
    }
    assert config["engine_kwargs"] == {
        "tensor_parallel_size": 1,
        "dtype": "float16",
        "gpu_memory_utilization": 0.9,
        "max_model_len": 8192,
        "enforce_eager": True,
        "max_num_seqs": 64,
        "max_num_batched_tokens": 8192,
    }


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_one_application_at_its_own_prefix(original, model):
    application = original.applications[model]
    assert application["import_path"] == "ray.serve.llm:build_openai_app"
    assert application["route_prefix"] == f"/inference/{model}"
    assert application["args"] == {"llm_configs": [f"/home/ray/models/falcon3/{model}.yaml"]}


@pytest.mark.parametrize("model", MODELS)
def test_the_router_of_a_model_is_small_and_off_the_gpu_pool(original, model):
    (router,) = (one for one in original.applications[model]["deployments"] if one["name"] == "LLMRouter")
    assert router == {
        "name": "LLMRouter",
        "ray_actor_options": {"num_cpus": 0.25, "resources": {"ingress-workers": 0.01}},
        "autoscaling_config": {"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 100},
        **DRAIN,
    }


def test_the_gpu_pool_is_a_worker_group_of_one_gpu_to_a_pod(original):
    group = original.groups["small-model-workers"]
    assert (group["minReplicas"], group["maxReplicas"]) == (0, 5)
    size = {"cpu": 8, "memory": "24Gi", "nvidia.com/gpu": 1}
    # The disk is asked for beside: the original's nodes had to have it too, and nothing looked.
    requests = size | {"ephemeral-storage": "24Gi"}
    assert original.container("small-model-workers")["resources"] == {"limits": size, "requests": requests}
    assert group["rayStartParams"].keys() == {"num-gpus", "resources"}
    assert group["rayStartParams"]["num-gpus"] == "1"
    assert json.loads(group["rayStartParams"]["resources"].strip("'")) == {"small-model-workers": 1}
