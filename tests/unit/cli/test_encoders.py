"""A model that keeps no cache: `plan` says so, and has no number without end in its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.documents.files import write_files
from generator.progress import silent
from generator.project.add import add_model
from generator.project.project import Project
from tests.support.command_line import generator

ENVIRONMENT = """\
namespace: ai
ray: 2.60.0
pools: {l4: {gpu: L4-24GB, nodes: 1}}
serve:
  bge:
    models:
      bge-m3: {expect: {requestsPerSecond: 4, promptTokens: 500, outputTokens: 1}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("encoders")
    for name in ("catalog", "environments"):
        (root / name).mkdir()
    environment = root / "environments" / "dev.yaml"
    environment.write_text("namespace: ai\nray: 2.60.0\npools: {l4: {gpu: L4-24GB, nodes: 1}}\n")
    write_files(add_model(Project.at(root), "bge-m3", report=silent).generated.texts)
    environment.write_text(ENVIRONMENT)
    return root


def test_its_concurrency_is_null_in_json(folder: Path) -> None:
    printed = generator("plan", "--json", folder=folder)

    model = json.loads(printed.stdout)["environments"]["dev"]["models"]["bge-m3"]
    assert (model["kv_cache_tokens"], model["max_concurrency"]) == (0, None)


def test_its_line_has_texts_and_no_cache(folder: Path) -> None:
    printed = generator("plan", folder=folder)

    assert "GiB usable; no cache, texts up to 8,192; " in printed.stdout
    assert " KV " not in printed.stdout


def test_expect_says_why_it_decides_nothing(folder: Path) -> None:
    printed = generator("plan", folder=folder)

    assert (
        "bge-m3: it keeps no cache, and the speed is known of models that generate" in printed.stdout + printed.stderr
    )


def test_it_fits_on_cpus_too(folder: Path) -> None:
    environment = ENVIRONMENT.replace("l4: {gpu: L4-24GB, nodes: 1}", "cpus: {nodes: 1, memoryPerNode: 64Gi}")
    (folder / "environments" / "cpus.yaml").write_text(environment)

    planned = generator("plan", "-e", "cpus", folder=folder)

    assert "no cache, texts up to 8,192; " in planned.stdout
