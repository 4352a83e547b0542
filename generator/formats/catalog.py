"""The catalog: what each model is, and what its users need. One file per family, edited by people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from generator.documents.merge import JsonObject
from generator.errors import UserError
from generator.formats.architecture import Architecture
from generator.formats.fields import Closed, FamilyName, ModelId, PositiveInt, ServedModelName, Text
from generator.formats.texts import text

DtypeName = Annotated[
    str, text(r"^[A-Z][A-Z0-9_]*$", "a type of weights in capitals, as safetensors names it, such as BF16")
]
VllmVersion = Annotated[str, text(r"^[0-9]{1,4}(\.[0-9]{1,4}){1,2}$", "a version of vLLM, such as 0.11.0")]
Commit = Annotated[str, text(r"^[0-9a-f]{40}$", "a whole commit: 40 characters of 0-9 and a-f")]


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
    bytes: Annotated[dict[DtypeName, PositiveInt], Field(min_length=1)]
    """Bytes by dtype, as the safetensors headers name it (BF16, F32, F8_E4M3, …)."""

    @property
    def total_bytes(self) -> int:
        return sum(self.bytes.values())


class StatedParameters(Closed):
    """How many parameters others say the model has, to hold `weights` against."""

    count: PositiveInt
    source: Text
    differs: str = ""
    """Why `weights` says another number, where they are more than 1 % apart."""


class Provenance(Closed):
    """Where `architecture` and `weights` were read, and where the rest is stated."""

    source: Text
    confidence: str = ""
    """How sure the source is, where it is not the checkpoint itself."""
    statedParameters: StatedParameters | None = None
    statedBy: dict[str, str] = {}
    """Sources of other facts, by their path in the entry: `llmConfig.engine_kwargs.tool_call_parser`."""
    unknown: list[str] = []
    """Paths of what no source was found for."""


class CatalogLLMConfig(Closed):
    """What the model needs of its engine wherever it runs, in Ray's own words. An environment's `llmConfig` wins."""

    engine_kwargs: JsonObject = {}
    """Arguments of vLLM: parsers, `runner`, `hf_overrides`, `limit_mm_per_prompt`, …"""
    runtime_env: JsonObject = {}
    """`env_vars` of its processes."""


Task = Literal["chat", "code", "reasoning", "vision", "omni", "embedding", "rerank", "classify", "transcription"]


class CatalogModel(Closed):
    source: Text
    """Hub id, bucket URI (s3://, gs://, abfss://, azure://), or a path in an image or volume."""
    servedModelName: ServedModelName | None = None
    """What clients name the model, such as Qwen/Qwen2.5-7B-Instruct; left out: its id."""
    revision: Commit | None = None
    """Commit of the hub repository, so that the same weights are served tomorrow."""
    license: Text | None = None
    gated: bool = False
    """Whether the hub gives it only to accounts that accepted its license, so that workers need such a token."""
    task: Task | Annotated[list[Task], Field(min_length=1)] | None = None
    """What people use it for, one or several. It decides nothing: `list library` finds models by it."""
    minVllmVersion: VllmVersion | None = None
    """The first vLLM that serves it, such as 0.11.0. A release that has an older one is told when it is planned."""
    trustRemoteCode: Annotated[str, StringConstraints(min_length=10)] | None = None
    """Why this model must run code of its repository; unset: such code is refused."""
    needs: Needs
    llmConfig: CatalogLLMConfig = CatalogLLMConfig()
    architecture: Architecture
    weights: Weights
    provenance: Provenance | None = None

    @property
    def tasks(self) -> list[Task]:
        """All of them, whether one or several are written."""
        return self.task if isinstance(self.task, list) else [self.task] if self.task else []


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
