"""What is wrong with a plan, and what people should know of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from generator.errors import UserError
from generator.plan.apps import AppPlan
from generator.plan.plans import ModelPlan, PoolPlan
from generator.plan.requirements import at


def plan_errors(
    models: Iterable[ModelPlan], apps: Iterable[AppPlan], pools: Iterable[PoolPlan], *, where: str
) -> Iterator[UserError]:
    """What cannot run as planned."""
    on_pool = _by_pool(models, apps)
    for model in models:
        yield from _sequences_errors(model, where=where)
    for pool in pools:
        yield from _pool_errors(pool, on_pool[pool.name], where=where)


def plan_warnings(models: Iterable[ModelPlan], apps: Iterable[AppPlan], pools: Iterable[PoolPlan]) -> Iterator[str]:
    """What runs, and its users may feel."""
    for one in (*models, *apps):
        yield from _surge_warnings(one)
        if isinstance(one, ModelPlan):
            yield from _memory_warnings(one)
            yield from _load_warnings(one)
    for pool in pools:
        yield from _pool_warnings(pool)
        if pool.hardware.gpu and pool.hardware.gpu.note:
            yield f"pool {pool.name}: {pool.hardware.gpu.note}"


def _by_pool(models: Iterable[ModelPlan], apps: Iterable[AppPlan]) -> dict[str, list[ModelPlan | AppPlan]]:
    found: dict[str, list[ModelPlan | AppPlan]] = defaultdict(list)
    for one in (*models, *apps):
        found[one.hardware.name].append(one)
    return found


def _sequences_errors(model: ModelPlan, *, where: str) -> Iterator[UserError]:
    asked = at(model.llm_config, "engine_kwargs.max_num_seqs")
    if asked and asked > model.sequences:
        yield UserError(
            f"model '{model.model_id}': max_num_seqs {asked} is more than the {model.sequences} sequences whose "
            "shortest form the cache holds",
            where=f"{where}: serve.{model.family}.{model.model_id}",
            fix="Ask with `sequences`, which is lowered to what fits, or for a smaller number.",
        )


def _pool_errors(pool: PoolPlan, mine: list[ModelPlan | AppPlan], *, where: str) -> Iterator[UserError]:
    pod_cpus = pool.hardware.cpus_per_node * pool.slots_per_worker / pool.hardware.slots_per_node
    for model in (one for one in mine if isinstance(one, ModelPlan)):
        cpus = at(model.llm_config, "deployment_config.ray_actor_options.num_cpus")
        if cpus and cpus > pod_cpus:
            yield UserError(
                f"model '{model.model_id}': a replica of {cpus:g} CPUs fits no worker pod of pool '{pool.name}', "
                f"which has {pod_cpus:g}",
                where=f"{where}: pools.{pool.name}",
                fix="Ask for fewer (num_cpus), or raise the pool's cpusPerNode.",
            )
    if pool.least_workers > pool.most_workers:
        unit = pool.hardware.label if pool.hardware.gpu else "CPU slots"
        parts = ", ".join(f"{m.name} {m.replicas.min} x {m.gpus}" for m in mine if m.replicas.min)
        yield UserError(
            f"pool '{pool.name}' cannot hold its models at the least: {pool.least_workers} worker pods of "
            f"{pool.slots_per_worker} {unit} are needed and {pool.most_workers} can be ({parts})",
            where=f"{where}: pools.{pool.name}",
            fix="Add nodes or a pool, serve fewer models, or let some go to zero (`replicas: {min: 0, max: 1}`).",
        )


def _pool_warnings(pool: PoolPlan) -> Iterator[str]:
    if pool.shape.slots_unsure:
        yield (
            f"pool {pool.name}: Ray spreads replicas, so that small ones may leave no pod whole for a wide one: in any "
            f"order its models find room in {pool.shape.sure} worker pods, and {pool.most_workers} can be; start the "
            "widest first, or give them a pool of their own"
        )
    if pool.peak_workers > pool.most_workers:
        yield (
            f"pool {pool.name}: at peak its models would take {pool.peak_workers} worker pods of {pool.most_workers}; "
            "they grow in the order of their load, the rest waits"
        )


def _surge_warnings(one: ModelPlan | AppPlan) -> Iterator[str]:
    if one.replicas.min and not one.surge:
        yield (
            f"{one.name}: pool {one.hardware.name} has no room for one more replica at the least, so an in-place "
            "update stops a replica before its successor starts"
        )


def _memory_warnings(model: ModelPlan) -> Iterator[str]:
    if not model.place.memory.layout.exact:
        yield f"{model.model_id}: cache estimated ({model.place.memory.layout.why})"
    yield from (f"{model.model_id}: {note}" for note in model.place.memory.notes if not note.startswith("cache:"))
    if model.sequences < model.place.shape.sequences:
        yield (
            f"{model.model_id}: {model.place.shape.sequences} sequences are asked for and the cache holds "
            f"{model.sequences} at once; the rest waits"
        )


def _load_warnings(model: ModelPlan) -> Iterator[str]:
    load = model.load
    if load is None:
        if model.expected:
            yield (
                f"{model.model_id}: nothing is known of the speed of {model.hardware.label}, so `expect` decides no "
                "replicas; say them"
            )
        return
    if not load.in_time:
        yield (
            f"{model.model_id}: slower than `expect` asks on every pool: {load.first_token_seconds:.2g} s to the first "
            f"token and {load.seconds_per_token:.2g} s for each further one"
        )
    wanted = load.replicas
    if model.replicas.min < wanted.min or model.replicas.max < wanted.max:
        yield (
            f"{model.model_id}: `expect` would take {wanted.min} to {wanted.max} replicas, and `replicas` says "
            f"{model.replicas.min} to {model.replicas.max}"
        )
