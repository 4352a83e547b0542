"""The catalog: what each model is, and what its users need. One file per family, edited by people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from generator.documents.load import faults, parse_text, place
from generator.errors import UserError, UserErrors
from generator.formats.architecture import Architecture
from generator.formats.fields import Closed, FamilyName, ModelId, PositiveInt


class Needs(Closed):
    """What the users of a model need."""

    context: PositiveInt
    """Tokens of prompt and answer together."""
    sequences: PositiveInt = 64
    """Requests that one replica works on at the same time."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Type of activations and of unquantized weights; `auto`: the checkpoint's own."""


class Weights(Closed):
    parameters: PositiveInt
    bytes: Annotated[
        dict[Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")], PositiveInt], Field(min_length=1)
    ]
    """Bytes by dtype, as the safetensors headers name it (BF16, F32, F8_E4M3, …)."""

    @property
    def total_bytes(self) -> int:
        return sum(self.bytes.values())


class Provenance(Closed):
    """Where `architecture` and `weights` were read."""

    source: str
    confidence: str = ""
    """How sure the source is, where it is not the checkpoint itself."""


class CatalogModel(Closed):
    source: str
    """Hub id, bucket URI (s3://, gs://, abfss://, azure://), or a path in an image or volume."""
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None = None
    """Commit of the hub repository, so that the same weights are served tomorrow."""
    license: str | None = None
    trustRemoteCode: Annotated[str, StringConstraints(min_length=10)] | None = None
    """Why this model must run code of its repository; unset: such code is refused."""
    needs: Needs
    architecture: Architecture
    weights: Weights
    provenance: Provenance | None = None


class CatalogFile(Closed):
    """One family of models."""

    family: FamilyName
    models: Annotated[dict[ModelId, CatalogModel], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Every family, by name; and for each the file that says it."""

    families: dict[str, CatalogFile]
    files: dict[str, Path]

    def family(self, name: str, *, where: str) -> CatalogFile:
        """Return the family, or raise a UserError that names the nearest one."""
        if name not in self.families:
            raise UserError.unknown("family", name, self.families, where=where)
        return self.families[name]


def read_catalog(texts: Mapping[Path, str]) -> Catalog:
    """Read the texts of catalog files. A model id or a family given twice is an error: ids are keys everywhere.

    The faults of all files are raised at once, as UserErrors.
    """
    errors: list[UserError] = []
    families: dict[str, CatalogFile] = {}
    files: dict[str, Path] = {}
    owners: dict[str, Path] = {}
    for path, text in sorted(texts.items()):
        try:
            file = parse_text(text, str(path), CatalogFile)
        except UserError as error:
            errors += faults(error)
            continue
        if file.family in files:
            errors.append(
                UserError(
                    f"family '{file.family}' is already in {files[file.family]}",
                    where=place(text, str(path), ["family"]),
                    fix="Give one of the two another `family`, or move its models into one file.",
                )
            )
            continue
        for model_id, model in file.models.items():
            most = model.architecture.max_position_embeddings
            if model.needs.context > most:
                errors.append(
                    UserError(
                        f"needs a context of {model.needs.context:,} tokens and knows {most:,}",
                        where=place(text, str(path), ["models", model_id, "needs", "context"]),
                        fix=f"Set it to {most} or less.",
                    )
                )
            if model_id in owners:
                errors.append(
                    UserError(
                        f"model '{model_id}' is already in {owners[model_id]}",
                        where=place(text, str(path), ["models", model_id]),
                        fix="Give one of the two another id: it is the model's name for every client.",
                    )
                )
            owners.setdefault(model_id, path)
        families[file.family] = file
        files[file.family] = path
    if errors:
        raise UserErrors(errors)
    return Catalog(families=families, files=files)
