"""The catalog entry of each found model: what is known of its checkpoint, by the library, the catalog or the hub."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from generator.checkpoint.checkpoint import HUB_ID, suggest_model_id
from generator.documents.merge import JsonObject
from generator.errors import UserError, cut, faults
from generator.formats.catalog import Catalog, CatalogModel
from generator.formats.fields import FamilyName, ModelId, ServedModelName
from generator.formats.pod_rules import mapping
from generator.migrate.found import Findings, FoundModel
from generator.program import program
from generator.progress import Report
from generator.project.add import model_facts
from generator.project.library import LibraryModel, library_model, library_model_of

_TRUSTED = "It was set where this model was imported from. Read what its repository runs, and say why here."


class Entry(NamedTuple):
    """A model as the catalog has it."""

    family: str
    model_id: str
    entry: JsonObject | None
    """None: the catalog has it already."""
    source: str | None = None
    """Another place of the same checkpoint, for the environment to say."""


def entry_of(model: FoundModel, catalog: Catalog, findings: Findings, *, replace: bool, report: Report) -> Entry | None:
    """Return the entry, or None where the checkpoint's sizes cannot be had; the report says why.

    Raises UserError where the catalog has another model of the same id, unless `replace`.
    """
    model_id = _model_id(model, findings)
    there = {each: name for name, family in catalog.families.items() for each in family.models}
    if model_id in there:
        known = catalog.families[there[model_id]].models[model_id]
        if known.source == model.source or not HUB_ID.match(model.source):
            findings.take(model.where, f"model {model_id}", "the catalog has it")
            return _there(there[model_id], model_id, known, model, findings)
        if not replace:
            raise UserError(
                f"model '{model_id}' is in the catalog already, from '{known.source}', not '{cut(model.source)}'",
                where=model.where,
                fix="Give one of the two another id, or put this one in the old one's place with --replace.",
            )
    found = _known(model, model_id, catalog, findings, report)
    if found is None:
        return None
    family, entry = found
    if model_id in there:
        family = there[model_id]
    elif model.family and _is(model.family, FamilyName):
        family = model.family
    if model.trusts_code and "trustRemoteCode" not in entry:
        entry["trustRemoteCode"] = _TRUSTED
        findings.change(model.where, "trust_remote_code", "it is the catalog's, with the reason: write it there")
    return Entry(family, model_id, {key: entry[key] for key in CatalogModel.model_fields if key in entry})


def _there(family: str, model_id: str, known: CatalogModel, model: FoundModel, findings: Findings) -> Entry:
    if model.trusts_code and not known.trustRemoteCode:
        findings.leave_out(model.where, "trust_remote_code", "say why in the catalog: `trustRemoteCode: …`")
    return Entry(family, model_id, None, None if known.source == model.source else model.source)


def _known(
    model: FoundModel, model_id: str, catalog: Catalog, findings: Findings, report: Report
) -> tuple[str, dict[str, Any]] | None:
    """Family and entry, from the nearest place that knows them."""
    if row := library_model_of(model.source):
        findings.take(model.where, f"model {model_id}", f"sizes are those of the library's {row.model_id}")
        _tell_words(row, model, findings)
        return row.family, dict(row.entry)
    for family in catalog.families.values():
        for other, known in family.models.items():
            if known.source == model.source:
                findings.take(model.where, f"model {model_id}", f"sizes are those of {other} of the catalog")
                return family.family, known.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    if not HUB_ID.match(model.source):
        for name in (suggest_model_id(model.source.rstrip("/")), model_id):
            if row := library_model(name):
                findings.take(model.where, f"model {model_id}")
                why = f"its files are taken to be the library's {row.model_id} ({row.model.source}): check that"
                findings.change(model.where, f"the sizes of {cut(model.source)}", why)
                _tell_words(row, model, findings)
                return row.family, {**row.entry, "source": model.source}
    try:
        facts = model_facts(model.source, source=None, revision=None, report=report)
    except UserError as error:
        why = "; ".join(f"{each.what}. {each.fix}".strip() for each in faults(error))
        way = f"add it first: {program()} add <hub id, folder or config.json> --id {model_id} --source {model.source}"
        why = f"its sizes are not known: {cut(why, 200)} Or {way}"
        findings.leave_out_model(model_id, model.where, f"model {model_id}", why)
        return None
    findings.take(model.where, f"model {model_id}", f"sizes were read of {cut(model.source)}")
    return facts.family, dict(facts.entry)


def _tell_words(row: LibraryModel, model: FoundModel, findings: Findings) -> None:
    """What the library says of the model's engine and the manifests do not: it is served so from now on."""
    said = mapping(model.llm_config.get("engine_kwargs"))
    added = [f"{key} {value}" for key, value in row.model.llmConfig.engine_kwargs.items() if key not in said]
    if added:
        why = f"the library's {row.model_id} has them: take them out of the catalog to serve without"
        findings.change(model.where, cut(", ".join(added), 200), why)


def _model_id(model: FoundModel, findings: Findings) -> str:
    if _is(model.model_id, ModelId):
        return model.model_id
    name = suggest_model_id(model.model_id)
    if served_name(model, name):
        findings.take(model.where, f"model_id {cut(model.model_id)}", f"its id is {name}; clients name it as they did")
        return name
    findings.change(model.where, f"its id is {name}", "an id is a part of a route: clients have to ask for that one")
    return name


def served_name(model: FoundModel, model_id: str) -> str | None:
    """What clients go on to name the model, where that is another than its id and Ray can carry it."""
    return model.model_id if model.model_id != model_id and _is(model.model_id, ServedModelName) else None


def _is(name: str, kind: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(name)
    except ValidationError:
        return False
    return True
