"""The place of an app: it says itself where it goes, so that there is nothing to choose, and much to refuse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from generator.errors import Faults, UserError
from generator.facts.releases import releases
from generator.formats.environment import AppService, Environment, Replicas
from generator.plan.plans import Home, PlanWarning
from generator.plan.pools import NodePool


@dataclass(frozen=True, kw_only=True)
class AppPlan:
    """One app's place. What its code makes of its GPUs is its own affair."""

    name: str
    app: AppService
    node_pool: NodePool
    surge: bool

    @property
    def replicas(self) -> Replicas:
        return self.app.replicas

    @property
    def gpus(self) -> int:
        return self.app.gpus

    def warning(self, text: str) -> PlanWarning:
        return PlanWarning(kind="app", subject=self.name, text=text)

    @property
    def homes(self) -> tuple[Home, ...]:
        return (Home(self.node_pool, self.gpus * self.node_pool.units, 1, self.replicas.min, self.replicas.max),)


def app_pools(
    environment: Environment, models: Iterable[str], pools: Mapping[str, NodePool], *, where: str, faults: Faults
) -> dict[str, NodePool]:
    """The pool that each app is on, by the app's name."""
    chosen: dict[str, NodePool] = {}
    for name, app in environment.apps.items():
        with faults.gathered():
            _refuse_builder(app, environment.ray, where=f"{where}: apps.{name}.application.import_path")
            chosen[name] = _pool_of(name, app, models, pools, where=f"{where}: apps.{name}")
    return chosen


def _refuse_builder(app: AppService, ray: str, *, where: str) -> None:
    """Raise UserError for a builder of Ray's own: the replicas of its models place themselves, by their LLMConfigs."""
    builder = releases()[ray].builder_of(str(app.application.get("import_path")))
    if builder:
        raise UserError(
            f"{builder} builds models, and `deployment` and `gpus` would be written over where they go",
            where=where,
            fix="Say it below `serve`: a model with `prefill` and `decode`, or with data_parallel_size in its "
            "llmConfig.engine_kwargs, has that builder.",
        )


def _pool_of(
    name: str, app: AppService, models: Iterable[str], pools: Mapping[str, NodePool], *, where: str
) -> NodePool:
    """The pool that an app is on: the one it names, or the only one."""
    if name in models:
        raise UserError(
            f"model '{name}' is served too, and Ray's applications go by these names",
            where=where,
            fix="Rename the app.",
        )
    if app.pool is None and len(pools) > 1:
        raise UserError("'pool' is missing", where=where, fix=f"Add `pool:`, one of: {', '.join(pools)}.")
    pool = app.pool or next(iter(pools))
    if pool not in pools:
        raise UserError.unknown("pool", pool, pools, where=f"{where}.pool")
    node_pool = pools[pool]
    if app.gpus > 1 and node_pool.alone:
        raise UserError(
            f"a replica of {app.gpus} GPUs does not go on pool '{pool}', whose GPUs are given out one by one",
            where=f"{where}.gpus",
            fix="Ask for one, or name another pool.",
        )
    if app.gpus > node_pool.slots_per_node:
        unit = "GPUs" if node_pool.gpu else "CPUs"
        raise UserError(
            f"a replica of {app.gpus} {unit} fits on no node of pool '{pool}', which has {node_pool.slots_per_node}",
            where=f"{where}.gpus",
            fix="Ask for fewer, or name another pool: one process cannot be on two nodes.",
        )
    return node_pool
