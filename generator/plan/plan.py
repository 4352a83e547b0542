"""The decided answer for one environment: every model's and app's place, and whether the pools can hold the fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from generator.errors import Faults
from generator.facts.releases import RayRelease, release
from generator.formats.catalog import Catalog
from generator.formats.environment import AppService, Environment, Overrides, Replicas
from generator.plan.apps import AppPlan, app_pools
from generator.plan.assignment import Assignment, assign
from generator.plan.check import access_warnings, plan_faults, plan_warnings
from generator.plan.downloads import Download
from generator.plan.node_disk import most_at_once
from generator.plan.occupancy import Occupancy
from generator.plan.packing import bins_in_any_order
from generator.plan.placement import Placement, placements
from generator.plan.plans import ModelPlan, PlanWarning, PoolPlan, PricedPlacement
from generator.plan.pools import NodePool, by_price, node_pools
from generator.plan.replicas import expected_load
from generator.plan.requirements import ModelRequirements, check_release, requirements_of, served

# The most replicas of a model that says nothing of replicas, where its pool has room for them.
DEFAULT_MOST_REPLICAS = 5


@dataclass(frozen=True, kw_only=True)
class Plan:
    environment_name: str
    environment: Environment
    release: RayRelease
    models: dict[str, ModelPlan]
    apps: dict[str, AppPlan]
    pools: dict[str, PoolPlan]
    assignment: Assignment
    warnings: tuple[PlanWarning, ...]

    def family(self, family: str) -> dict[str, ModelPlan]:
        return {model_id: model for model_id, model in self.models.items() if model.family == family}

    @property
    def is_priced(self) -> bool:
        """Whether places were compared by the environment's own prices, and not by memory."""
        return by_price(self.environment.pools)

    @property
    def families(self) -> list[str]:
        return list(self.environment.serve)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Of one model: what is asked, and the placements that it can have, best first."""

    family: str
    overrides: Overrides
    requirements: ModelRequirements
    options: list[PricedPlacement]
    full: list[str]
    """Pools whose nodes have too small a disk for its files."""


def make_plan(name: str, environment: Environment, catalog: Catalog, *, where: str) -> Plan:
    """Place every model and app that the environment serves. All faults are raised at once, as UserErrors.

    Apps say where they go, so their replicas are there first; models are assigned to what costs the fewest GPUs.
    """
    ray = release(environment.ray, where=f"{where}: ray")
    pools = node_pools(environment.pools, chart=environment.chart, where=where)
    faults = Faults()
    choices: dict[str, Choice] = {}
    for family, model_id, overrides in served(environment, catalog, where=where, faults=faults):
        with faults.gathered():
            place = f"{where}: serve.{family}.{model_id}"
            stated = catalog.families[family].models[model_id]
            file = catalog.files.get(family)
            check_release(model_id, stated, ray, file=str(file or f"family {family}"), where=place)
            requirements = requirements_of(model_id, catalog, family, overrides, vllm=ray.vllm, where=where)
            possible = placements(requirements, pools, ray, where=place)
            choices[model_id] = Choice(
                family=family,
                overrides=overrides,
                requirements=requirements,
                options=_priced(possible, requirements, overrides),
                full=[name for name, pool in pools.items() if pool.disk.refusal(requirements.downloads)],
            )
    pool_by_app = app_pools(environment, choices, pools, where=where, faults=faults)
    faults.raise_any()

    occupancy = _with_apps(environment, pool_by_app, pools)
    chosen, assignment = _assigned(choices, occupancy)
    for placement in chosen.values():
        occupancy.add(placement.option)
    models = {
        model_id: _model_plan(model_id, choice, chosen[model_id], occupancy) for model_id, choice in choices.items()
    }
    apps = {app: _app_plan(app, environment.apps[app], pool, occupancy) for app, pool in pool_by_app.items()}
    pool_plans = {name: _pool_plan(node_pool, models.values(), occupancy) for name, node_pool in pools.items()}
    faults.add(*plan_faults(models.values(), apps.values(), pool_plans.values(), where=where))
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
            *plan_warnings(models.values(), apps.values(), pool_plans.values()),
        ),
    )


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


def _app_plan(name: str, app: AppService, node_pool: NodePool, occupancy: Occupancy) -> AppPlan:
    surge = _has_room(occupancy, node_pool.name, Counter({app.gpus * node_pool.units: 1}))
    return AppPlan(name=name, app=app, node_pool=node_pool, surge=surge)


def _pool_plan(node_pool: NodePool, models: Iterable[ModelPlan], occupancy: Occupancy) -> PoolPlan:
    shape = occupancy.shape(node_pool.name)
    pieces: dict[frozenset[Download], int] = {}
    for model in models:
        if model.node_pool.name == node_pool.name and model.downloads:
            piece = model.placement.piece
            pieces[model.downloads] = min(piece, pieces.get(model.downloads, piece))
    return PoolPlan(
        node_pool=node_pool,
        shape=shape,
        files_at_once=most_at_once(pieces, shape.slots * node_pool.units),
        files_in_time=sum(one.bytes for one in frozenset[Download]().union(*pieces)),
    )


def _model_plan(model_id: str, choice: Choice, chosen: PricedPlacement, occupancy: Occupancy) -> ModelPlan:
    requirements, overrides, placement = choice.requirements, choice.overrides, chosen.placement
    return ModelPlan(
        model_id=model_id,
        family=choice.family,
        model=requirements.model,
        source=overrides.source or requirements.model.source,
        placement=placement,
        sequences=placement.sequences,
        replicas=chosen.replicas,
        expected=requirements.expect is not None,
        load=chosen.load,
        surge=_has_room(occupancy, placement.node_pool.name, chosen.pieces),
        why=_why(choice, chosen),
        llm_config=overrides.llmConfig,
        downloads=placement.node_pool.disk.held(requirements.downloads),
    )


def _priced(possible: list[Placement], requirements: ModelRequirements, overrides: Overrides) -> list[PricedPlacement]:
    """The placements with their replicas, best first; those too slow for what is asked only where all are."""
    options = []
    for placement in possible:
        load = None
        if requirements.expect:
            load = expected_load(placement, requirements, requirements.expect, placement.sequences)
        replicas = overrides.replicas or (load.replicas if load else _usual_replicas(placement))
        options.append(PricedPlacement(placement=placement, replicas=replicas, load=load))
    in_time = [option for option in options if option.load is None or option.load.in_time]
    return sorted(in_time or options, key=lambda option: option.cost)  # stable: equal ones stay in the file's order


def _usual_replicas(placement: Placement) -> Replicas:
    """One, and as many as the pool would hold if it were the model's alone, up to a bound."""
    node_pool = placement.node_pool
    pieces = node_pool.slots_per_node * node_pool.units // placement.piece * node_pool.pool.nodes
    return _one_to(max(1, min(DEFAULT_MOST_REPLICAS, pieces // placement.split.pipeline)))


@cache
def _one_to(most: int) -> Replicas:
    return Replicas(min=1, max=most)


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


def _why(choice: Choice, chosen: PricedPlacement) -> str:
    """Why a model is where it is: who decided, what the smaller and the cheaper places lack."""
    placement, cheapest = chosen.placement, choice.options[0]
    pools = {
        option.placement.node_pool.name
        for option in choice.options
        if option.placement.over_nodes == placement.over_nodes
    }
    if choice.requirements.pool:
        reason = "the environment names the pool"
    elif len(pools) == 1:
        reason = "the only pool that can hold it"
    elif chosen.cost <= cheapest.cost:
        reason = f"the fewest GPUs' worth of {len(pools)} pools that can hold it"
    else:
        reason = (
            f"{cheapest.placement.node_pool.name} would cost less for it alone, not for the fleet: it lacks the room"
        )
        reason += ", or pods would stay half empty"
    if choice.full and not choice.requirements.pool:
        reason += f"; its files are too large for the disks of {', '.join(choice.full)}"
    if placement.narrower and placement.narrower.missing_gib:
        part = "a smaller share" if placement.node_pool.pool.share else "fewer GPUs"
        reason += f"; {part} would lack {placement.narrower.missing_gib:.1f} GiB"
    return reason
