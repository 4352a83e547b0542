"""Which kind of file one is, and whether it is valid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from generator.documents.files import holds, read_text
from generator.documents.load import KeyPath, Origin, load_text, location
from generator.errors import UserError, UserErrors
from generator.facts.gpus import gpus
from generator.facts.own import FILE as OWN_GPUS
from generator.formats.catalog import Catalog, CatalogModel
from generator.formats.check import check_document
from generator.formats.environment import Environment, FamilyService, HalfService, Overrides
from generator.formats.own_gpus import read_own_gpus
from generator.formats.read import is_base, read_catalog, read_environment
from generator.project.project import Project

_SCHEMA_LINE = re.compile(r"^#.*\$schema=\S*\b(catalog|environment|gpus|values)\.schema\.json", re.MULTILINE)
_FOLDERS = {"catalog": "catalog", "environments": "environment", "values": "values"}


def validate_file(path: Path, *, subchart: str | None = None) -> str:
    """Check one file and return its kind: catalog, environment, gpus or values. Raises UserError with every fault.

    `subchart` is the key below which values are, in those of a parent chart; the generator's own files need no telling.

    What an environment names is looked up too: GPU types, pools, and families and models where a catalog lies beside.
    So is what the plan refuses of it whatever its models take. Whether they fit is the plan's to say.
    """
    text = read_text(path)
    data = load_text(text, str(path))
    if not isinstance(data, dict):
        raise UserError(
            "is empty or no mapping", where=str(path), fix="Give a catalog, environment, values or gpus.yaml file."
        )
    kind = _kind(path, text, data)
    if kind == "gpus":
        read_own_gpus(path)
    elif kind == "catalog":
        read_catalog({path: text})
    elif kind == "environment" and is_base(path):
        check_document(data, "environment", Origin(str(path), text))
    elif kind == "environment":
        _check_environment(path, text)
    else:
        _check_values(path, text, data, subchart or _subchart_of(path))
    return kind


def _check_environment(path: Path, text: str) -> None:
    from generator.plan.stated import check_stated  # late: other files need no plan

    environment, catalog = read_environment(path), _catalog_beside(path)
    errors = list(_unknown_names(path, text, environment, catalog))
    if errors:
        raise UserErrors(errors)
    check_stated(environment, catalog, where=str(path))


def _check_values(path: Path, text: str, data: dict[str, object], subchart: str | None) -> None:
    origin, values = Origin(str(path), text), data.get(subchart) if subchart else data
    if subchart:
        origin = origin._replace(below=(subchart,))
        if not isinstance(values, dict):
            fix = "Write them there, as the parent chart hands them to its dependency of that name or alias."
            raise UserError(f"has no values below '{subchart}'", where=str(path), fix=fix)
    check_document(values, "values", origin)


def _subchart_of(path: Path) -> str | None:
    """That of the environment, where the file is one that the generator wrote for it."""
    folder = path.absolute().parent
    environment = folder.parent.parent / "environments" / f"{folder.name}.yaml"
    if folder.parent.name != "values" or not holds(environment.is_file):
        return None
    try:
        return read_environment(environment).subchart
    except UserError:  # the environment's own faults, told where it is validated
        return None


def _kind(path: Path, text: str, data: dict[str, object]) -> str:
    """Told by the schema that the file names, by its folder, or by keys that only one kind has.

    Values are what is left, because hand-written ones may hold anything.
    """
    if named := _SCHEMA_LINE.search(text):
        return named[1]
    for folder in path.absolute().parents[:2]:
        if folder.name in _FOLDERS:
            return _FOLDERS[folder.name]
    if path.name == OWN_GPUS:
        return "gpus"
    if "family" in data:
        return "catalog"
    if "pools" in data or "serve" in data:
        return "environment"
    return "values"


def _unknown_names(path: Path, text: str, environment: Environment, catalog: Catalog | None) -> Iterator[UserError]:
    yield from _unknown_gpus(path, text, environment)
    yield from _unknown_pools(path, text, environment)
    if catalog is not None:
        families = {name: family.models for name, family in catalog.families.items()}
        yield from _unknown_models(path, text, environment, families)


def _unknown_gpus(path: Path, text: str, environment: Environment) -> Iterator[UserError]:
    for name, pool in environment.pools.items():
        if pool.gpu is not None and pool.gpu not in gpus():
            where = location(text, str(path), ["pools", name, "gpu"])
            yield UserError.unknown("GPU type", pool.gpu, gpus(), where=where)


def _unknown_pools(path: Path, text: str, environment: Environment) -> Iterator[UserError]:
    for name, app in environment.apps.items():
        if not app.pool and len(environment.pools) > 1:
            fix = f"Add `pool:`, one of: {', '.join(environment.pools)}."
            yield UserError("'pool' is missing", where=location(text, str(path), ["apps", name]), fix=fix)
    for keys, pool_name in _chosen_pools(environment):
        if pool_name not in environment.pools:
            yield UserError.unknown("pool", pool_name, environment.pools, where=location(text, str(path), keys))


def _unknown_models(
    path: Path, text: str, environment: Environment, families: Mapping[str, Mapping[str, CatalogModel]]
) -> Iterator[UserError]:
    for family, service in environment.serve.items():
        if family not in families:
            where = location(text, str(path), ["serve", family])
            yield UserError.unknown("family", family, families, where=where)
            continue
        for model in (service or FamilyService()).models or {}:
            if model not in families[family]:
                where = location(text, str(path), ["serve", family, "models", model])
                yield UserError.unknown("model", model, families[family], where=where)


def _chosen_pools(environment: Environment) -> Iterator[tuple[KeyPath, str]]:
    """Every `pool:` that an environment sets, with its path."""
    chosen: list[tuple[KeyPath, Overrides | HalfService | None]] = [(["defaults"], environment.defaults)]
    for family, service in environment.serve.items():
        chosen.append((["serve", family], service))
        for model, own in ((service and service.models) or {}).items():
            keys: KeyPath = ["serve", family, "models", model]
            chosen.append((keys, own))
            if own:
                chosen += [([*keys, name], half) for name, half in own.halves.items()]
    for keys, said in chosen:
        for pool in (said and said.pool) or ():
            yield [*keys, "pool"], pool
    for name, app in environment.apps.items():
        if app.pool:
            yield ["apps", name, "pool"], app.pool


def _catalog_beside(path: Path) -> Catalog | None:
    """The catalog/ beside environments/; None where there is none that can be read."""
    root = path.absolute().parent.parent
    if path.absolute().parent.name != "environments" or not (root / "catalog").is_dir():
        return None
    try:
        return Project(root=root).catalog()
    except UserError:  # the catalog's own faults, told where it is validated
        return None
