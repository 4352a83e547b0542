"""The decided answer for one environment: every model's and app's place, and whether the pools can hold the fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .app_plan import AppPlan, app_places
from .catalog import Catalog, CatalogModel
from .contract import JsonObject, merged
from .environment import Environment, FamilyService, Overrides, Replicas
from .errors import UserError, UserErrors
from .facts import RayRelease, release
from .packing import bins_needed
from .placement import Candidate, Hardware, Wish, candidates, hardware

# The most replicas of a model that says nothing of replicas, where its pool has room for them.
DEFAULT_MOST_REPLICAS = 5
# vLLM starts only when this share of the GPU is free; CUDA's context and the display take some before it asks.
MOST_UTILIZATION = 0.98
DTYPE_ALIASES = {"half": "float16", "float": "float32"}
# What an environment cannot say in `llmConfig`, because the plan's arithmetic depends on it, and how it is said.
PLANNED = {
    "placement_group_config": "pool",
    "resources_per_bundle": "pool",
    "accelerator_type": "pool",
    "deployment_config.num_replicas": "replicas",
    "deployment_config.autoscaling_config.min_replicas": "replicas: {min: …}",
    "deployment_config.autoscaling_config.max_replicas": "replicas: {max: …}",
    "engine_kwargs.data_parallel_size": "",
}


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
    def name(self) -> str:
        return self.model_id

    @property
    def hardware(self) -> Hardware:
        return self.place.hardware

    @property
    def gpus(self) -> int:
        return self.place.split.gpus

    def pieces(self, replicas: int) -> Counter[int]:
        """What must lie together on one node, count by size."""
        return _pieces(self.place, replicas)


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
    apps: dict[str, AppPlan]
    pools: dict[str, PoolPlan]
    warnings: list[str]

    def family(self, family: str) -> dict[str, ModelPlan]:
        return {model_id: model for model_id, model in self.models.items() if model.family == family}

    @property
    def families(self) -> list[str]:
        return list(self.environment.serve)


# By model id: its family, its overrides, what it asks, and the places where it can be, best first.
Choices = dict[str, tuple[str, Overrides, Wish, list[Candidate]]]


def make_plan(name: str, environment: Environment, catalog: Catalog, *, where: str) -> Plan:
    """Place every model and app that the environment serves. All faults are raised at once, as UserErrors.

    Apps say where they go, so their least replicas are there first. Models with the most GPUs choose first; each takes
    its best pool that still has room for its least replicas.
    """
    ray = release(environment.ray, where=f"{where}: ray")
    pools = hardware(environment.pools, where=where)
    errors: list[UserError] = []
    choices: Choices = {}
    for family, model_id, overrides in _served(environment, catalog, where=where, errors=errors):
        try:
            wish = _wish(model_id, catalog.families[family].models[model_id], overrides, where=where)
            found = candidates(wish, pools, ray, where=f"{where}: serve.{family}.{model_id}")
            choices[model_id] = (family, overrides, wish, found)
        except UserError as error:
            errors.append(error)
    app_hardware = app_places(environment, choices, pools, where=where, errors=errors)
    if errors:
        raise UserErrors(errors)

    asked: dict[str, Counter[int]] = {pool: Counter() for pool in pools}
    for app_name, one in app_hardware.items():
        app = environment.apps[app_name]
        asked[one.name] += Counter({app.gpus: app.replicas.min})
    placed = _place(choices, asked)
    warnings: list[str] = []
    models: dict[str, ModelPlan] = {}
    for model_id, (family, overrides, wish, _) in choices.items():
        place = placed[model_id]
        room = _has_room(place.hardware, asked[place.hardware.name] + _pieces(place, 1))
        models[model_id] = _model_plan(model_id, family, overrides, wish, place, surge=room)
        warnings += _model_warnings(models[model_id])
        _check_sequences(models[model_id], where=where, errors=errors)
    apps: dict[str, AppPlan] = {}
    for app_name, one in app_hardware.items():
        app = environment.apps[app_name]
        room = _has_room(one, asked[one.name] + Counter({app.gpus: 1}))
        apps[app_name] = AppPlan(name=app_name, app=app, hardware=one, surge=room)
        warnings += _surge_warning(app_name, apps[app_name].replicas, one, surge=room)
    on_pool: dict[str, list[ModelPlan | AppPlan]] = {pool: [] for pool in pools}
    for served in (*models.values(), *apps.values()):
        on_pool[served.hardware.name].append(served)
    planned = {pool: _pool_plan(pools[pool], mine) for pool, mine in on_pool.items()}
    for pool in planned.values():
        _check_pool(pool, on_pool[pool.name], where=where, errors=errors, warnings=warnings)
    if errors:
        raise UserErrors(errors)
    return Plan(
        environment_name=name,
        environment=environment,
        release=ray,
        models=models,
        apps=apps,
        pools=planned,
        warnings=warnings,
    )


def _place(choices: Choices, asked: dict[str, Counter[int]]) -> dict[str, Candidate]:
    """Every model's place. `asked` is what is there already by pool; what the models' least replicas ask is added."""
    placed: dict[str, Candidate] = {}
    for model_id in sorted(choices, key=lambda m: (-choices[m][3][0].split.gpus, m)):
        _, overrides, _, found = choices[model_id]
        pieces = {c.hardware.name: _pieces(c, overrides.replicas.min if overrides.replicas else 1) for c in found}
        place = next(
            (c for c in found if _has_room(c.hardware, asked[c.hardware.name] + pieces[c.hardware.name])), found[0]
        )
        placed[model_id] = place
        asked[place.hardware.name] += pieces[place.hardware.name]
    return placed


def _check_sequences(model: ModelPlan, *, where: str, errors: list[UserError]) -> None:
    asked = _at(model.llm_config, "engine_kwargs.max_num_seqs")
    if asked and asked > model.sequences:
        errors.append(
            UserError(
                f"model '{model.model_id}': max_num_seqs {asked} is more than the {model.sequences} sequences whose "
                "shortest form the cache holds",
                where=f"{where}: serve.{model.family}.{model.model_id}",
                fix="Ask with `sequences`, which is lowered to what fits, or for a smaller number.",
            )
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
    for path, instead in PLANNED.items():
        if _at(overrides.llmConfig, path) is not None:
            raise UserError(
                f"model '{model_id}': llmConfig.{path} is the plan's to decide",
                where=where,
                fix=f"Say it as `{instead}` in the environment." if instead else "Take it out.",
            )
    engine = overrides.llmConfig.get("engine_kwargs", {})
    context = _number(engine, "max_model_len", overrides.context or model.needs.context, model_id, where=where)
    sequences = _number(engine, "max_num_seqs", overrides.sequences or model.needs.sequences, model_id, where=where)
    batched_tokens = _number(engine, "max_num_batched_tokens", 0, model_id, where=where) or None
    utilization = engine.get("gpu_memory_utilization")
    most = model.architecture.max_position_embeddings
    if context > most:
        raise UserError(
            f"model '{model_id}' is asked for a context of {context:,} tokens and knows {most:,}",
            where=where,
            fix=f"Set `context` to {most} or less.",
        )
    if batched_tokens and batched_tokens < sequences:
        raise UserError(
            f"model '{model_id}': max_num_batched_tokens {batched_tokens} is less than its {sequences} sequences",
            where=where,
            fix="Every sequence needs a token of each step: raise it, or ask for fewer `sequences`.",
        )
    if utilization is not None and utilization > MOST_UTILIZATION:
        raise UserError(
            f"model '{model_id}': gpu_memory_utilization {utilization} leaves nothing for the driver",
            where=where,
            fix=f"Set it to {MOST_UTILIZATION} or less.",
        )
    dtype = DTYPE_ALIASES.get(engine.get("dtype"), engine.get("dtype")) or model.needs.dtype
    return Wish(
        model_id=model_id,
        model=model,
        context=context,
        sequences=sequences,
        dtype=model.architecture.torch_dtype if dtype == "auto" else dtype,
        pool=overrides.pool,
        tensor_parallel=engine.get("tensor_parallel_size"),
        pipeline_parallel=engine.get("pipeline_parallel_size"),
        batched_tokens=batched_tokens,
        utilization=utilization,
        eager=bool(engine.get("enforce_eager")),
        state_dtype=_state_dtype(engine),
        whole_prompts=engine.get("enable_chunked_prefill") is False,
    )


def _at(config: JsonObject, path: str) -> Any:
    value: Any = config
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _number(engine: JsonObject, key: str, otherwise: int, model_id: str, *, where: str) -> int:
    """An engine argument that the arithmetic needs as a plain number."""
    value = engine.get(key)
    if value is None:
        return otherwise
    if not isinstance(value, int) or value < 1:
        raise UserError(
            f"model '{model_id}': {key} {value!r} is nothing to plan with", where=where, fix="Give a positive number."
        )
    return value


def _state_dtype(engine: JsonObject) -> str | None:
    chosen = engine.get("mamba_ssm_cache_dtype") or "auto"
    chosen = engine.get("mamba_cache_dtype") or "auto" if chosen == "auto" else chosen
    return None if chosen == "auto" else DTYPE_ALIASES.get(chosen, chosen)


def _model_plan(
    model_id: str, family: str, overrides: Overrides, wish: Wish, place: Candidate, *, surge: bool
) -> ModelPlan:
    return ModelPlan(
        model_id=model_id,
        family=family,
        model=wish.model,
        source=overrides.source or wish.model.source,
        place=place,
        sequences=max(1, min(wish.sequences, place.memory.most_sequences)),
        replicas=overrides.replicas or Replicas(min=1, max=min(DEFAULT_MOST_REPLICAS, _most_replicas(place))),
        surge=surge,
        llm_config=overrides.llmConfig,
    )


def _most_replicas(place: Candidate) -> int:
    """How many replicas the pool would hold if it were the model's alone."""
    stages = place.hardware.slots_per_node // place.split.tensor * place.hardware.pool.nodes
    return max(1, stages // place.split.pipeline)


def _pieces(place: Candidate, replicas: int) -> Counter[int]:
    """What must lie together on one node, count by size: the GPUs of each stage."""
    return Counter({place.split.tensor: place.split.pipeline * replicas})


def _total(pieces: Iterable[Counter[int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for some in pieces:
        total.update(some)
    return total


def _has_room(hardware: Hardware, pieces: Counter[int]) -> bool:
    return bins_needed(pieces, hardware.slots_per_node) <= hardware.pool.nodes


def _pool_plan(hardware: Hardware, mine: list[ModelPlan | AppPlan]) -> PoolPlan:
    """Worker pods as small as the widest of the pool allows: small pods pack nodes and scale in small steps."""
    if hardware.gpu:
        widest = max((size for one in mine for size in one.pieces(1)), default=1)
        slots = next(n for n in range(widest, hardware.slots_per_node + 1) if hardware.slots_per_node % n == 0)
    else:
        slots = hardware.slots_per_node
    return PoolPlan(
        hardware=hardware,
        slots_per_worker=slots,
        most_workers=hardware.pool.nodes * (hardware.slots_per_node // slots),
        least_workers=bins_needed(_total(one.pieces(one.replicas.min) for one in mine), slots),
        peak_workers=bins_needed(_total(one.pieces(one.replicas.max) for one in mine), slots),
    )


def _check_pool(
    pool: PoolPlan, mine: list[ModelPlan | AppPlan], *, where: str, errors: list[UserError], warnings: list[str]
) -> None:
    pod_cpus = pool.hardware.cpus_per_node * pool.slots_per_worker / pool.hardware.slots_per_node
    for model in (one for one in mine if isinstance(one, ModelPlan)):
        cpus = _at(model.llm_config, "deployment_config.ray_actor_options.num_cpus")
        if cpus and cpus > pod_cpus:
            errors.append(
                UserError(
                    f"model '{model.model_id}': a replica of {cpus:g} CPUs fits no worker pod of pool '{pool.name}', "
                    f"which has {pod_cpus:g}",
                    where=f"{where}: pools.{pool.name}",
                    fix="Ask for fewer (num_cpus), or raise the pool's cpusPerNode.",
                )
            )
    unit = pool.hardware.label if pool.hardware.gpu else "CPU slots"
    if pool.least_workers > pool.most_workers:
        parts = ", ".join(f"{m.name} {m.replicas.min} x {m.gpus}" for m in mine if m.replicas.min)
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


def _surge_warning(name: str, replicas: Replicas, hardware: Hardware, *, surge: bool) -> list[str]:
    if surge or not replicas.min:
        return []
    return [
        f"{name}: pool {hardware.name} has no room for one more replica at the least, so an in-place update stops a "
        "replica before its successor starts"
    ]


def _model_warnings(model: ModelPlan) -> list[str]:
    warnings = _surge_warning(model.model_id, model.replicas, model.hardware, surge=model.surge)
    if not model.place.memory.layout.exact:
        warnings.append(
            f"{model.model_id}: cache estimated as full attention in every layer ({model.place.memory.layout.why})"
        )
    if model.sequences < model.place.shape.sequences:
        warnings.append(
            f"{model.model_id}: {model.place.shape.sequences} sequences are asked for and the cache holds "
            f"{model.sequences} at once; the rest waits"
        )
    return warnings
