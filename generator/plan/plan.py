"""The decided answer for one environment: every model's and app's place, and whether the pools can hold the fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from generator.errors import Faults
from generator.facts.releases import RayRelease, release
from generator.formats.catalog import Catalog
from generator.formats.environment import AppService, Environment, Replicas
from generator.plan.added_containers import container_warnings
from generator.plan.apps import AppPlan, app_pools
from generator.plan.assignment import Assignment, assign
from generator.plan.check import access_warnings, name_faults, plan_faults, plan_warnings, token_warnings
from generator.plan.choices import Choice, choice_of, why
from generator.plan.downloads import Download
from generator.plan.frontend import frontend_faults
from generator.plan.halves import check_half, halves_faults, halves_warnings
from generator.plan.images import image_faults, image_warnings
from generator.plan.llm_configs import llm_config_faults
from generator.plan.node_disk import most_at_once
from generator.plan.occupancy import Occupancy, Option
from generator.plan.packing import bins_in_any_order
from generator.plan.plans import Home, ModelPlan, PlanWarning, PoolPlan, PricedPlacement
from generator.plan.pod_security import pod_security_warnings
from generator.plan.pools import NodePool, by_price, node_pools
from generator.plan.ranks import check_ranks, rank_warnings
from generator.plan.replicas import requests_at_once, usual_tokens
from generator.plan.requirements import check_release, named, requirements_of, served
from generator.plan.scaling import check_scaling
from generator.plan.serving_path import standard_because
from generator.plan.spread import priorities, spread
from generator.plan.transfer_ports import port_faults
from generator.plan.words import in_rays_words


@dataclass(frozen=True, kw_only=True)
class Plan:
    environment_name: str
    environment: Environment
    release: RayRelease
    models: dict[str, ModelPlan]
    """By model id; the halves of a model that is served in two have names of their own (`ModelPlan.name`)."""
    apps: dict[str, AppPlan]
    pools: dict[str, PoolPlan]
    assignment: Assignment
    warnings: tuple[PlanWarning, ...]

    def family(self, family: str) -> dict[str, list[ModelPlan]]:
        """By model id its plan, or those of prefill and decode."""
        return {model_id: plans for model_id, plans in self.by_id.items() if plans[0].family == family}

    @property
    def by_id(self) -> dict[str, list[ModelPlan]]:
        """By model id its plan, or those of prefill and decode."""
        plans: dict[str, list[ModelPlan]] = {}
        for model in self.models.values():
            plans.setdefault(model.model_id, []).append(model)
        return plans

    @property
    def is_priced(self) -> bool:
        """Whether places were compared by the environment's own prices, and not by memory."""
        return by_price(self.environment.pools)

    @property
    def families(self) -> list[str]:
        return list(self.environment.serve)


def make_plan(name: str, environment: Environment, catalog: Catalog, *, where: str) -> Plan:
    """Place every model and app that the environment serves. All faults are raised at once, as UserErrors.

    Apps say where they go, so their replicas are there first; models are assigned to what costs the fewest GPUs.
    """
    ray = release(environment.ray, vllm=environment.vllm, where=f"{where}: ray")
    pools = node_pools(environment.pools, chart=environment.chart, where=where)
    standard = standard_because(environment.chart, ray)
    faults = Faults()
    for fault in image_faults(environment, pools, ray, where=where):
        faults.add(fault)
    choices: dict[str, Choice] = {}
    for asked in served(environment, catalog, where=where, faults=faults):
        with faults.gathered():
            place = f"{where}: serve.{asked.family}.{asked.model_id}"
            stated = catalog.families[asked.family].models[asked.model_id]
            file = catalog.files.get(asked.family)
            check_release(asked.model_id, stated, ray, file=str(file or f"family {asked.family}"), where=place)
            words = in_rays_words(asked.served_name, asked.overrides, ray, standard=standard, where=place)
            asked = asked.over(words)
            requirements = requirements_of(asked, catalog, vllm=ray.vllm, where=where)
            check_half(requirements, ray, where=place)
            check_ranks(requirements, ray, where=place)
            faults.add(*frontend_faults(asked.model_id, asked.overrides.llmConfig, ray, standard=standard, where=place))
            check_scaling(asked, ray, where=place)
            choices[asked.name] = choice_of(asked, requirements, pools, ray, where=place)
    ids = {choice.requirements.model_id for choice in choices.values()}
    pool_by_app = app_pools(environment, ids, pools, where=where, faults=faults)
    lists = {name: choice.requirements.pools for name, choice in choices.items() if choice.is_spread}
    with faults.gathered():
        ranks = priorities(lists, where=where)
    faults.raise_any()

    occupancy = _with_apps(environment, pool_by_app, pools)
    homes = _spread(choices, occupancy)
    chosen, assignment = _assigned({name: choice for name, choice in choices.items() if name not in homes}, occupancy)
    for model, option in chosen.items():
        occupancy.add(option.option)
        homes[model] = (option.home,)
    models = {
        model: _model_plan(choice, [chosen[model]] if model in chosen else choice.options, homes[model], occupancy)
        for model, choice in choices.items()
    }
    apps = {app: _app_plan(app, environment.apps[app], pool, occupancy) for app, pool in pool_by_app.items()}
    pool_plans = {
        name: _pool_plan(node_pool, models.values(), occupancy, lists=set(lists.values()), priority=ranks.get(name))
        for name, node_pool in pools.items()
    }
    faults.add(*name_faults(models.values(), environment.chart, ray, where=where))
    faults.add(*llm_config_faults(models.values(), ray, where=where))
    faults.add(*plan_faults(models.values(), apps.values(), pool_plans.values(), where=where))
    halves = _halves(models)
    for pair in halves:
        faults.add(*halves_faults(pair, choices[pair[0].name].requirements.sized, where=where))
    faults.add(*port_faults(halves, pool_plans, where=where))
    faults.raise_any()
    return Plan(
        environment_name=name,
        environment=environment,
        release=ray,
        models=models,
        apps=apps,
        pools=pool_plans,
        assignment=assignment,
        warnings=(
            *access_warnings(name, environment.chart, ray),
            *pod_security_warnings(name, environment),
            *container_warnings(pool_plans.values(), environment.chart),
            *image_warnings(name, environment, ray),
            *token_warnings(models.values(), environment.chart),
            *(
                warning
                for name, model in models.items()
                for warning in rank_warnings(model, choices[name].requirements, ray)
            ),
            *plan_warnings(models.values(), apps.values(), pool_plans, ray, chart=environment.chart),
            *(warning for pair in halves for warning in halves_warnings(pair, environment)),
        ),
    )


def _halves(models: Mapping[str, ModelPlan]) -> list[tuple[ModelPlan, ModelPlan]]:
    """Prefill and decode of each model that has them."""
    return [(half, models[named(half.model_id, "decode")]) for half in models.values() if half.half == "prefill"]


def _with_apps(
    environment: Environment, pool_by_app: Mapping[str, NodePool], pools: Mapping[str, NodePool]
) -> Occupancy:
    """The pools with what the apps put on them."""
    minimum: dict[str, Counter[int]] = {pool: Counter() for pool in pools}
    peak: dict[str, Counter[int]] = {pool: Counter() for pool in pools}
    for name, node_pool in pool_by_app.items():
        app = environment.apps[name]
        minimum[node_pool.name][app.gpus * node_pool.units] += app.replicas.min
        peak[node_pool.name][app.gpus * node_pool.units] += app.replicas.max
    return Occupancy(node_pools=pools, minimum=minimum, peak=peak)


def _spread(choices: Mapping[str, Choice], occupancy: Occupancy) -> dict[str, tuple[Home, ...]]:
    """Of the models that name several pools, what of them is where. It is added to `occupancy`, the widest first.

    People have said the order, so nothing is left to choose; where one pool alone can be had, that comes before.
    """
    load = occupancy.copy()
    for choice in choices.values():
        if choice.is_pinned:
            load.add(choice.options[0].option)
    homes = {}
    for model_id, choice in sorted(choices.items(), key=lambda item: -item[1].options[0].placement.piece):
        if choice.is_spread:
            everywhere = [option.home for option in choice.options]
            one = [Option(home.node_pool.name, home.piece, home.pieces, home.pieces) for home in everywhere]
            first = choice.options[0]
            placed = spread(one, Replicas(min=first.least, max=first.replicas.max), load)
            for option in placed:
                load.add(option)
                occupancy.add(option)
            homes[model_id] = tuple(
                home._replace(least=option.minimum // home.pieces, most=option.peak // home.pieces)
                for home, option in zip(everywhere, placed, strict=True)
            )
    return homes


def _app_plan(name: str, app: AppService, node_pool: NodePool, occupancy: Occupancy) -> AppPlan:
    surge = _has_room(occupancy, node_pool.name, Counter({app.gpus * node_pool.units: 1}))
    return AppPlan(name=name, app=app, node_pool=node_pool, surge=surge)


def _pool_plan(
    node_pool: NodePool,
    models: Iterable[ModelPlan],
    occupancy: Occupancy,
    *,
    lists: Iterable[tuple[str, ...]],
    priority: int | None,
) -> PoolPlan:
    shape = occupancy.shape(node_pool.name)
    pieces: dict[frozenset[Download], int] = {}
    units, shared = shape.slots * node_pool.units, 0.0
    for model in models:
        for home in model.homes:
            if home.node_pool.name != node_pool.name:
                continue
            shared = max(shared, model.host.shared_gib * (units // home.piece))
            if model.downloads:
                pieces[model.downloads] = min(home.piece, pieces.get(model.downloads, home.piece))
    return PoolPlan(
        node_pool=node_pool,
        shape=shape,
        shared_by=tuple(sorted(names for names in lists if node_pool.name in names)),
        priority=priority,
        shared_gib=shared,
        files_at_once=most_at_once(pieces, units),
        files_in_time=sum(one.bytes for one in frozenset[Download]().union(*pieces)),
    )


def _model_plan(
    choice: Choice,
    chosen: Sequence[PricedPlacement],
    homes: tuple[Home, ...],
    occupancy: Occupancy,
) -> ModelPlan:
    requirements, overrides = choice.requirements, choice.overrides
    first, pools = chosen[0], [home.node_pool for home in homes]
    return ModelPlan(
        model_id=requirements.model_id,
        half=requirements.half,
        family=choice.family,
        model=requirements.model,
        source=overrides.source or requirements.model.source,
        served_name=overrides.servedModelName or requirements.model_id,
        placements=tuple(option.placement for option in chosen),
        homes=homes,
        sequences=first.placement.sequences,
        at_once=min(requests_at_once(option.placement, requirements) for option in chosen),
        usual_tokens=ceil(usual_tokens(requirements)),
        replicas=first.replicas,
        expected=requirements.expect is not None,
        load=first.load,
        surge=any(_has_room(occupancy, home.node_pool.name, home.taken(1)) for home in homes),
        why=why(choice, first),
        llm_config=overrides.llmConfig,
        scaling=overrides.scaling,
        host=requirements.host,
        downloads=frozenset[Download]().union(*(pool.disk.held(requirements.downloads) for pool in pools)),
    )


def _assigned(choices: dict[str, Choice], occupancy: Occupancy) -> tuple[dict[str, PricedPlacement], Assignment]:
    """Every model's place. Over several nodes go only those that no single node holds, while there is room for that."""
    whole = {
        model_id: [option for option in choice.options if not option.placement.over_nodes] or choice.options
        for model_id, choice in choices.items()
    }
    everything = {model_id: choice.options for model_id, choice in choices.items()}
    for allowed in (whole, everything):
        assignment = assign({model_id: [o.option for o in options] for model_id, options in allowed.items()}, occupancy)
        chosen = {model_id: allowed[model_id][number] for model_id, number in assignment.chosen.items()}
        if assignment.has_room or allowed == everything:
            break
    return chosen, assignment


def _has_room(occupancy: Occupancy, pool: str, more: Counter[int]) -> bool:
    """Whether these pieces find room beside the minimum replicas, in pods of the planned shape and in any order."""
    shape = occupancy.shape(pool)
    return (
        bins_in_any_order(occupancy.minimum[pool] + more, shape.slots * occupancy.node_pools[pool].units)
        <= shape.workers_max
    )
