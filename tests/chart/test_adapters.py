"""LoRA adapters and KV offload in hand-written values: what would fail at its first request is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import GROUP, MODEL, Render, model

RenderError = Callable[..., str]
THROUGHPUT = {"serving": {"path": "throughput"}}
MODULES = [{"name": f"{MODEL}:pirate", "path": "/adapters/pirate"}]
BUCKET = {"dynamic_lora_loading_path": "s3://team/adapters"}
SLOTS = {"enable_lora": True}


def served(**llm_config: Any) -> dict[str, Any]:
    return {"models": {MODEL: model(**llm_config)}}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (served(lora_config=BUCKET), "lora_config: the engine has no slots for adapters"),
        (served(engine_kwargs={"lora_modules": MODULES}) | THROUGHPUT, "lora_modules: the engine has no slots"),
        (served(engine_kwargs={"lora_modules": MODULES, **SLOTS}), "on the standard path no client reaches them"),
        (
            served(engine_kwargs={"lora_modules": [{"name": MODEL, "path": "/a"}], **SLOTS}) | THROUGHPUT,
            f'"{MODEL}" is the name of the model itself',
        ),
        (
            served(engine_kwargs={"lora_modules": MODULES * 2, **SLOTS}) | THROUGHPUT,
            "is the name of another adapter, so no request would reach it",
        ),
        (
            served(lora_config=BUCKET, engine_kwargs={"lora_modules": MODULES, **SLOTS}) | THROUGHPUT,
            "would be looked up in s3://team/adapters",
        ),
        (
            served(lora_config=BUCKET, engine_kwargs=SLOTS, runtime_env={"env_vars": {"AWS_REGION": "eu-central-1"}}),
            "env_vars.AWS_REGION: the ingress lists the bucket of lora_config too",
        ),
        (
            served(
                deployment_config={
                    "request_router_config": {"request_router_class": "ray.serve.llm.request_router.KVAwareRouter"}
                }
            ),
            "on the standard path nothing tells it of the engines' caches",
        ),
        (
            served(
                deployment_config={
                    "request_router_config": {
                        "request_router_class": "ray.serve.llm.request_router:PrefixCacheAffinityRouter"
                    }
                }
            )
            | THROUGHPUT,
            "so it would choose the same replica for all. Set serving.path to standard",
        ),
    ],
)
def test_adapters_that_no_request_would_reach(render_error: RenderError, values: dict[str, Any], told: str) -> None:
    message = render_error(values)

    assert told in message
    assert f"models.{MODEL}.llmConfig" in message


@pytest.mark.parametrize(
    "values",
    [
        served(engine_kwargs={"lora_modules": MODULES, **SLOTS}) | THROUGHPUT,
        served(lora_config=BUCKET, engine_kwargs=SLOTS, runtime_env={"env_vars": {"OTHER": "1"}}),
        served(lora_config=BUCKET, engine_kwargs=SLOTS, runtime_env={"env_vars": {"AWS_REGION": "x"}}) | THROUGHPUT,
        served(lora_config=BUCKET, engine_kwargs=SLOTS, runtime_env={"env_vars": {"AWS_REGION": "x"}})
        | {"ingressWorkers": {"env": {"AWS_REGION": "x"}}},
    ],
)
def test_adapters_that_are_served(render_with: Render, values: dict[str, Any]) -> None:
    assert render_with(values).one("RayService")


@pytest.mark.parametrize(
    ("gib", "group", "told"),
    [
        (21, {}, f"workerGroups.{GROUP} has 24Gi in a pod, of which a replica needs 4Gi for all else"),
        (20, {}, "20 GiB lie in /dev/shm, which has 10Gi"),
        (20, {"sharedMemory": "30Gi"}, ""),
        (21, {"resources": {"limits": {"memory": "64Gi"}}, "sharedMemory": "31Gi"}, ""),
    ],
)
def test_kv_offload_that_the_pod_does_not_hold(
    render_error: RenderError, render_with: Render, gib: int, group: dict[str, Any], told: str
) -> None:
    values = served(engine_kwargs={"kv_offloading_size": gib}) | {"workerGroups": {GROUP: group}}

    if not told:
        assert render_with(values).one("RayService")
    else:
        assert told in render_error(values)
