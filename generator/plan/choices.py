"""What a model can have: its places with the replicas that it would have there, and why it is where it came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from generator.errors import UserError
from generator.facts.releases import RayRelease
from generator.formats.environment import ModelService, Overrides, Replicas
from generator.plan.placement import Placement, placements
from generator.plan.plans import PricedPlacement, replicas_on
from generator.plan.pools import NodePool
from generator.plan.replicas import ExpectedLoad, expected_load
from generator.plan.requirements import Asked, ModelRequirements
from generator.plan.scaling import scheduled
from generator.plan.several_pools import on_all

# The most replicas of a model that says nothing of replicas, where its pool has room for them.
DEFAULT_MOST_REPLICAS = 5


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Of one model: what is asked, and the places that it can have."""

    family: str
    overrides: ModelService
    requirements: ModelRequirements
    options: list[PricedPlacement]
    """One of these, the best first; or, of a model that names several pools, all of these, in order of wish."""
    full: list[str]
    """Pools whose nodes have too small a disk for its files."""

    @property
    def is_spread(self) -> bool:
        """Whether it names several pools."""
        return len(self.requirements.pools) > 1

    @property
    def is_pinned(self) -> bool:
        """Whether there is one pool for it."""
        return not self.is_spread and len({option.option.pool for option in self.options}) == 1


def choice_of(
    asked: Asked,
    requirements: ModelRequirements,
    pools: Mapping[str, NodePool],
    release: RayRelease,
    *,
    where: str,
) -> Choice:
    """What the model can have. Raises UserError where that is nothing."""
    overrides = asked.overrides
    for name in requirements.pools:
        if name not in pools:
            raise UserError.unknown("pool", name, pools, where=where)
    if len(requirements.pools) > 1:
        named = [pools[name] for name in requirements.pools]
        ways = [_on_each(way, requirements, overrides) for way in on_all(requirements, named, release, where=where)]
        options = next((way for way in ways if _in_time(way[0])), ways[0])
    else:
        options = _priced(placements(requirements, pools, release, where=where), requirements, overrides)
    return Choice(
        family=asked.family,
        overrides=overrides,
        requirements=requirements,
        options=options,
        full=[name for name, pool in pools.items() if pool.disk.refusal(requirements.downloads)],
    )


def _priced(possible: list[Placement], requirements: ModelRequirements, overrides: Overrides) -> list[PricedPlacement]:
    """The placements with their replicas, best first; those too slow for what is asked only where all are."""
    options = []
    for placement in possible:
        load = _load(placement, requirements)
        replicas = overrides.replicas or (load.replicas if load else _usual_replicas([placement]))
        options.append(PricedPlacement(placement, replicas, load, scheduled(overrides, replicas)))
    in_time = [option for option in options if _in_time(option)]
    return sorted(in_time or options, key=lambda option: option.cost)  # stable: equal ones stay in the file's order


def _on_each(way: Sequence[Placement], requirements: ModelRequirements, overrides: Overrides) -> list[PricedPlacement]:
    """The same replicas for every pool: as many as the load takes where it takes the most."""
    loads = [load for placement in way if (load := _load(placement, requirements))]
    load = min(loads, key=lambda load: load.planned_per_second) if len(loads) == len(way) else None
    replicas = overrides.replicas or (load.replicas if load else _usual_replicas(way))
    asked = scheduled(overrides, replicas)
    return [PricedPlacement(placement, replicas, load, asked) for placement in way]


def _load(placement: Placement, requirements: ModelRequirements) -> ExpectedLoad | None:
    if not requirements.expect:
        return None
    return expected_load(placement, requirements, requirements.expect, placement.sequences)


def _in_time(option: PricedPlacement) -> bool:
    return option.load is None or option.load.in_time


def _usual_replicas(places: Sequence[Placement]) -> Replicas:
    """One, and as many as the pools would hold if they were the model's alone, up to a bound."""
    room = sum(replicas_on(place.node_pool, place.piece, place.pieces) for place in places)
    return _one_to(max(1, min(DEFAULT_MOST_REPLICAS, room)))


@cache
def _one_to(most: int) -> Replicas:
    return Replicas(min=1, max=most)


def why(choice: Choice, chosen: PricedPlacement) -> str:
    """Why a model is where it is: who decided, what the smaller and the cheaper places lack."""
    placement, cheapest = chosen.placement, choice.options[0]
    pools = {
        option.placement.node_pool.name
        for option in choice.options
        if option.placement.over_nodes == placement.over_nodes
    }
    if choice.is_spread:
        reason = "the environment names the pools, in order of wish"
    elif choice.requirements.pools:
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
    if choice.full and not choice.requirements.pools:
        reason += f"; its files are too large for the disks of {', '.join(choice.full)}"
    if placement.narrower and placement.narrower.missing_gib:
        part = "a smaller share" if placement.node_pool.pool.share else "fewer GPUs"
        reason += f"; {part} would lack {placement.narrower.missing_gib:.1f} GiB"
    return reason
