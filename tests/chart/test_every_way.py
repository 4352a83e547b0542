"""A fleet that uses every way of serving goes all the way: catalog, plan, values, and one release for KubeRay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from generator.facts.releases import releases
from generator.formats.scaling import Scaling
from generator.formats.serving_words import KvOffload, RouterName
from tests.chart.rendering import Rendered, rendered_by_the_generator
from tests.support.every_way import FAMILIES, MODELS, every_way
from tests.support.whole_fleet import Fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return every_way(tmp_path_factory.mktemp("ways"))


@pytest.fixture(scope="module")
def release(fleet: Fleet, helm: str) -> Rendered:
    return rendered_by_the_generator(fleet.values)


def test_kuberay_takes_them_all_in_one_release(
    release: Rendered, schemas: dict[str, Path], kubeconform: Callable
) -> None:
    done = kubeconform(max(schemas), release.text)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(MODELS) == 14
    assert sorted(release.applications) == sorted(MODELS)


def test_each_way_is_built_as_ray_builds_it(release: Rendered) -> None:
    builders = {name: application["import_path"] for name, application in release.applications.items()}

    assert {name: path for name, path in builders.items() if path != "ray.serve.llm:build_openai_app"} == {
        "llama-3.2-1b-instruct": "ray.serve.llm:build_pd_openai_app",
        "gpt-oss-20b": "ray.serve.llm:build_dp_openai_app",
    }


def test_what_the_environment_says_in_its_words_is_in_rays_words(release: Rendered) -> None:
    files = {file["model_loading_config"]["model_id"]: file for file in release.files.values()}
    engines = {name: file["engine_kwargs"] for name, file in files.items()}

    assert engines["gpt-oss-20b"]["data_parallel_size"] == 4
    assert engines["qwen3-14b"]["pipeline_parallel_size"] == 2
    assert engines["qwen3-8b"].keys() >= {"enable_auto_tool_choice", "tool_call_parser", "reasoning_parser"}
    served = "tiiuae/Falcon3-1B-Instruct"
    assert [each["name"] for each in engines[served]["lora_modules"]] == [f"{served}:pirate", f"{served}:poet"]
    assert files["falcon3-3b-instruct"]["lora_config"]["dynamic_lora_loading_path"] == "s3://team-adapters/falcon3-3b"
    assert engines["falcon3-7b-instruct"]["kv_offloading_size"] == 32
    assert engines["qwen2.5-1.5b-instruct"]["kv_transfer_config"]["kv_connector"] == "LMCacheConnectorV1"
    assert engines["qwen2.5-7b-instruct"]["speculative_config"]["method"] == "ngram"
    assert engines["qwen2.5-3b-instruct"]["speculative_config"]["model"] == "Qwen/Qwen2.5-0.5B-Instruct"
    routers = {
        name: file["deployment_config"]["request_router_config"]["request_router_class"].rpartition(".")[2]
        for name, file in files.items()
        if "request_router_config" in file["deployment_config"]
    }
    assert routers == {
        "qwen3-14b": "RoundRobinRouter",
        "qwen2.5-7b-instruct": "ConsistentHashRouter",
        "qwen3-8b": "KVAwareRouter",
    }


def test_each_way_to_scale_is_told_serve(release: Rendered) -> None:
    told = {
        name: deployment["autoscaling_config"]["policy"]["policy_function"]
        for name, application in release.applications.items()
        for deployment in application.get("deployments", [])
        if "policy" in (deployment.get("autoscaling_config") or {})
    }

    assert told == {
        "bge-m3": "ray_serve_llm_schedule:Schedule",
        "bge-reranker-v2-m3": "ray.serve.autoscaling_policy:default_autoscaling_policy",
    }
    external = [name for name, one in release.applications.items() if one.get("external_scaler_enabled")]
    assert external == ["qwen2.5-vl-7b-instruct"]


def test_every_choice_of_an_environments_words_is_used() -> None:
    models = [entry or {} for family in FAMILIES.values() for entry in family["models"].values()]

    def said(word: str) -> list[Any]:
        return [entry[word] for entry in models if word in entry]

    of_path = releases()["2.60.0"].path_of_routers
    assert set(said("router")) == {each for each in get_args(RouterName) if of_path.get(each) != "standard"}
    assert {next(iter(scaling)) for scaling in said("scaling")} == set(Scaling.model_fields)
    backends = KvOffload.model_fields["backend"]
    assert {one.get("backend", backends.default) for one in said("kvOffload")} == set(get_args(backends.annotation))
    assert {"sources", "bucket"} <= {key for adapters in said("adapters") for key in adapters}
