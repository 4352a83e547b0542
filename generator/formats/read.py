"""Files of people as the formats' models, checked as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generator.documents.files import read_text
from generator.documents.load import Origin, load_text, location
from generator.documents.merge import JsonObject, merged
from generator.errors import Faults, UserError
from generator.facts.releases import release
from generator.formats.access import check_open_by_choice
from generator.formats.catalog import Catalog, CatalogFile
from generator.formats.check import check_document
from generator.formats.environment import Environment
from generator.formats.faults import parse_data, parse_text


def read_catalog(texts: Mapping[Path, str]) -> Catalog:
    """Read the texts of catalog files. A model id or a family given twice is an error: ids are keys everywhere.

    The faults of all files are raised at once, as UserErrors.
    """
    faults = Faults()
    families: dict[str, CatalogFile] = {}
    files: dict[str, Path] = {}
    owners: dict[str, Path] = {}
    for path, text in sorted(texts.items()):
        with faults.gathered():
            file = parse_text(text, str(path), CatalogFile)
            if file.family in files:
                raise UserError(
                    f"family '{file.family}' is already in {files[file.family]}",
                    where=location(text, str(path), ["family"]),
                    fix="Give one of the two another `family`, or move its models into one file.",
                )
            faults.add(*_model_faults(file, text, path, owners))
            owners = dict.fromkeys(file.models, path) | owners
            families[file.family] = file
            files[file.family] = path
    faults.raise_any()
    return Catalog(families=families, files=files)


_OF_THE_ENVIRONMENT = "It depends on the GPUs: the plan decides it, and an environment's `llmConfig` may."
SAID_ELSEWHERE = {
    **dict.fromkeys(
        (
            "tensor_parallel_size",
            "pipeline_parallel_size",
            "data_parallel_size",
            "distributed_executor_backend",
            "gpu_memory_utilization",
            "kv_cache_memory_bytes",
            "num_gpu_blocks_override",
            "max_num_batched_tokens",
        ),
        _OF_THE_ENVIRONMENT,
    ),
    "max_model_len": "Say it as `needs: {context: …}`.",
    "max_num_seqs": "Say it as `needs: {sequences: …}`.",
    "dtype": "Say it as `needs: {dtype: …}`.",
    "trust_remote_code": "Say why as `trustRemoteCode: …`.",
    "revision": "Say it as `revision: …`, beside `source`.",
    "tokenizer_revision": "Say it as `revision: …`, beside `source`.",
}
"""Engine arguments that a catalog entry cannot have in its `llmConfig`, and what to do instead."""


def _model_faults(file: CatalogFile, text: str, path: Path, owners: Mapping[str, Path]) -> Iterator[UserError]:
    """What is wrong with single models; `owners` are the files of those that are known already."""
    for model_id, model in file.models.items():
        most = model.architecture.max_position_embeddings
        if model.needs.context > most:
            yield UserError(
                f"needs a context of {model.needs.context:,} tokens and knows {most:,}",
                where=location(text, str(path), ["models", model_id, "needs", "context"]),
                fix=f"Set it to {most} or less.",
            )
        for argument in model.llmConfig.engine_kwargs.keys() & SAID_ELSEWHERE.keys():
            yield UserError(
                f"'{argument}' has no place in the catalog",
                where=location(text, str(path), ["models", model_id, "llmConfig", "engine_kwargs", argument]),
                fix=SAID_ELSEWHERE[argument],
            )
        if model_id in owners:
            yield UserError(
                f"model '{model_id}' is already in {owners[model_id]}",
                where=location(text, str(path), ["models", model_id]),
                fix="Give one of the two another id: it is the model's name for every client.",
            )


def read_environment(path: Path, *, text: str | None = None) -> Environment:
    """Read one `environments/<name>.yaml`, or the `text` that it shall have, over the environment that it extends.

    What it says in the chart's and Ray's words is checked by their schemas.
    """
    data, origin = _over_its_base(path, text, ())
    environment = parse_data(data, origin, Environment)
    ray = release(environment.ray, where=origin.location(["ray"]))
    release(environment.ray, vllm=environment.vllm, where=origin.location(["vllm"]))
    check_document(data, "environment", origin)
    check_open_by_choice(environment.chart, ray, where=origin.location(["chart", "networkPolicy"]))
    return environment


def is_base(path: Path) -> bool:
    """Whether an environment's file is there to be extended alone."""
    return path.name.startswith("_")


def _over_its_base(path: Path, text: str | None, above: tuple[Path, ...]) -> tuple[Any, Origin]:
    """What an environment says, merged over what it extends; `above` are those that extend it."""
    text = read_text(path) if text is None else text
    data = load_text(text, str(path))
    name = data.get("extends") if isinstance(data, dict) else None
    if not isinstance(name, str):
        return data, Origin(str(path), text)
    where = location(text, str(path), ["extends"])
    bases = {file.stem: file for file in sorted(path.parent.glob("*.yaml"))}
    if name not in bases:
        raise UserError.unknown("environment", name, bases, where=where)
    if bases[name] in (path, *above):
        raise UserError("an environment extends itself by way of others", where=where, fix="Break the circle.")
    base, origin = _over_its_base(bases[name], None, (path, *above))
    if not isinstance(base, dict):
        raise UserError("is empty or no mapping", where=origin.name, fix="An environment is a mapping.")
    return _without_dropped(merged(base, data), base), Origin(str(path), text, origin)


def _without_dropped(whole: JsonObject, base: JsonObject) -> JsonObject:
    """Without the pools and apps of the base that have nothing behind their name now, as Helm does with a null.

    Below `serve` nothing means all models of a family.
    """
    kept = dict(whole)
    for key in ("pools", "apps"):
        if isinstance(whole.get(key), dict) and isinstance(base.get(key), dict):
            kept[key] = {
                name: value for name, value in whole[key].items() if value is not None or name not in base[key]
            }
    return kept
