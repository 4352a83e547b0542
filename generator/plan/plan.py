"""The decided answer for one environment: every model's and app's place, and whether the pools can hold the fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from generator.errors import UserError, UserErrors
from generator.facts.releases import RayRelease, release
from generator.formats.catalog import Catalog
from generator.formats.environment import Environment, Overrides, Replicas
from generator.plan.apps import AppPlan, app_places
from generator.plan.assignment import Assignment, assign
from generator.plan.check import plan_errors, plan_warnings
from generator.plan.occupancy import Pools
from generator.plan.packing import bins_in_any_order
from generator.plan.placement import Candidate, candidates
from generator.plan.plans import ModelPlan, Place, PoolPlan
from generator.plan.pools import Hardware, by_price, hardware
from generator.plan.replicas import expected_load
from generator.plan.requirements import Wish, make_wish, served

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
    warnings: list[str]

    def family(self, family: str) -> dict[str, ModelPlan]:
        return {model_id: model for model_id, model in self.models.items() if model.family == family}

    @property
    def is_priced(self) -> bool:
        """Whether places were compared by the environment's own prices, and not by memory."""
        return by_price(self.environment.pools)

    @property
    def families(self) -> list[str]:
        return list(self.environment.serve)


Choice = tuple[str, Overrides, Wish, list[Place]]
"""Of a model: its family, its overrides, what it asks, and the places where it can be, best first."""


def make_plan(name: str, environment: Environment, catalog: Catalog, *, where: str) -> Plan:
    """Place every model and app that the environment serves. All faults are raised at once, as UserErrors.

    Apps say where they go, so their replicas are there first; models are assigned to what costs the fewest GPUs.
    """
    ray = release(environment.ray, where=f"{where}: ray")
    pools = hardware(environment.pools, where=where)
    errors: list[UserError] = []
    choices: dict[str, Choice] = {}
    for family, model_id, overrides in served(environment, catalog, where=where, errors=errors):
        try:
            wish = make_wish(model_id, catalog, family, overrides, vllm=ray.vllm, where=where)
            found = candidates(wish, pools, ray, where=f"{where}: serve.{family}.{model_id}")
            choices[model_id] = (family, overrides, wish, _places(found, wish, overrides))
        except UserError as error:
            errors.append(error)
    app_hardware = app_places(environment, choices, pools, where=where, errors=errors)
    if errors:
        raise UserErrors(errors)

    load = _apps_load(environment, app_hardware, pools)
    places, assignment = _assigned(choices, load)
    for place in places.values():
        load.add(place.option)
    models = {model_id: _model_plan(model_id, choice, places[model_id], load) for model_id, choice in choices.items()}
    apps = {
        app_name: AppPlan(
            name=app_name,
            app=environment.apps[app_name],
            hardware=one,
            surge=_has_room(load, one.name, Counter({environment.apps[app_name].gpus * one.units: 1})),
        )
        for app_name, one in app_hardware.items()
    }
    plan = Plan(
        environment_name=name,
        environment=environment,
        release=ray,
        models=models,
        apps=apps,
        pools={pool: PoolPlan(hardware=one, shape=load.shape(pool)) for pool, one in pools.items()},
        assignment=assignment,
        warnings=[],
    )
    errors += plan_errors(plan.models.values(), apps.values(), plan.pools.values(), where=where)
    if errors:
        raise UserErrors(errors)
    plan.warnings.extend(plan_warnings(plan.models.values(), apps.values(), plan.pools.values()))
    return plan


def _apps_load(environment: Environment, hardware: Mapping[str, Hardware], pools: Mapping[str, Hardware]) -> Pools:
    """The pools with what the apps put on them."""
    least: dict[str, Counter[int]] = {pool: Counter() for pool in pools}
    peak: dict[str, Counter[int]] = {pool: Counter() for pool in pools}
    for name, one in hardware.items():
        app = environment.apps[name]
        least[one.name][app.gpus * one.units] += app.replicas.min
        peak[one.name][app.gpus * one.units] += app.replicas.max
    return Pools(hardware=pools, least=least, peak=peak)


def _model_plan(model_id: str, choice: Choice, place: Place, load: Pools) -> ModelPlan:
    family, overrides, wish, options = choice
    return ModelPlan(
        model_id=model_id,
        family=family,
        model=wish.model,
        source=overrides.source or wish.model.source,
        place=place.candidate,
        sequences=place.candidate.sequences,
        replicas=place.replicas,
        expected=wish.expect is not None,
        load=place.load,
        surge=_has_room(load, place.candidate.hardware.name, place.pieces),
        why=_why(wish, options, place),
        llm_config=overrides.llmConfig,
    )


def _places(found: list[Candidate], wish: Wish, overrides: Overrides) -> list[Place]:
    """The candidates with their replicas, best first; those too slow for what is asked only where all are."""
    places = []
    for candidate in found:
        load = expected_load(candidate, wish, wish.expect, candidate.sequences) if wish.expect else None
        replicas = overrides.replicas or (load.replicas if load else _usual_replicas(candidate))
        places.append(Place(candidate=candidate, replicas=replicas, load=load))
    in_time = [place for place in places if place.load is None or place.load.in_time]
    return sorted(in_time or places, key=lambda place: place.cost)  # stable: equal ones stay in the file's order


def _usual_replicas(place: Candidate) -> Replicas:
    """One, and as many as the pool would hold if it were the model's alone, up to a bound."""
    one = place.hardware
    pieces = one.slots_per_node * one.units // place.piece * one.pool.nodes
    return _one_to(max(1, min(DEFAULT_MOST_REPLICAS, pieces // place.split.pipeline)))


@cache
def _one_to(most: int) -> Replicas:
    return Replicas(min=1, max=most)


def _assigned(choices: dict[str, Choice], pools: Pools) -> tuple[dict[str, Place], Assignment]:
    """Every model's place. Over several nodes go only those that no single node holds, while there is room for that."""
    whole = {
        model_id: [place for place in places if not place.candidate.over_nodes] or places
        for model_id, (_, _, _, places) in choices.items()
    }
    everything = {model_id: places for model_id, (_, _, _, places) in choices.items()}
    for allowed in (whole, everything):
        assignment = assign({m: [place.option for place in places] for m, places in allowed.items()}, pools)
        chosen = {model_id: allowed[model_id][n] for model_id, n in assignment.chosen.items()}
        if assignment.has_room or allowed == everything:
            break
    return chosen, assignment


def _has_room(load: Pools, pool: str, more: Counter[int]) -> bool:
    """Whether these pieces find room beside the least replicas, in pods of the planned shape and in any order."""
    shape = load.shape(pool)
    return bins_in_any_order(load.least[pool] + more, shape.slots * load.hardware[pool].units) <= shape.most


def _why(wish: Wish, options: list[Place], place: Place) -> str:
    """Why a model is where it is: who decided, what the smaller and the cheaper places lack."""
    chosen = place.candidate
    pools = {one.candidate.hardware.name for one in options if one.candidate.over_nodes == chosen.over_nodes}
    if wish.pool:
        said = "the environment names the pool"
    elif len(pools) == 1:
        said = "the only pool that can hold it"
    elif place.cost <= options[0].cost:
        said = f"the fewest GPUs' worth of {len(pools)} pools that can hold it"
    else:
        said = (
            f"{options[0].candidate.hardware.name} would cost less for it alone, not for the fleet: it lacks the room"
        )
        said += ", or pods would stay half empty"
    if chosen.narrower and chosen.narrower.missing_gib:
        part = "a smaller share" if chosen.hardware.pool.share else "fewer GPUs"
        said += f"; {part} would lack {chosen.narrower.missing_gib:.1f} GiB"
    return said
