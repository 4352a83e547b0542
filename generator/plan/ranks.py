"""Data parallel ranks of one replica: who can have them, and for whom they would be better than stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from generator.errors import UserError
from generator.facts.releases import RayRelease
from generator.plan.placement import Search
from generator.plan.plans import ModelPlan, PlanWarning
from generator.plan.requirements import ModelRequirements
from generator.sizing.cache.specs import MlaSpec, PackedMlaSpec
from generator.sizing.weights.divisions import Split
from generator.sizing.weights.feed_forward import experts_of


def check_ranks(requirements: ModelRequirements, release: RayRelease, *, where: str) -> None:
    """Raise UserError where the model, its pools or the release have no data parallel ranks.

    A dense model: `vllm/engine/arg_utils.py:2219-2228` (0.29.0), which Ray's DPServer comes to by giving each its rank.
    """
    ranks = requirements.data_parallel
    if ranks == 1:
        return
    who = f"model '{requirements.name}' has data_parallel_size {ranks}"
    if not experts_of(requirements.sized.config):
        raise UserError(
            f"{who} and is no mixture of experts: vLLM runs ranks that divide experts among them, and no others",
            where=where,
            fix=f"Take data_parallel_size out, and say `replicas: {{min: {ranks}, …}}`: replicas share nothing.",
        )
    if not release.data_parallel:
        raise UserError(
            f"{who}, and Ray {release.ray} has no ranks that start and end together",
            where=where,
            fix="Take a later Ray release, or data_parallel_size out.",
        )
    if len(requirements.pools) > 1:
        raise UserError(
            f"{who} and names several pools, on two of which its ranks could come to lie",
            where=where,
            fix="Name one pool.",
        )


def rank_warnings(model: ModelPlan, requirements: ModelRequirements, release: RayRelease) -> Iterator[PlanWarning]:
    """Of a mixture in stages, whose latents every GPU of a stage repeats: that ranks would keep each once."""
    split, sized = model.placement.split, requirements.sized
    latents = any(isinstance(cache, (MlaSpec, PackedMlaSpec)) for cache in sized.caches.caches)
    if not (release.data_parallel and split.pipeline > 1 and latents and experts_of(sized.config)):
        return
    ranks = Split(data=split.gpus)
    engine = requirements.engine._replace(expert_parallel=True)
    instead = replace(requirements, data_parallel=ranks.data, engine=engine, half=None)
    if Search(instead, release).at(model.node_pool, ranks, 1.0).enough:
        yield model.warning(
            f"each of the {split.tensor} GPUs of a stage keeps the latents of all requests; ranks would keep those of "
            f"their own, and divide the experts: `llmConfig: {{engine_kwargs: {{data_parallel_size: {ranks.data}, "
            "enable_expert_parallel: true}}`"
        )
