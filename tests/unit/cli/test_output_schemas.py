"""Every `--json` is an object with a version, as its published schema says. What asks a cluster: tests/cluster."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from generator.formats.output import OUTPUTS
from tests.support.command_line import generator
from tests.support.output import published
from tests.support.paths import CONFIGS, ROOT

QWEN = CONFIGS / "Qwen--Qwen3-32B.json"


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan"],
        ["plan", "--environment", "prod"],
        ["fit", QWEN],
        ["fit", QWEN, "--gpu", "L4-24GB"],
        ["fit", QWEN, "--gpu", "H200-141GB"],
        ["list", "models"],
        ["list", "families"],
        ["list", "environments"],
        ["list", "gpus"],
        ["list", "releases"],
        ["validate", ROOT / "catalog" / "falcon3.yaml", ROOT / "environments" / "dev.yaml"],
    ],
    ids=lambda arguments: " ".join(Path(str(each)).name for each in arguments),
)
def test_what_is_printed_is_what_is_published(arguments: list[object]) -> None:
    command = str(arguments[0])
    document = published(command, generator(*arguments, "--json").stdout)
    assert document["version"] == 1


def test_every_configuration_fits_the_published_schema_on_every_gpu() -> None:
    for config in sorted(CONFIGS.glob("*.json"))[::12]:
        published("fit", generator("fit", config, "--json").stdout)


def test_faults_are_told_by_the_same_schema(tmp_path: Path) -> None:
    wrong = tmp_path / "catalog.yaml"
    wrong.write_text("famly: x\n")
    document = published("validate", generator("validate", wrong, "--json").stdout)
    assert document["faults"][0]["what"] == "unknown key 'famly'"


def test_lists_are_lists_and_numbers_are_numbers() -> None:
    (row, *_) = published("list", generator("list", "environments", "--json").stdout)["items"]
    assert isinstance(row["pools"], list)
    (row, *_) = published("list", generator("list", "models", "--json").stdout)["items"]
    assert isinstance(row["parameters"], int)


@pytest.mark.parametrize("command", OUTPUTS)
def test_a_schema_refuses_what_it_does_not_know(command: str) -> None:
    schema = json.loads((ROOT / "schemas" / "output" / f"{command}.schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({"version": 1, "unknown": True})
