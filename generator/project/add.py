"""From a model's own facts to a catalog entry, and to the values of every environment that serves its family.

The facts are a checkpoint's, or those of the library, which needs no network. Of a checkpoint that the library knows,
what no checkpoint says is filled in: what the model needs of its engine.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from generator.checkpoint.checkpoint import Checkpoint, read_checkpoint
from generator.checkpoint.reference import reference_of
from generator.documents.files import read_text
from generator.documents.merge import merged
from generator.errors import UserError, cut, did_you_mean
from generator.formats.architecture import Architecture
from generator.formats.catalog import CatalogModel, Weights
from generator.formats.fields import FamilyName, ModelId, ServedModelName
from generator.formats.names import check_name
from generator.formats.read import read_environment
from generator.plan.check import TOKEN
from generator.plan.plan import make_plan
from generator.plan.plans import ModelPlan
from generator.progress import Report
from generator.project.catalog_edit import add_to_catalog
from generator.project.environment_edit import serve_model
from generator.project.library import LibraryModel, library, library_model, library_model_of, words_of_architecture
from generator.project.project import Generated, Project
from generator.redaction import redact_shapes

FILLED = ("license", "gated", "task", "minVllmVersion", "llmConfig")
"""What the library fills into the entry of a checkpoint that it knows. Whose code to trust is people's to say."""

_RERANKER = "rerank"
"""In the names of models that give scores."""

_UNKNOWN = {
    "license": "its license",
    "llmConfig.engine_kwargs.tool_call_parser": (
        "a parser of its tool calls, so vLLM answers with none (`tool_call_parser`, if it can call tools)"
    ),
    "llmConfig.engine_kwargs.reasoning_parser": (
        "a parser of its reasoning, so that comes as part of the answer (`reasoning_parser`, if there is one)"
    ),
    "provenance.statedParameters": "how many parameters it has, so those here are computed from its config.json alone",
    "trustRemoteCode": "whether it runs code of its repository, which is refused",
}
"""What the library does not know, by its path, in words."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """What `add` would write, and what to say of it. Nothing is written yet."""

    model_id: str
    family: str
    path: Path
    new: bool
    """False where the id was in the catalog and is read again."""
    summary: str
    generated: Generated
    plans: dict[str, list[ModelPlan]] = field(default_factory=dict)
    """By environment, where the model would run, or its prefill and decode."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """A model's facts, wherever they were read."""

    model_id: str
    family: str
    entry: dict[str, Any]
    context: int
    """Tokens that it knows."""
    summary: str
    notes: tuple[str, ...]


def add_model(
    project: Project,
    reference: str,
    *,
    family: str | None = None,
    model_id: str | None = None,
    served_model_name: str | None = None,
    source: str | None = None,
    revision: str | None = None,
    context: int | None = None,
    sequences: int | None = None,
    replace: bool = False,
    environment: str | None = None,
    report: Report,
) -> Added:
    """Read the checkpoint or the library, extend the catalog's text, and plan every environment that serves the family.

    Faults of any step (no such repository, a model that fits nowhere) are raised before anything is written. `replace`:
    another model of the same id may be there. `environment` serves the model too.
    """
    check_name(family, FamilyName, "--family")
    check_name(model_id, ModelId, "--id")
    check_name(served_model_name, ServedModelName, "--served-model-name")
    found = model_facts(reference, source=source, revision=revision, report=report)
    model_id = model_id or found.model_id
    if context is not None and context > found.context:
        raise UserError(
            f"the model knows {found.context:,} tokens",
            where="--context",
            fix=f"Ask for {found.context} or less.",
        )
    catalog = project.catalog(may_be_empty=True)
    family = family or _family_of(model_id, found, {f: set(c.models) for f, c in catalog.families.items()})
    path = catalog.files.get(family, project.root / "catalog" / f"{family}.yaml")
    if family not in catalog.files and path.exists():
        raise UserError(
            f"the file is there and is not family '{family}'", where=str(path), fix="Give another --family."
        )
    entry = _entry(found, source=source, context=context, sequences=sequences)
    if served_model_name is not None:
        entry["servedModelName"] = served_model_name
    text = add_to_catalog(
        read_text(path) if path.exists() else None, family=family, model_id=model_id, model=entry, replace=replace
    )
    changed = project.catalog({path: text})

    parts = [Generated(texts={path: text})]
    targets = {name: project.environment(name) for name in project.environment_names()}
    if environment is not None:
        where = project.environment_path(environment)
        if not project.environment(environment).serves(family, model_id):
            edited = serve_model(read_text(where), family=family, model_id=model_id, where=str(where))
            targets[environment] = read_environment(where, text=edited)
            parts.append(Generated(texts={where: edited}))
    plans: dict[str, list[ModelPlan]] = {}
    notes = list(found.notes)
    for name, target in targets.items():
        if family not in target.serve:
            continue
        report(f"planning {name}")
        plan = make_plan(name, target, changed, where=str(project.environment_path(name)))
        parts.append(project.values(plan, changed))
        if model_id in plan.by_id:
            plans[name] = plan.by_id[model_id]
            notes += [f"{name}: {warning}" for warning in plan.warnings if warning.is_of_model(model_id)]
    return Added(
        model_id=model_id,
        family=family,
        path=path,
        new=family not in catalog.families or model_id not in catalog.families[family].models,
        summary=found.summary,
        generated=Generated.merged(parts),
        plans=plans,
        notes=notes,
    )


def model_facts(reference: str, *, source: str | None, revision: str | None, report: Report) -> ModelFacts:
    """Read a model of the library, of the hub or of a folder, as `add` takes its argument.

    A folder or file that is there wins over a name of the library, as it does over a hub id. The hub is asked for
    models that the library does not have, and where a `revision` is given.
    """
    name = reference.strip().lower() if "/" not in reference else reference.strip()
    if _is_a_name(name) and not os.path.lexists(reference.strip()):
        if revision:
            raise UserError("the library has no revisions", where="--revision", fix="Give the model's hub id.")
        if model := library_model(name):
            return _of_library(model)
        ids = [model_id for each in library().families.values() for model_id in each.models]
        raise UserError(
            "is no folder or file here, and no model of the library",
            where=cut(redact_shapes(name), 300),
            fix=f"{did_you_mean(name, ids)} `list library` shows them all; other models have a hub id or a folder.",
        )
    if model := None if revision else _library_model_named(reference):
        note = f"this is the library's entry of {model.model_id}; --revision reads the hub's own files, with its commit"
        facts = _of_library(model)
        return replace(facts, notes=(note, *facts.notes))
    report(f"reading {cut(redact_shapes(reference), 300)}")
    checkpoint = read_checkpoint(reference, revision=revision, served_from=source, report=report)
    return _of_checkpoint(checkpoint)


def _library_model_named(reference: str) -> LibraryModel | None:
    """The library's model of that hub id. Raises UserError where the reference is nothing that can be read."""
    named = reference_of(reference)
    return library_model_of(named.repository) if named.repository and not named.revision else None


def _is_a_name(text: str) -> bool:
    try:
        TypeAdapter(ModelId).validate_python(text)
    except ValidationError:
        return False
    return not text.endswith(".json")


def _of_library(found: LibraryModel) -> ModelFacts:
    model = found.model
    unknown = model.provenance.unknown if model.provenance else []
    notes = [f"nobody states {'; or '.join(_UNKNOWN.get(path, path) for path in unknown)}"] if unknown else []
    if model.gated:
        notes.append(TOKEN)
    if model.trustRemoteCode:
        notes.append(
            "it runs code of its repository, as `trustRemoteCode` says; without that line such code is refused"
        )
    return ModelFacts(
        model_id=found.model_id,
        family=found.family,
        entry=found.entry,
        context=model.architecture.max_position_embeddings,
        summary=_summary(model.weights, model.architecture, model.architecture.max_position_embeddings, model.license),
        notes=tuple(notes),
    )


def _of_checkpoint(checkpoint: Checkpoint) -> ModelFacts:
    filled, notes = _known_of(checkpoint)
    return ModelFacts(
        model_id=checkpoint.model_id,
        family=checkpoint.family,
        entry=merged(filled, checkpoint.entry()),
        context=checkpoint.context,
        summary=_summary(checkpoint.weights, checkpoint.architecture, checkpoint.context, checkpoint.license),
        notes=(*checkpoint.notes, *notes),
    )


def _known_of(checkpoint: Checkpoint) -> tuple[dict[str, Any], list[str]]:
    """What the library knows of that model, or else of its architecture, that no checkpoint says; and what to tell."""
    if model := library_model_of(checkpoint.source):
        filled = {key: model.entry[key] for key in FILLED if key in model.entry}
        return filled, [f"{', '.join(filled)} are the library's"] if filled else []
    if reranks := _reranker_words(checkpoint):
        return reranks
    words, alike = words_of_architecture(checkpoint.architecture.name)
    if not words:
        return {}, []
    others = cut(", ".join(alike), 80)
    return {"llmConfig": words}, [f"llmConfig is what the library's models of that architecture share ({others})"]


def _reranker_words(checkpoint: Checkpoint) -> tuple[dict[str, Any], list[str]] | None:
    """The same of a model that is named a reranker and whose files are those of one that chats; None of any other.

    How such a model's words become a score no file says. Where its card says that it ranks, it is taken for one of
    those that the library has of its architecture.
    """
    name = checkpoint.architecture.name
    if _RERANKER not in checkpoint.model_id or not name.endswith("ForCausalLM"):
        return None
    words, alike = words_of_architecture(name, task="rerank")
    if not words:
        return None
    others = cut(", ".join(alike), 80)
    if checkpoint.ranks and not checkpoint.embeds:
        note = "task and llmConfig are those of the library's rerankers of that architecture"
        return {"task": "rerank", "llmConfig": words}, [f"{note} ({others}): compare them with its card"]
    return {}, [
        "its name says that it is a reranker, and its files are those of a model that chats, as which it is served; "
        f"if it scores as {others} do, write `task: rerank` and `llmConfig: {json.dumps(words)}` into its entry"
    ]


def _entry(found: ModelFacts, *, source: str | None, context: int | None, sequences: int | None) -> dict[str, Any]:
    """The catalog entry, with what the command line says over it, in the order of the format."""
    needs = dict(found.entry["needs"])
    needs |= {key: value for key, value in (("context", context), ("sequences", sequences)) if value is not None}
    entry = found.entry | {"needs": needs}
    if source:
        # The commit of the repository that was read says nothing about another place.
        entry = {key: value for key, value in entry.items() if key != "revision"} | {"source": source}
    return {key: entry[key] for key in CatalogModel.model_fields if key in entry}


def _family_of(model_id: str, found: ModelFacts, known: dict[str, set[str]]) -> str:
    """The family that has the id already; else the suggested one."""
    return next((family for family, ids in known.items() if model_id in ids), found.family)


def _summary(weights: Weights, architecture: Architecture, context: int, license: str | None) -> str:
    parts = [
        f"{weights.parameters / 1e9:.2f} B parameters",
        architecture.quant_method or architecture.torch_dtype,
        f"{context:,} tokens of context",
        architecture.name,
    ]
    return ", ".join(parts + ([f"license {license}"] if license else []))
