"""The findings as an environment: what it accepts is written, what it does not is told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import count
from typing import Any

from generator.documents.compact import block_lines
from generator.documents.load import Origin
from generator.documents.merge import JsonObject, common, without
from generator.errors import Faults, UserError, cut
from generator.facts.gpu_names import gpus_named
from generator.facts.releases import RayRelease
from generator.formats.check import document_faults
from generator.formats.explain import Fault
from generator.migrate.entries import Entry, served_name
from generator.migrate.found import Findings, FoundApp, FoundModel, FoundPool
from generator.migrate.llm_config import without_empty

SCHEMA_LINE = "# yaml-language-server: $schema=../schemas/environment.schema.json"
_ANY_POOL = ""
_LEAST_DEPTH = {"serve": 5, "pools": 3, "apps": 3, "chart": 2}
"""Keys of a path that may be taken out alone; what is above them has no meaning without."""


def settle_gpus(findings: Findings, chosen: Mapping[str, str]) -> None:
    """Give every pool of GPUs its type. `chosen` is by pool, and below "" for those of which nothing says it.

    Raises UserErrors with every pool whose type is not known.
    """
    pools = list(findings.gpu_pools())
    for model in findings.models:
        named = gpus_named(model.accelerator) if model.accelerator else ()
        pool = findings.pools.get(model.pool or "") or (pools[0] if len(pools) == 1 else None)
        if pool is None:
            model.pool = next((each.name for each in pools if each.gpu in named), None)
        elif named and not pool.gpu:
            pool.gpu, pool.candidates = (named[0] if len(named) == 1 else None), named
            pool.said = f"by accelerator_type of {model.model_id}"
    faults = Faults()
    for pool in pools:
        stated = chosen.get(pool.name) or (None if pool.gpu else chosen.get(_ANY_POOL))
        if stated and pool.gpu and stated != pool.gpu:
            findings.change(pool.where, f"its GPUs are {stated}", f"--gpu says it, the manifests say {pool.gpu}")
        pool.gpu = stated or pool.gpu
        pool.said = "by --gpu" if stated else pool.said
        if not pool.gpu:
            may_be = f" It may be {' or '.join(pool.candidates)}." if pool.candidates else ""
            fix = f"Give --gpu {pool.name}=TYPE; `list gpus` shows the types.{may_be}"
            faults.add(UserError("neither a node label nor a model says which GPUs it has", where=pool.where, fix=fix))
    faults.raise_any()


def settle_pools(findings: Findings) -> None:
    """Leave out pools of CPUs that nothing names, beside pools of GPUs; tell the others."""
    used = {each.pool for each in findings.models} | {each.pool for each in findings.apps}
    with_gpus = any(findings.gpu_pools())
    for name, pool in list(findings.pools.items()):
        if pool.gpus or name in used or not with_gpus:
            what = f"{pool.gpus} x {pool.gpu}" if pool.gpus else "CPUs alone"
            findings.take(pool.where, f"pool {name}, {pool.nodes} nodes of {what}", pool.said if pool.gpus else "")
        else:
            findings.leave_out(pool.where, "a group of CPUs alone", "the chart has workers of its own for ingresses")
            del findings.pools[name]


def environment_of(
    findings: Findings, models: list[tuple[FoundModel, Entry]], *, namespace: str, ray: RayRelease
) -> JsonObject:
    """The environment as data. What it would refuse is left out of it, and told.

    Raises UserError where what is left would mean nothing (a pool of a name that none can have).
    """
    serve: JsonObject = {}
    places: dict[tuple[str, ...], str] = {("pools", name): pool.where for name, pool in findings.pools.items()}
    for model, entry in models:
        serve.setdefault(entry.family, {"models": {}})["models"][entry.model_id] = _overrides(model, entry, findings)
        places["serve", entry.family, "models", entry.model_id] = model.where
    taken = {*serve, *(entry.model_id for _, entry in models)}
    for app in findings.apps:
        _rename(app, taken | {each.name for each in findings.apps if each is not app}, findings)
        places["apps", app.name] = app.where
    environment = {
        "namespace": namespace,
        "ray": ray.ray,
        "pools": {name: _pool(pool) for name, pool in findings.pools.items()},
        "serve": serve,
        "apps": {app.name: _app(app, findings) for app in findings.apps},
        "chart": findings.chart,
    }
    _leave_out_refused(environment, places, findings)
    return {key: value for key, value in _with_defaults(environment).items() if value != {}}


def _rename(app: FoundApp, taken: Collection[str], findings: Findings) -> None:
    """Give an app another name where a model, a family or another app has its own."""
    if app.name in taken:
        names = (f"{app.name[:30]}-app-{number}" for number in count(1))
        app.name = next(name for name in names if name not in taken)
        findings.change(app.where, f"its name is {app.name}", "a model or a family has the other one")


def _overrides(model: FoundModel, entry: Entry, findings: Findings) -> JsonObject:
    replicas = {"min": model.replicas[0], "max": max(1, model.replicas[1])} if model.replicas else None
    words = {
        "servedModelName": served_name(model, entry.model_id),
        "pool": model.pool if len(findings.pools) > 1 else None,
        "source": entry.source,
        "context": model.context,
        "sequences": model.sequences,
        "replicas": replicas,
        "llmConfig": model.llm_config,
    }
    planned = [key for key in ("context", "sequences", "replicas") if words[key] is None]
    if planned:
        findings.change(model.where, f"{', '.join(planned)}: not said", "the catalog's needs and the plan say them")
    return {key: value for key, value in words.items() if value not in (None, {})}


def _pool(pool: FoundPool) -> JsonObject:
    gpus = {"gpu": pool.gpu, "gpusPerNode": pool.gpus} if pool.gpus else {}
    return {**gpus, "nodes": pool.nodes, **pool.words}


def _app(app: FoundApp, findings: Findings) -> JsonObject:
    if len(findings.pools) < 2:
        return app.service
    pool = app.pool or next(iter([each.name for each in findings.gpu_pools()] or findings.pools))
    if not app.pool:
        findings.change(app.where, f"pool {pool}", "the manifests do not say where it runs, and the first is taken")
    return {"pool": pool, **app.service}


def _leave_out_refused(environment: JsonObject, places: Mapping[tuple[str, ...], str], findings: Findings) -> None:
    """Take out what the environment's schema, its release or its rules refuse, until nothing is refused."""
    while faults := document_faults(environment, "environment"):
        paths = [_to_take_out(environment, fault) for fault in faults]
        for path in sorted(set(paths), key=paths.index, reverse=True):  # entries of a list from behind
            if _holds(environment, path):
                _delete(environment, path)
        for path, fault in zip(paths, faults, strict=True):
            where = next((said for place, said in places.items() if path[: len(place)] == place), "the environment")
            findings.leave_out(where, _in_words(path, places), f"{fault.what}. {fault.fix}".strip())


def _to_take_out(environment: JsonObject, fault: Fault) -> tuple[Any, ...]:
    """The path of what a fault is about, or of the nearest mapping that holds it."""
    path = tuple(fault.path)
    while path and not _holds(environment, path):
        path = path[:-1]
    if len(path) < _LEAST_DEPTH.get(str(path[0]) if path else "", 99):
        raise fault.as_error(Origin("the environment that was read"))
    return path


def _delete(node: Any, path: tuple[Any, ...]) -> None:
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]


def _holds(node: Any, path: tuple[Any, ...]) -> bool:
    for key in path:
        inside = range(len(node)) if isinstance(node, list) else node if isinstance(node, dict) else ()
        if key not in inside:
            return False
        node = node[key]
    return True


def _in_words(path: tuple[Any, ...], places: Mapping[tuple[str, ...], str]) -> str:
    own = next((len(place) for place in places if path[: len(place)] == place), 0)
    return ".".join(cut(str(key)) for key in path[own:])


def _with_defaults(environment: JsonObject) -> JsonObject:
    """What all models say alike is said once, for all."""
    environment["chart"] = without_empty(environment["chart"])
    models = [each for family in environment["serve"].values() for each in family["models"].values()]
    alike = common(models[0], models[1:]) if len(models) > 1 else {}
    alike.pop("source", None)
    for family in environment["serve"].values():
        family["models"] = {name: without(without_empty(each), alike) for name, each in family["models"].items()}
    order = ("namespace", "ray", "pools", "defaults", "serve", "apps", "chart")
    whole = {**environment, "defaults": without_empty(alike)}
    return {key: whole[key] for key in order}


def environment_text(environment: JsonObject, sources: str) -> str:
    """The file, as people go on writing it."""
    comment = f"# Imported from {' '.join(sources.split())}"
    return "\n".join([SCHEMA_LINE, comment, *_lines(environment)]) + "\n"


def _lines(environment: JsonObject) -> Iterator[str]:
    for key, value in environment.items():
        if key in ("pools", "serve", "apps"):
            yield f"{key}:"
            for name, item in value.items():
                yield from block_lines(name, item, 2, 2)
        else:
            yield from block_lines(key, value, 0, 2)
