"""Manifests of others with anything in them: `import` takes them or says in one message why not, without a secret."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.fuzzing import Record, fuzz, refused_by_command
from tests.support.migration import FORMS, llm_config, new_project, rayservice
from tests.support.mutations import damaged, mutated

SECRET = "hf_" + "a1B2" * 8
MODEL = llm_config("m", "Qwen/Qwen3-8B", engine_kwargs={"max_model_len": 4096}, accelerator_type="L4")
SERVICE = rayservice(MODEL, worker={"nodeSelector": {"a": "b"}})
HUB = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "stringData": {"hub-token": SECRET}}
TEXTS = [path.read_text() for path in FORMS]


def documents() -> list[Any]:
    return [[*yaml.safe_load_all(text), HUB] for text in TEXTS] + [[SERVICE, HUB]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield new_project(tmp_path_factory.mktemp("project"))


def stream(document: Any) -> str:
    return yaml.safe_dump_all(document) if isinstance(document, list) else yaml.safe_dump(document)


def refused_by_import(project: Path, text: str) -> str:
    path = project / "manifests.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    message = refused_by_command("import", path, "--gpu", "L4-24GB", "--dry-run", folder=project)
    assert SECRET not in message
    return message


def test_import_takes_or_refuses_manifests(project: Path, record_property: Record) -> None:
    inputs = mutated(documents()).map(stream)
    fuzz(inputs, partial(refused_by_import, project), record=record_property, examples=8, slow=8)


def test_import_takes_or_refuses_damaged_manifests(project: Path, record_property: Record) -> None:
    fuzz(damaged(TEXTS), partial(refused_by_import, project), record=record_property, examples=8, slow=8)


def test_import_takes_or_refuses_odd_llm_configs(project: Path, record_property: Record) -> None:
    """What is text of a manifest, and YAML in that."""
    inputs = mutated([MODEL]).map(lambda config: yaml.safe_dump(rayservice(config)))
    fuzz(inputs, partial(refused_by_import, project), record=record_property, examples=8, slow=8)
