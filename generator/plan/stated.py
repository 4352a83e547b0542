"""What the plan refuses of an environment whatever its models take: pools, their images, and words of models."""

from __future__ import annotations

from generator.errors import Faults
from generator.facts.releases import release
from generator.formats.catalog import Catalog
from generator.formats.environment import Environment
from generator.plan.frontend import frontend_faults
from generator.plan.images import image_faults
from generator.plan.pools import node_pools
from generator.plan.requirements import served
from generator.plan.serving_path import standard_because
from generator.plan.words import in_rays_words


def check_stated(environment: Environment, catalog: Catalog | None, *, where: str) -> None:
    """Raise UserErrors for it. Without a catalog nothing is known of which models there are, and their words wait."""
    ray = release(environment.ray, vllm=environment.vllm, where=f"{where}: ray")
    standard = standard_because(environment.chart, ray)
    faults = Faults()
    with faults.gathered():
        pools = node_pools(environment.pools, chart=environment.chart, where=where)
        faults.add(*image_faults(environment, pools, ray, where=where))
    for asked in served(environment, catalog, where=where, faults=faults) if catalog else ():
        with faults.gathered():
            place = f"{where}: serve.{asked.family}.{asked.model_id}"
            words = in_rays_words(asked.served_name, asked.overrides, ray, standard=standard, where=place)
            stated = asked.over(words).overrides.llmConfig
            faults.add(*frontend_faults(asked.model_id, stated, ray, standard=standard, where=place))
    faults.raise_any()
