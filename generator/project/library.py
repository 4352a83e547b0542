"""The library: entries of models that people serve, in the catalog's own form, shipped with the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from generator.documents.load import load_text
from generator.documents.merge import common
from generator.errors import UserError
from generator.facts.files import DATA
from generator.facts.releases import RayRelease
from generator.formats.catalog import Catalog, CatalogModel
from generator.formats.environment import ModelService, Pool
from generator.formats.read import read_catalog
from generator.plan.placement import placements
from generator.plan.pools import node_pools
from generator.plan.requirements import Asked, check_release, engine_words, requirements_of

FOLDER = DATA / "library"
_LARGEST_NODE = 8
"""GPUs."""


@dataclass(frozen=True, kw_only=True)
class LibraryModel:
    model_id: str
    family: str
    model: CatalogModel
    entry: dict[str, Any]
    """The same, as it is written."""


@cache
def library() -> Catalog:
    """All of it. Reading it takes a second or two, so it is read once."""
    return read_catalog({path: _text(path) for path in _files()})


def library_model(model_id: str) -> LibraryModel | None:
    """The model of that id, where there is one."""
    return _first(f"\n  {model_id}:\n", lambda found: found.model_id == model_id)


def library_model_of(source: str) -> LibraryModel | None:
    """The model of that hub id, in any case of its letters as on the hub, where there is one."""
    return _first(f" source: {source}\n", lambda found: found.model.source.lower() == source.lower())


def words_of_architecture(name: str, *, task: str | None = None) -> tuple[dict[str, Any], list[str]]:
    """What all library models of an architecture need of their engine, and their ids; nothing where there is one.

    `task`: of those alone that do that.
    """
    alike = [
        (model_id, model)
        for family in library().families.values()
        for model_id, model in family.models.items()
        if model.architecture.name == name and task in (None, model.task)
    ]
    if len(alike) < 2:
        return {}, []
    first, *others = (engine_words(model) for _, model in alike)
    words = common(first, others)
    engine = words.get("engine_kwargs", {})
    if "tool_call_parser" not in engine:  # their parsers differ, and without one vLLM refuses every tool
        engine.pop("enable_auto_tool_choice", None)
    return {key: said for key, said in words.items() if said != {}}, [model_id for model_id, _ in alike]


def fewest_gpus(model_id: str, catalog: Catalog, family: str, gpu: str, ray: RayRelease) -> int:
    """GPUs of this type, of one node, that hold the model as its entry asks; 0 where a node's do not, or none may."""
    pool = Pool(gpu=gpu, gpusPerNode=_LARGEST_NODE, nodes=1)
    model = catalog.families[family].models[model_id]
    try:
        check_release(model_id, model, ray, file=str(catalog.files[family]), where=model_id)
        words = ModelService(llmConfig=engine_words(model))
        asked = requirements_of(Asked(family, model_id, None, words), catalog, vllm=ray.vllm, where=model_id)
        possible = placements(asked, node_pools({"pool": pool}, chart={}, where=model_id), ray, where=model_id)
    except UserError:
        return 0
    return min(placement.split.gpus for placement in possible)


def _first(text: str, is_meant: Callable[[LibraryModel], bool]) -> LibraryModel | None:
    """Only files that have the text are read as YAML."""
    candidates = (found for path in _files() if text.lower() in _text(path).lower() for found in _models(path))
    return next(filter(is_meant, candidates), None)


@cache
def _models(path: Path) -> list[LibraryModel]:
    entries = load_text(_text(path), path.name)["models"]
    return [
        LibraryModel(model_id=model_id, family=family.family, model=model, entry=entries[model_id])
        for family in read_catalog({path: _text(path)}).families.values()
        for model_id, model in family.models.items()
    ]


def _files() -> list[Path]:
    return sorted(FOLDER.glob("*.yaml"))


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
