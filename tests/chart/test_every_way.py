"""A fleet that uses every way of serving goes all the way: catalog, plan, values, and one release for KubeRay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chart.rendering import Rendered, rendered_by_the_generator
from tests.support.every_way import MODELS, every_way
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
    assert len(MODELS) == 12
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
    assert engines["qwen2.5-7b-instruct"]["speculative_config"]["method"] == "ngram"
    routers = {
        name: file["deployment_config"]["request_router_config"]["request_router_class"].rpartition(".")[2]
        for name, file in files.items()
        if "request_router_config" in file["deployment_config"]
    }
    assert routers == {
        "falcon3-3b-instruct": "PrefixCacheAffinityRouter",
        "qwen2.5-7b-instruct": "ConsistentHashRouter",
    }
