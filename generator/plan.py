"""The decided answer for one environment: every model's place, and whether the pools can hold the fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .catalog import Catalog, CatalogModel
from .contract import JsonObject, merged
from .environment import Environment, FamilyService, Overrides, Replicas
from .errors import UserError, UserErrors
from .facts import RayRelease, release
from .placement import Candidate, Hardware, Wish, candidates, hardware

# The most replicas of a model that says nothing of replicas, where its pool has room for them.
DEFAULT_MOST_REPLICAS = 5


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """One model's place, arguments and replicas."""

    model_id: str
    family: str
    model: CatalogModel
    source: str
    place: Candidate
    sequences: int
    """max_num_seqs: what users need, or fewer where the cache cannot hold a block for each."""
    replicas: Replicas
    surge: bool
    """Whether the pool has room for one more replica while an update rolls."""
    llm_config: JsonObject
    """The environment's own words, merged last."""

    @property
    def gpus(self) -> int:
        return self.place.split.gpus


@dataclass(frozen=True, kw_only=True)
class PoolPlan:
    """One pool as a worker group: the shape of its pods, and what the fleet asks of it."""

    hardware: Hardware
    slots_per_worker: int
    """GPUs (on a CPU pool: replicas) of one worker pod."""
    most_workers: int
    least_workers: int
    """Pods that the smallest number of replicas takes."""
    peak_workers: int
    """Pods that all replicas at once would take; may be more than there are."""

    @property
    def name(self) -> str:
        return self.hardware.name


@dataclass(frozen=True, kw_only=True)
class Plan:
    environment_name: str
    environment: Environment
    release: RayRelease
    models: dict[str, ModelPlan]
    pools: dict[str, PoolPlan]
    warnings: list[str]

    def family(self, family: str) -> dict[str, ModelPlan]:
        return {model_id: model for model_id, model in self.models.items() if model.family == family}

    @property
    def families(self) -> list[str]:
        return list(self.environment.serve)


def make_plan(name: str, environment: Environment, catalog: Catalog, *, where: str) -> Plan:
    """Place every model that the environment serves. All faults are raised at once, as UserErrors.

    Models with the most GPUs choose first; each takes its best pool that still has room for its least replicas.
    """
    ray = release(environment.ray, where=f"{where}: ray")
    pools = hardware(environment.pools, where=where)
    errors: list[UserError] = []
    choices: dict[str, tuple[str, Overrides, Wish, list[Candidate]]] = {}
    for family, model_id, overrides in _served(environment, catalog, where=where, errors=errors):
        try:
            wish = _wish(model_id, catalog.families[family].models[model_id], overrides, where=where)
            found = candidates(wish, pools, ray, where=f"{where}: serve.{family}.{model_id}")
            choices[model_id] = (family, overrides, wish, found)
        except UserError as error:
            errors.append(error)
    if errors:
        raise UserErrors(errors)

    asked: dict[str, Counter[int]] = {pool: Counter() for pool in pools}
    placed: dict[str, Candidate] = {}
    by_size = sorted(choices, key=lambda m: (-choices[m][3][0].split.gpus, m))
    for model_id in by_size:
        _, overrides, _, found = choices[model_id]
        pieces = {c.hardware.name: _pieces(c, overrides.replicas.min if overrides.replicas else 1) for c in found}
        place = next(
            (c for c in found if _has_room(c.hardware, asked[c.hardware.name] + pieces[c.hardware.name])), found[0]
        )
        placed[model_id] = place
        asked[place.hardware.name] += pieces[place.hardware.name]

    warnings: list[str] = []
    models: dict[str, ModelPlan] = {}
    for model_id, (family, overrides, wish, _) in choices.items():
        place = placed[model_id]
        room = _has_room(place.hardware, asked[place.hardware.name] + _pieces(place, 1))
        models[model_id] = _model_plan(model_id, family, overrides, wish, place, surge=room)
        warnings += _model_warnings(models[model_id])
    on_pool: dict[str, list[ModelPlan]] = {pool: [] for pool in pools}
    for model in models.values():
        on_pool[model.place.hardware.name].append(model)
    planned = {pool: _pool_plan(pools[pool], mine) for pool, mine in on_pool.items()}
    for pool in planned.values():
        _check_pool(pool, on_pool[pool.name], where=where, errors=errors, warnings=warnings)
    if errors:
        raise UserErrors(errors)
    return Plan(
        environment_name=name, environment=environment, release=ray, models=models, pools=planned, warnings=warnings
    )


def _served(
    environment: Environment, catalog: Catalog, *, where: str, errors: list[UserError]
) -> Iterable[tuple[str, str, Overrides]]:
    """Every served model with its overrides: the environment's, then the family's, then its own."""
    for family, service in environment.serve.items():
        service = service or FamilyService()
        try:
            known = catalog.family(family, where=f"{where}: serve").models
        except UserError as error:
            errors.append(error)
            continue
        own = service.models if service.models is not None else dict.fromkeys(known)
        for model_id, overrides in own.items():
            if model_id not in known:
                errors.append(UserError.unknown("model", model_id, known, where=f"{where}: serve.{family}.models"))
                continue
            yield family, model_id, _layered(environment.defaults, service, overrides or Overrides())


def _layered(*layers: Overrides) -> Overrides:
    fields: dict[str, Any] = {}
    for layer in layers:
        for field in Overrides.model_fields:
            value = getattr(layer, field)
            if field == "llmConfig":
                fields[field] = merged(fields.get(field, {}), value)
            elif value is not None:
                fields[field] = value
    return Overrides.model_construct(**fields)


def _wish(model_id: str, model: CatalogModel, overrides: Overrides, *, where: str) -> Wish:
    """What the model asks, the environment's own engine arguments included, so that the arithmetic is of what runs."""
    engine = overrides.llmConfig.get("engine_kwargs", {})
    context = engine.get("max_model_len") or overrides.context or model.needs.context
    most = model.architecture.max_position_embeddings
    if context > most:
        raise UserError(
            f"model '{model_id}' is asked for a context of {context:,} tokens and knows {most:,}",
            where=where,
            fix=f"Set `context` to {most} or less.",
        )
    dtype = engine.get("dtype") or model.needs.dtype
    return Wish(
        model_id=model_id,
        model=model,
        context=context,
        sequences=engine.get("max_num_seqs") or overrides.sequences or model.needs.sequences,
        dtype=model.architecture.torch_dtype if dtype == "auto" else dtype,
        pool=overrides.pool,
        tensor_parallel=engine.get("tensor_parallel_size"),
        pipeline_parallel=engine.get("pipeline_parallel_size"),
        batched_tokens=engine.get("max_num_batched_tokens"),
        utilization=engine.get("gpu_memory_utilization"),
        eager=bool(engine.get("enforce_eager")),
    )


def _model_plan(
    model_id: str, family: str, overrides: Overrides, wish: Wish, place: Candidate, *, surge: bool
) -> ModelPlan:
    alone = _most_replicas(place)
    return ModelPlan(
        model_id=model_id,
        family=family,
        model=wish.model,
        source=overrides.source or wish.model.source,
        place=place,
        sequences=max(1, min(wish.sequences, place.memory.most_sequences)),
        replicas=overrides.replicas or Replicas(min=1, max=min(DEFAULT_MOST_REPLICAS, alone)),
        surge=surge,
        llm_config=overrides.llmConfig,
    )


def _most_replicas(place: Candidate) -> int:
    """How many replicas the pool would hold if it were the model's alone."""
    if place.split.pipeline > 1:
        return max(1, place.hardware.slots // place.split.gpus)
    return place.hardware.slots_per_node // place.split.tensor * place.hardware.pool.nodes


def _pieces(place: Candidate, replicas: int) -> Counter[int]:
    """What must lie together on one node, count by size: a replica's GPUs; over several nodes each GPU by itself."""
    split = place.split
    if split.pipeline == 1:
        return Counter({split.tensor: replicas})
    return Counter({1: split.gpus * replicas})


def _total(pieces: Iterable[Counter[int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for some in pieces:
        total.update(some)
    return total


def _has_room(hardware: Hardware, pieces: Counter[int]) -> bool:
    return bins_needed(pieces, hardware.slots_per_node) <= hardware.pool.nodes


def bins_needed(pieces: Counter[int], capacity: int) -> int:
    """How many bins of `capacity` hold the pieces (count by size): the largest first, into the fullest bin with room.

    Exact where each size divides the next, as powers of two do; otherwise never too few. The time it takes depends on
    the number of sizes, not of pieces.
    """
    bins = 0
    room: Counter[int] = Counter()  # bins by what is free in them
    for size in sorted(pieces, reverse=True):
        left = pieces[size]
        for free in sorted(level for level in room if level >= size):
            left -= _fill(room, free, room[free], size, left)
        fresh = -(-left // (capacity // size))
        bins += fresh
        room[capacity] += fresh
        _fill(room, capacity, fresh, size, left)
    return bins


def _fill(room: Counter[int], free: int, bins: int, size: int, pieces: int) -> int:
    """Put up to `pieces` of `size` into `bins` that have `free` each; return how many went in."""
    each = free // size
    full = min(bins, pieces // each)
    rest = pieces - full * each if full < bins and pieces - full * each < each else 0
    for count, taken in ((full, each), (1 if rest else 0, rest)):
        room[free] -= count
        room[free - taken * size] += count
    return full * each + rest


def _pool_plan(hardware: Hardware, models: list[ModelPlan]) -> PoolPlan:
    """Worker pods as small as the widest model of the pool allows: small pods pack nodes and scale in small steps."""
    if hardware.gpu:
        widest = max((m.place.split.tensor if m.place.split.pipeline == 1 else 1 for m in models), default=1)
        slots = next(n for n in range(widest, hardware.slots_per_node + 1) if hardware.slots_per_node % n == 0)
    else:
        slots = hardware.slots_per_node
    return PoolPlan(
        hardware=hardware,
        slots_per_worker=slots,
        most_workers=hardware.pool.nodes * (hardware.slots_per_node // slots),
        least_workers=bins_needed(_total(_pieces(m.place, m.replicas.min) for m in models), slots),
        peak_workers=bins_needed(_total(_pieces(m.place, m.replicas.max) for m in models), slots),
    )


def _check_pool(
    pool: PoolPlan, mine: list[ModelPlan], *, where: str, errors: list[UserError], warnings: list[str]
) -> None:
    unit = pool.hardware.label if pool.hardware.gpu else "CPU slots"
    if pool.least_workers > pool.most_workers:
        parts = ", ".join(f"{m.model_id} {m.replicas.min} x {m.gpus}" for m in mine if m.replicas.min)
        errors.append(
            UserError(
                f"pool '{pool.name}' cannot hold its models at the least: {pool.least_workers} worker pods of "
                f"{pool.slots_per_worker} {unit} are needed and {pool.most_workers} can be ({parts})",
                where=f"{where}: pools.{pool.name}",
                fix="Add nodes or a pool, serve fewer models, or let some go to zero (`replicas: {min: 0, max: 1}`).",
            )
        )
    elif pool.peak_workers > pool.most_workers:
        warnings.append(
            f"pool {pool.name}: at peak its models would take {pool.peak_workers} worker pods of {pool.most_workers}; "
            "they grow in the order of their load, the rest waits"
        )


def _model_warnings(model: ModelPlan) -> list[str]:
    warnings = []
    if not model.surge and model.replicas.min > 0:
        warnings.append(
            f"{model.model_id}: pool {model.place.hardware.name} has no room for one more replica at the least, so an "
            "in-place update stops a replica before its successor starts"
        )
    if not model.place.memory.layout.exact:
        warnings.append(
            f"{model.model_id}: cache estimated as full attention in every layer ({model.model.architecture.name})"
        )
    if model.sequences < (model.llm_config.get("engine_kwargs", {}).get("max_num_seqs") or model.sequences):
        warnings.append(f"{model.model_id}: the cache holds {model.sequences} sequences at once, fewer than asked")
    return warnings
