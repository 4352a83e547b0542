"""What Ray or vLLM refuse together of what catalog, environment and plan say of one engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from generator.documents.merge import merged
from generator.errors import UserError
from generator.facts.releases import RayRelease
from generator.formats.llm_config_rules import broken_rules
from generator.plan.halves import kv_transfer_config
from generator.plan.plans import ModelPlan


def llm_config_faults(models: Iterable[ModelPlan], release: RayRelease, *, where: str) -> Iterator[UserError]:
    """A file says a part of an LLMConfig, and each part alone may be right."""
    for model in models:
        config = model.llm_config
        if model.half:
            config = merged({"engine_kwargs": {"kv_transfer_config": kv_transfer_config(model)}}, config)
        hardware = "gpu" if model.node_pool.gpu else "cpu"
        for fault in broken_rules(config, release.ray, whole=True, hardware=hardware):
            place = f"{where}: serve.{model.family}.{model.model_id}"
            yield UserError(f"model '{model.name}': {fault.what}", where=place, fix=fault.fix)
