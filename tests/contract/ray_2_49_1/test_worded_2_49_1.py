"""What an environment's own words become is what Ray 2.49.1 and vLLM 0.10.0 take, and Ray has every router."""

from __future__ import annotations

import pytest
from ray.llm._internal.common.utils.cloud_utils import is_remote_path
from ray.serve.config import RequestRouterConfig
from ray.serve.llm import LLMConfig
from vllm.distributed.kv_transfer.kv_connector.factory import KVConnectorFactory
from vllm.engine.arg_utils import AsyncEngineArgs

from generator.facts.releases import releases
from tests.contract.worded import WORDS, routers, worded

RAY = "2.49.1"
CLOSED = {"networkPolicy": {"enabled": False}}
SERVED = ("adapters of a bucket", "KV offload by LMCache")


@pytest.mark.parametrize("name", SERVED)
def test_ray_and_vllm_take_what_the_words_become(name: str) -> None:
    config = worded(RAY, WORDS[name], chart=CLOSED)

    engine = LLMConfig.model_validate(config).get_engine_config()

    taken = AsyncEngineArgs(**engine.get_initialization_kwargs())
    for key, value in config["engine_kwargs"].items():
        if key != "kv_transfer_config":
            assert getattr(taken, key) == value, key
        else:
            assert value["kv_connector"] in KVConnectorFactory._registry


@pytest.mark.parametrize("name", routers(RAY))
def test_ray_has_the_class_of_a_router(name: str) -> None:
    deployment = LLMConfig.model_validate(worded(RAY, {"router": name}, chart=CLOSED)).deployment_config

    chosen = RequestRouterConfig(**deployment["request_router_config"]).get_request_router_class()

    assert chosen.__name__ == releases()[RAY].request_routers[name].replace(":", ".").rpartition(".")[2]


def test_rays_buckets_are_known() -> None:
    assert all(is_remote_path(f"{scheme}x") for scheme in releases()[RAY].bucket_schemes)
    assert not any(map(is_remote_path, ("azure://x", "abfss://x", "pyarrow-s3://x")))
