"""From a checkpoint to a catalog row and the values of every environment that serves its family."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from generator.checkpoint.checkpoint import Checkpoint, read_checkpoint
from generator.documents.files import read_text
from generator.errors import UserError, cut
from generator.formats.fields import FamilyName, ModelId
from generator.plan.plans import ModelPlan
from generator.progress import Report
from generator.project.catalog_edit import add_to_catalog
from generator.project.project import Generated, Project
from generator.redaction import redact_shapes


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
    plans: dict[str, ModelPlan] = field(default_factory=dict)
    """By environment, where the model would run."""
    notes: list[str] = field(default_factory=list)


def add_model(
    project: Project,
    reference: str,
    *,
    family: str | None = None,
    model_id: str | None = None,
    source: str | None = None,
    revision: str | None = None,
    context: int | None = None,
    sequences: int | None = None,
    report: Report,
) -> Added:
    """Read the checkpoint, extend the catalog's text, and plan every environment that serves the family.

    Faults of any step (no such repository, a model that fits nowhere) are raised before anything is written.
    """
    _check_name(family, FamilyName, "--family")
    _check_name(model_id, ModelId, "--id")
    report(f"reading {cut(redact_shapes(reference), 300)}")
    checkpoint = read_checkpoint(reference, revision=revision, report=report)
    model_id = model_id or checkpoint.model_id
    catalog = project.catalog(may_be_empty=True)
    family = family or _family_of(model_id, checkpoint, {f: set(c.models) for f, c in catalog.families.items()})
    path = catalog.files.get(family, project.root / "catalog" / f"{family}.yaml")
    if family not in catalog.files and path.exists():
        raise UserError(
            f"the file is there and is not family '{family}'", where=str(path), fix="Give another --family."
        )
    if context is not None and context > checkpoint.context:
        raise UserError(
            f"the model knows {checkpoint.context:,} tokens",
            where="--context",
            fix=f"Ask for {checkpoint.context} or less.",
        )
    entry = checkpoint.entry(context=context, sequences=sequences or 64)
    if source:
        # The commit of the repository that was read says nothing about another place.
        entry = {key: value for key, value in entry.items() if key != "revision"} | {"source": source}
    text = add_to_catalog(read_text(path) if path.exists() else None, family=family, model_id=model_id, model=entry)
    changed = project.catalog({path: text})

    parts = [Generated(texts={path: text})]
    plans: dict[str, ModelPlan] = {}
    notes = list(checkpoint.notes)
    for name in project.environment_names():
        if family not in project.environment(name).serve:
            continue
        report(f"planning {name}")
        plan = project.plan(name, changed)
        parts.append(project.values(plan, changed))
        if model_id in plan.models:
            plans[name] = plan.models[model_id]
            notes += [f"{name}: {warning}" for warning in plan.warnings if warning.is_of_model(model_id)]
    return Added(
        model_id=model_id,
        family=family,
        path=path,
        new=family not in catalog.families or model_id not in catalog.families[family].models,
        summary=_summary(checkpoint),
        generated=Generated.merged(parts),
        plans=plans,
        notes=notes,
    )


def _check_name(name: str | None, kind: Any, option: str) -> None:
    """A name from the command line is held to its pattern before it becomes a path."""
    try:
        TypeAdapter(kind | None).validate_python(name)
    except ValidationError as error:
        context = error.errors(include_url=False)[0].get("ctx", {})
        raise UserError(
            f"'{name}' has characters or a length that is not accepted",
            where=option,
            fix=f"It must match {context.get('pattern')}.",
        ) from None


def _family_of(model_id: str, checkpoint: Checkpoint, known: dict[str, set[str]]) -> str:
    """The family that has the id already; else the suggested one."""
    return next((family for family, ids in known.items() if model_id in ids), checkpoint.family)


def _summary(checkpoint: Checkpoint) -> str:
    parts = [
        f"{checkpoint.weights.parameters / 1e9:.2f} B parameters",
        checkpoint.quantization or checkpoint.architecture.torch_dtype,
        f"{checkpoint.context:,} tokens of context",
        checkpoint.architecture.name,
    ]
    return ", ".join(parts + ([f"license {checkpoint.license}"] if checkpoint.license else []))
