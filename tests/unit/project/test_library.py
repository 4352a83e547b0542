"""The library as `add` and `list` use it. What is in it is held by tests/unit/data/test_library.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.cli.listing import library_rows
from generator.errors import UserError
from generator.facts.releases import newest
from generator.formats.catalog import CatalogFile
from generator.formats.llm_config_rules import broken_rules
from generator.progress import silent
from generator.project.add import Added, add_model
from generator.project.library import fewest_gpus, library, library_model, library_model_of, words_of_architecture
from generator.project.project import Project

QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "torch_dtype": "bfloat16",
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty catalog, and an environment that serves a family which is not there yet."""
    root = tmp_path / "project"
    (root / "catalog").mkdir(parents=True)
    (root / "environments").mkdir()
    environment = {
        "namespace": "ai",
        "ray": "2.60.0",
        "pools": {"l40s": {"gpu": "L40S-48GB", "gpusPerNode": 4, "nodes": 2}},
        "serve": {"qwen3": {}},
    }
    (root / "environments" / "dev.yaml").write_text(yaml.safe_dump(environment))
    return Project.at(root)


def written(added: Added) -> dict[str, Any]:
    entry: dict[str, Any] = yaml.safe_load(added.generated.texts[added.path])["models"][added.model_id]
    return entry


def stored(folder: Path, name: str, **fields: Any) -> str:
    """A configuration in a file; `None` takes a key out."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(json.dumps({key: value for key, value in (QWEN3 | fields).items() if value is not None}))
    return str(file)


def test_a_name_of_the_library_becomes_its_entry_and_is_served(project: Project) -> None:
    known = library_model("qwen3-32b")
    assert known is not None

    added = add_model(project, "qwen3-32b", report=silent)

    assert written(added) == known.entry
    assert added.plans["dev"][0].placement.split.gpus >= 2
    values = yaml.safe_load(added.generated.texts[project.values_path("dev", "qwen3")])
    engine = values["models"]["qwen3-32b"]["llmConfig"]["engine_kwargs"]
    assert (engine["tool_call_parser"], engine["reasoning_parser"]) == ("hermes", "qwen3")


def test_the_command_line_says_what_is_other_here(project: Project) -> None:
    added = add_model(
        project, "qwen3-8b", model_id="chat", source="s3://weights/qwen3-8b", context=4096, sequences=8, report=silent
    )

    entry = written(added)
    assert (entry["source"], entry["needs"]) == ("s3://weights/qwen3-8b", {"context": 4096, "sequences": 8})


def test_a_misspelt_name_is_told_the_nearest(project: Project) -> None:
    with pytest.raises(UserError) as refused:
        add_model(project, "qwen3-23b", report=silent)

    assert "no model of the library" in str(refused.value)
    assert "did you mean 'qwen3-32b'?" in str(refused.value)


def test_a_hub_id_that_the_library_knows_needs_no_network(project: Project) -> None:
    added = add_model(project, "qwen/qwen3-4b", report=silent)

    known = library_model("qwen3-4b")
    assert known is not None and written(added) == known.entry
    assert any("this is the library's entry of qwen3-4b" in note for note in added.notes)


def test_a_folder_of_that_name_wins(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stored(tmp_path / "qwen3-32b", "config.json")

    added = add_model(project, "qwen3-32b", family="mine", report=silent)

    assert written(added)["weights"]["parameters"] < 1e9


def test_what_the_library_knows_of_a_checkpoint_is_filled_in_and_told(project: Project, tmp_path: Path) -> None:
    known = library_model_of("Qwen/Qwen3-0.6B")
    assert known is not None

    folder = tmp_path / "models--Qwen--Qwen3-0.6B" / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    added = add_model(project, stored(folder, "config.json"), report=silent)

    assert written(added)["llmConfig"] == known.entry["llmConfig"]
    assert any("are the library's" in note for note in added.notes)


def test_what_all_models_of_the_architecture_need_is_filled_in_and_told(project: Project, tmp_path: Path) -> None:
    words, alike = words_of_architecture("Qwen3ForCausalLM")
    added = add_model(project, stored(tmp_path / "mine", "config.json"), report=silent)

    assert len(alike) > 4
    assert written(added).get("llmConfig", {}) == words
    assert bool(words) == any("models of that architecture share" in note for note in added.notes)


@pytest.mark.parametrize("card", ["", "tags: [x, text-ranking]", "pipeline_tag: text-ranking"])
def test_a_reranker_whose_files_are_those_of_a_chat_model_is_told(project: Project, tmp_path: Path, card: str) -> None:
    known = library_model_of("Qwen/Qwen3-Reranker-0.6B")
    assert known is not None
    folder = tmp_path / "My-Reranker-0.6B"
    stored(folder, "config.json")
    (folder / "README.md").write_text(f"---\n{card}\n---\n" if card else "Hello.", encoding="utf-8")

    added = add_model(project, str(folder), report=silent)

    words = {key: known.entry[key] for key in ("task", "llmConfig")}
    if card:
        assert {key: written(added)[key] for key in words} == words
        assert any("are those of the library's rerankers of that architecture" in note for note in added.notes)
    else:
        assert not words.keys() & written(added).keys()
        (note,) = (note for note in added.notes if "its name says that it is a reranker" in note)
        assert json.loads(note.partition("llmConfig: ")[2].partition("`")[0]) == known.entry["llmConfig"]


def test_what_models_of_an_architecture_share_is_accepted_by_itself() -> None:
    architectures = {m.architecture.name for family in library().families.values() for m in family.models.values()}
    shared = {name: words_of_architecture(name)[0] for name in architectures}

    assert "enable_auto_tool_choice" not in str(shared["DeepseekV3ForCausalLM"])  # they have several parsers
    broken = {name: [*broken_rules(words, newest().ray, whole=True)] for name, words in shared.items()}
    assert not any(broken.values()), broken


def test_files_of_one_folder_are_models_of_their_own(project: Project, tmp_path: Path) -> None:
    first = add_model(project, stored(tmp_path / "configs", "one.json"), family="mine", report=silent)
    second = add_model(project, stored(tmp_path / "configs", "two.json"), family="mine", report=silent)
    named = add_model(
        project, stored(tmp_path / "configs", "x.json", _name_or_path="Org/Name"), family="mine", report=silent
    )

    assert (first.model_id, second.model_id, named.model_id) == ("one", "two", "name")


def test_another_model_of_the_same_id_is_replaced_only_where_that_is_said(project: Project, tmp_path: Path) -> None:
    first = stored(tmp_path / "one", "config.json")
    other = stored(tmp_path / "two", "config.json", num_hidden_layers=14)
    path = project.root / "catalog" / "mine.yaml"
    path.write_text(add_model(project, first, family="mine", model_id="m", report=silent).generated.texts[path])
    before = path.read_text()

    with pytest.raises(UserError, match="is in the catalog already, from") as refused:
        add_model(project, other, family="mine", model_id="m", report=silent)
    assert "--replace" in str(refused.value)

    replaced = add_model(project, other, family="mine", model_id="m", replace=True, report=silent)
    assert written(replaced)["architecture"]["num_hidden_layers"] == 14
    assert path.read_text() == before


def test_a_copy_elsewhere_is_the_same_model(project: Project, tmp_path: Path) -> None:
    first = stored(tmp_path / "one", "config.json")
    path = project.root / "catalog" / "mine.yaml"
    path.write_text(add_model(project, first, family="mine", model_id="m", report=silent).generated.texts[path])
    shutil.copytree(tmp_path / "one", tmp_path / "copy")

    again = add_model(project, str(tmp_path / "copy" / "config.json"), family="mine", model_id="m", report=silent)

    assert not again.new


def test_a_source_that_is_given_is_not_asked_for(project: Project, tmp_path: Path) -> None:
    file = stored(tmp_path / "one", "config.json")

    def asks(**options: Any) -> bool:
        return any("set `source`" in note for note in add_model(project, file, report=silent, **options).notes)

    assert asks() and not asks(source="s3://bucket/m")


def test_how_many_gpus_a_model_takes() -> None:
    catalog = library()

    def of(model_id: str, gpu: str) -> int:
        family = next(family for family, file in catalog.families.items() if model_id in file.models)
        return fewest_gpus(model_id, catalog, family, gpu, newest())

    assert of("qwen3-8b", "L4-24GB") == 1
    assert of("qwen3-32b", "L4-24GB") == 4
    assert of("deepseek-r1", "L4-24GB") == 0


def test_an_entry_is_a_catalogs() -> None:
    known = library_model("qwen3-8b")
    assert known is not None
    assert CatalogFile.model_validate({"family": "f", "models": {"m": known.entry}})
    assert library_model("no-such-model") is None and library_model_of("no/such") is None


def test_a_model_of_several_tasks_is_found_by_each() -> None:
    for task in ("reasoning", "vision"):
        rows = {row["model"]: row for row in library_rows(task=task, gpu=None, report=silent)}
        assert rows["qwen3.5-9b"]["task"] == ["reasoning", "vision"]
        assert all(task in row["task"] for row in rows.values())


def test_what_is_not_known_and_what_a_gated_model_needs_is_told_in_words(project: Project) -> None:
    notes = "\n".join(add_model(project, "llama-3.2-1b-instruct", report=silent).notes)

    assert "kubectl create secret generic hf-token" in notes
    assert "engine_kwargs." not in notes and "provenance" not in notes
