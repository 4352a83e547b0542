"""LLMConfigs that come of an environment's own words: adapters, routers, KV offload."""

from __future__ import annotations

from typing import Any

from generator.facts.releases import releases
from generator.plan.plan import make_plan
from generator.values import family_values
from tests.support.builders import catalog, environment, model

POOL = {"big": {"gpu": "H100-80GB", "nodes": 1, "memoryPerNode": "200Gi"}}
WORDS: dict[str, dict[str, Any]] = {
    "adapters of a volume": {"adapters": {"sources": {"pirate": "/adapters/pirate"}, "maxRank": 20}},
    "adapters of a bucket": {"adapters": {"bucket": "s3://team/adapters"}},
    "native KV offload": {"kvOffload": {"memory": "64Gi"}},
    "KV offload by LMCache": {"kvOffload": {"memory": "64Gi", "backend": "lmcache"}},
}


def worded(ray: str, words: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The LLMConfig of a model of which the environment says `words`, with the id that the chart gives it."""
    stated = environment(POOL, ray=ray, serve={"family": {"models": {"m": words}}}, **fields)
    plan = make_plan("test", stated, catalog(family={"m": model()}), where="environments/test.yaml")
    config: dict[str, Any] = family_values(plan, "family")["models"]["m"]["llmConfig"]
    return {**config, "model_loading_config": {**config["model_loading_config"], "model_id": "m"}}


def routers(ray: str) -> list[str]:
    return list(releases()[ray].request_routers)
