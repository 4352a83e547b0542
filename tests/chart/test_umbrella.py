"""The chart as a dependency of a chart of one's own: values below its alias, as the generator writes them for it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import CHART, Render, parse
from tests.support.command_line import generator

Template = Callable[..., subprocess.CompletedProcess[str]]
# What has the chart's name, which under an alias is the alias.
NAMED_AFTER_THE_CHART = ("app.kubernetes.io/name", "app.kubernetes.io/part-of", "helm.sh/chart")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that serves a model twice: from the chart alone, and below a parent chart as `llm`."""
    folder = tmp_path_factory.mktemp("project")
    generator("init", "fleet", "--gpu", "L4-24GB", "--nodes", "4", "-e", "alone", folder=folder)
    root = folder / "fleet"
    done = generator("add", "qwen3-4b", "-e", "alone", folder=root)
    assert done.returncode == 0, done.stderr
    (root / "environments" / "below.yaml").write_text("extends: alone\nsubchart: llm\n")
    done = generator("generate", folder=root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def umbrella(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("umbrella")
    dependency = {"name": "ray-serve-llm", "version": ">=0.1.0", "repository": f"file://{CHART}", "alias": "llm"}
    chart = {"apiVersion": "v2", "name": "platform", "version": "1.0.0"}
    chart["dependencies"] = [{**dependency, "condition": "llm.enabled", "tags": ["models"]}]
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart))
    subprocess.run([helm, "dependency", "build", folder], check=True, capture_output=True, text=True)
    return folder


def values_of(fleet: Path, environment: str) -> Path:
    return fleet / "values" / environment / "qwen3.yaml"


def test_it_renders_what_the_chart_alone_does(fleet: Path, umbrella: Path, render: Render) -> None:
    alone = render([values_of(fleet, "alone")])
    below = render([values_of(fleet, "below")], chart=umbrella)

    assert len(below.objects) == len(alone.objects) > 3
    for one, other in zip(without_names(alone.objects), without_names(below.objects), strict=True):
        assert one == other
    assert without_names(alone.hooks) == without_names(below.hooks)


def without_names(objects: list[object]) -> list[object]:
    text = json.dumps(objects)
    for label in NAMED_AFTER_THE_CHART:
        text = re.sub(rf'"{re.escape(label)}": "[^"]*"', f'"{label}": ""', text)
    found: list[object] = json.loads(text)
    return found


@pytest.mark.parametrize(
    ("more", "there"),
    [
        ({"llm": {"enabled": True}}, True),
        ({"llm": {"enabled": False}}, False),
        ({"tags": {"models": False}}, False),
        ({"tags": {"models": False}, "llm": {"enabled": True}}, True),
        ({"global": {"team": "search", "imageRegistry": {"host": "registry.example"}}}, True),
    ],
)
def test_helms_own_words_are_taken(
    fleet: Path, umbrella: Path, helm_template: Template, more: dict[str, object], there: bool
) -> None:
    done = helm_template([values_of(fleet, "below"), more], chart=umbrella)

    assert done.returncode == 0, done.stderr
    assert ("kind: RayService" in done.stdout) == there
    assert "condition" not in done.stderr.lower(), done.stderr


def test_enabled_does_nothing_by_itself(render_with: Render) -> None:
    assert render_with({"enabled": False}).text == render_with().text == render_with({"enabled": True}).text


def test_a_fault_is_told_with_its_place_in_the_parents_values(
    fleet: Path, umbrella: Path, helm_template: Template
) -> None:
    done = helm_template([values_of(fleet, "below"), {"llm": {"unknownKey": {}}}], chart=umbrella)

    assert done.returncode != 0 and "llm" in done.stderr and "'unknownKey' not allowed" in done.stderr


def test_every_command_knows_the_key(fleet: Path, tmp_path: Path) -> None:
    file = values_of(fleet, "below")
    values = parse(file.read_text())
    assert list(values) == ["llm"] and values["llm"] == parse(values_of(fleet, "alone").read_text())

    for arguments in (["generate", "--check"], ["validate", file], ["plan", "-e", "below"]):
        done = generator(*arguments, folder=fleet)
        assert done.returncode == 0, done.stderr
    images = [generator("list", "images", "-e", name, folder=fleet) for name in ("alone", "below")]
    assert images[0].returncode == 0 and images[0].stdout == images[1].stdout

    wrong = tmp_path / "parent.yaml"
    wrong.write_text("gateway: {}\nllm:\n  serving:\n    pathway: standard\n")
    done = generator("validate", "--subchart", "llm", wrong, folder=fleet)
    assert done.returncode == 2 and f"{wrong}:4: llm.serving.pathway" in done.stderr
    done = generator("validate", "--subchart", "gateways", wrong, folder=fleet)
    assert done.returncode == 2 and "has no values below 'gateways'" in done.stderr
