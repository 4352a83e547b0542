"""A model that shall run on another engine than vLLM is told in one message, wherever its people say it."""

from __future__ import annotations

from typing import Any

import pytest

from generator.documents.load import Origin
from generator.errors import UserError, faults
from generator.formats.catalog import CatalogFile
from generator.formats.check import document_faults
from generator.formats.environment import Environment
from generator.formats.faults import parse_data
from generator.migrate.found import Findings
from generator.migrate.llm_config import model_of

SERVER = "ray.llm._internal.serve.engines.sglang.sglang_engine.SGLangServer"
SOURCE = {"model_loading_config": {"model_source": "a/b"}}


def values(llm_config: dict[str, Any], **model: Any) -> dict[str, Any]:
    return {"models": {"m": {"family": "f", "llmConfig": {**SOURCE, **llm_config}, **model}}}


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (values({"llm_engine": "SGLang"}), ("models", "m", "llmConfig", "llm_engine")),
        (values({"server_cls": SERVER}), ("models", "m", "llmConfig", "server_cls")),
        (values({}, engine="sglang"), ("models", "m", "engine")),
    ],
    ids=["llm_engine", "its class", "a word of people's own"],
)
def test_values_that_name_sglang_are_refused(document: dict[str, Any], place: tuple[str, ...]) -> None:
    (told,) = document_faults(document, "values")

    assert told.path == place
    assert "models run on vLLM, and SGLang is not served" in told.what
    assert told.fix.startswith("Remove it")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (CatalogFile, {"family": "f", "models": {"m": {"source": "a/b", "engine": "sglang"}}}),
        (Environment, {"namespace": "ai", "serve": {"f": {"models": {"m": {"llmConfig": {"llm_engine": "SGLang"}}}}}}),
    ],
    ids=["catalog", "environment"],
)
def test_so_are_a_catalog_and_an_environment(kind: type[Any], data: dict[str, Any]) -> None:
    with pytest.raises(UserError) as refused:
        parse_data(data, Origin("file.yaml"), kind)

    (told,) = faults(refused.value)
    assert "SGLang is not served" in str(told)


def test_import_leaves_the_words_out_and_says_why() -> None:
    findings = Findings()
    named = {"model_loading_config": {"model_id": "m", "model_source": "a/b"}, "llm_engine": "SGLang"}

    model = model_of({**named, "server_cls": SERVER}, findings, where="file.yaml")

    assert model is not None and model.llm_config == {}
    assert [(line.what.split(":")[0], line.why) for line in findings.left_out] == [
        ("llm_engine", "models run on vLLM"),
        ("server_cls", "models run on vLLM"),
    ]


def test_an_app_of_ones_own_runs_what_it_likes() -> None:
    app = {"application": {"import_path": "mine:app", "args": {"engine": "sglang"}}}

    assert not [told for told in document_faults({"apps": {"mine": app}}, "values") if "SGLang" in told.what]
