"""What an environment's own words become is what Ray 2.60.0 and vLLM 0.29.0 take, and Ray has every router."""

from __future__ import annotations

import dataclasses

import pytest
from ray.llm._internal.common.utils.cloud_utils import is_remote_path
from ray.serve.config import RequestRouterConfig
from ray.serve.llm import LLMConfig
from vllm.distributed.kv_transfer.kv_connector.factory import KVConnectorFactory
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import FrontendArgs

from generator.facts.releases import releases
from tests.contract.worded import WORDS, routers, worded

RAY = "2.60.0"


@pytest.mark.parametrize("name", WORDS)
def test_ray_and_vllm_take_what_the_words_become(name: str) -> None:
    config = worded(RAY, WORDS[name])

    engine = LLMConfig.model_validate(config).get_engine_config()

    taken = AsyncEngineArgs(**engine.get_initialization_kwargs())
    frontend = FrontendArgs(**engine.frontend_kwargs)
    for key, value in config["engine_kwargs"].items():
        argument = getattr(frontend if key in engine.frontend_kwargs else taken, key)
        if key == "lora_modules":
            assert [
                {name: getattr(each, name) for name in stated} for each, stated in zip(argument, value, strict=True)
            ] == value
        elif not dataclasses.is_dataclass(argument):
            assert argument == value, key
    if connector := config["engine_kwargs"].get("kv_transfer_config"):
        assert connector["kv_connector"] in KVConnectorFactory._registry


@pytest.mark.parametrize("name", routers(RAY))
def test_ray_has_the_class_of_a_router(name: str) -> None:
    path = releases()[RAY].path_of_routers.get(name, "throughput")
    config = worded(RAY, {"router": name}, chart={"serving": {"path": path}})
    deployment = LLMConfig.model_validate(config).deployment_config

    chosen = RequestRouterConfig(**deployment["request_router_config"]).get_request_router_class()

    assert chosen.__name__ == releases()[RAY].request_routers[name].replace(":", ".").rpartition(".")[2]


def test_rays_buckets_are_known() -> None:
    assert all(is_remote_path(f"{scheme}x") for scheme in releases()[RAY].bucket_schemes)
    assert not any(map(is_remote_path, ("/mnt/adapters", "https://x", "org/name", "hf://x")))
