"""The library: entries that people copy into their catalog. What is wrong in one is wrong for everybody who has it."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import pytest

from generator.checkpoint.checkpoint import suggest_model_id
from generator.documents.load import load_text
from generator.facts.files import DATA
from generator.facts.releases import releases
from generator.formats.catalog import CatalogModel, Task
from generator.formats.environment import ModelService, Pool
from generator.formats.read import read_catalog
from generator.plan.placement import placements
from generator.plan.pools import node_pools
from generator.plan.requirements import Asked, at, check_release, engine_words, requirements_of

TEXTS = {path: path.read_text(encoding="utf-8") for path in sorted((DATA / "library").glob("*.yaml"))}
CATALOG = read_catalog(TEXTS)
MODELS = {id_: model for family in CATALOG.families.values() for id_, model in family.models.items()}
FAMILIES = {id_: family.family for family in CATALOG.families.values() for id_ in family.models}
ENTRIES: dict[str, Any] = {
    id_: entry for path, text in TEXTS.items() for id_, entry in load_text(text, path.name)["models"].items()
}
RAY = list(releases().values())[-1]
# The largest there is today in common use: two nodes of eight, as one replica takes them at the most.
POOLS = node_pools({"pool": Pool(gpu="H200-141GB", gpusPerNode=8, nodes=2)}, chart={}, where="test")


def words(model: CatalogModel) -> dict[str, Any]:
    return model.llmConfig.engine_kwargs


def test_it_has_models_of_every_kind():
    assert len(MODELS) >= 200
    assert len(CATALOG.families) >= 60
    kinds = Counter(task for model in MODELS.values() for task in model.tasks)
    assert set(kinds) == set(get_args(Task))
    assert kinds["chat"] >= 50
    assert all(count >= 3 for count in kinds.values())


def test_a_file_is_named_after_its_family_and_its_models_as_add_names_them():
    assert {path.stem for path in TEXTS} == set(CATALOG.families)
    assert {id_: suggest_model_id(model.source) for id_, model in MODELS.items()} == {id_: id_ for id_ in MODELS}
    assert not [source for source, times in Counter(m.source for m in MODELS.values()).items() if times > 1]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_a_file_says_what_it_is_and_is_short_enough_to_be_read(path):
    lines = TEXTS[path].splitlines()
    assert lines[0].endswith("catalog.schema.json")
    assert lines[2].startswith("# ")
    assert all(len(line) <= 120 for line in lines)
    assert len(lines) <= 40 * len(CATALOG.families[path.stem].models) + 10


def test_parameters_are_those_that_others_state_or_it_is_said_why_not():
    for id_, model in MODELS.items():
        assert model.provenance is not None
        stated = model.provenance.statedParameters
        if stated is None:
            assert "provenance.statedParameters" in model.provenance.unknown, id_
        else:
            apart = abs(model.weights.parameters / stated.count - 1)
            assert (apart > 0.01) == bool(stated.differs), f"{id_}: {apart:.2%}"


def test_quantized_weights_are_smaller_than_those_that_are_not():
    for id_, model in MODELS.items():
        width = model.weights.total_bytes / model.weights.parameters
        assert width < 1.5 if model.architecture.quant_method else width in (2, 4), f"{id_}: {width:.2f} bytes each"


def test_who_sees_is_found_by_vision() -> None:
    for id_, model in MODELS.items():
        if model.architecture.vision_config:
            assert "vision" in model.tasks, id_


def test_every_source_is_of_something_that_is_there_and_every_gap_is_one():
    for id_, model in MODELS.items():
        assert model.provenance is not None
        assert all(at(ENTRIES[id_], path) is not None for path in model.provenance.statedBy), id_
        assert not [path for path in model.provenance.unknown if at(ENTRIES[id_], path) is not None], id_
        facts = {f"llmConfig.engine_kwargs.{word}" for word in words(model)} - {
            "llmConfig.engine_kwargs.enable_auto_tool_choice"
        }
        facts |= {key for key in ("license", "gated", "minVllmVersion", "trustRemoteCode") if key in ENTRIES[id_]}
        assert facts <= set(model.provenance.statedBy), id_
        assert model.license or "license" in model.provenance.unknown, id_


def test_who_calls_tools_says_so_and_who_reasons_has_a_parser_or_none_is_known():
    for id_, model in MODELS.items():
        assert model.provenance is not None
        assert ("tool_call_parser" in words(model)) == (words(model).get("enable_auto_tool_choice") is True), id_
        if {"chat", "code", "reasoning"} & set(model.tasks):
            known = {f"llmConfig.engine_kwargs.{word}" for word in words(model)} | set(model.provenance.unknown)
            assert "llmConfig.engine_kwargs.tool_call_parser" in known, id_
            assert "reasoning" not in model.tasks or "llmConfig.engine_kwargs.reasoning_parser" in known, id_


@pytest.mark.parametrize("family", CATALOG.families)
def test_every_model_plans_with_words_that_the_newest_release_knows(family):
    for id_, model in CATALOG.families[family].models.items():
        check_release(id_, model, RAY, file=f"{family}.yaml", where=id_)
        asked = ModelService(llmConfig=engine_words(model))
        needs = requirements_of(Asked(family, id_, None, asked), CATALOG, vllm=RAY.vllm, where=id_)
        assert min(placement.split.gpus for placement in placements(needs, POOLS, RAY, where=id_)) <= 16
