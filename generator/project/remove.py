"""A model taken away: out of one environment, or out of the catalog when none serves it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from generator.documents.files import read_text
from generator.errors import UserError
from generator.formats.catalog import Catalog
from generator.formats.read import read_environment
from generator.plan.plan import make_plan
from generator.progress import Report
from generator.project.catalog_edit import remove_from_catalog
from generator.project.environment_edit import serve_no_more
from generator.project.project import Generated, Project


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What `remove` would write and delete. Nothing is done yet."""

    path: Path
    """The file that named the model."""
    generated: Generated
    extended_by: tuple[str, ...] = ()
    """Other environments that take what they serve from the one that changed: their values are not generated here."""


def remove_model(project: Project, model_id: str, *, environment: str | None = None, report: Report) -> Removed:
    """Take the model out of what the environment serves, or, without one, out of the catalog.

    Raises UserError where there is no such model, where it is served still (or, of an environment, is not served), and
    where a file is written in a way that only a person can edit.
    """
    catalog = project.catalog(may_be_empty=True)
    family = _family_of(model_id, catalog, project)
    serving = [name for name in project.environment_names() if project.environment(name).serves(family, model_id)]
    if environment is not None:
        project.environment(environment)  # a name that is none is told first
        if environment not in serving:
            raise UserError(
                f"does not serve '{model_id}'",
                where=str(project.environment_path(environment)),
                fix=f"{', '.join(serving)} serves it." if serving else "Nothing serves it; leave --environment out.",
            )
        return _out_of_environment(project, catalog, family, model_id, environment, report)
    if serving:
        first, *_ = serving
        raise UserError(
            f"'{model_id}' is served by {', '.join(serving)}",
            where=str(catalog.files[family]),
            fix=f"Take it out there first: remove {model_id} --environment {first}",
        )
    path = catalog.files[family]
    text = remove_from_catalog(read_text(path), model_id, where=str(path))
    return Removed(path=path, generated=Generated(texts={path: text}) if text else Generated(stale=[path]))


def _family_of(model_id: str, catalog: Catalog, project: Project) -> str:
    for name, family in catalog.families.items():
        if model_id in family.models:
            return name
    known = [each for family in catalog.families.values() for each in family.models]
    raise UserError.unknown("model", model_id, known, where=str(project.root / "catalog"))


def _out_of_environment(
    project: Project, catalog: Catalog, family: str, model_id: str, environment: str, report: Report
) -> Removed:
    path = project.environment_path(environment)
    others = [each for each in catalog.families[family].models if each != model_id]
    text = serve_no_more(read_text(path), family=family, model_id=model_id, others=others, where=str(path))
    target = read_environment(path, text=text)
    if target.serves(family, model_id):
        raise UserError(
            f"serves '{model_id}' by what it extends, '{target.extends}'",
            where=str(path),
            fix=f"Take it out of {project.environment_path(str(target.extends))}, for all that extend it.",
        )
    report(f"planning {environment}")
    plan = make_plan(environment, target, catalog, where=str(path))
    return Removed(
        path=path,
        generated=Generated.merged([Generated(texts={path: text}), project.values(plan, catalog)]),
        extended_by=tuple(name for name in project.environment_names() if _extends(project, name, environment)),
    )


def _extends(project: Project, name: str, other: str) -> bool:
    return project.environment(name).extends == other
