"""Every recipe of docs/ways.md is planned, and its values are what the chart's schema takes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from generator.documents.load import Origin
from generator.documents.merge import merged
from generator.formats.check import check_document
from generator.formats.environment import Environment
from generator.plan.plan import make_plan
from generator.project.library import library
from generator.values import family_values
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "ways.md").read_text(encoding="utf-8")
FIRST, *SECTIONS = PAGE.split("\n## ")


def yaml_blocks(text: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


RECIPES = [
    pytest.param(recipe, id=f"{section.splitlines()[0]} {number}")
    for section in SECTIONS
    for number, recipe in enumerate(yaml_blocks(section), 1)
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_planned(recipe: dict[str, Any]) -> None:
    stated = merged(*yaml_blocks(FIRST), recipe)
    check_document(stated, "environment", Origin("docs/ways.md"))

    plan = make_plan("ways", Environment.model_validate(stated), library(), where="docs/ways.md")

    for family in plan.families:
        check_document(family_values(plan, family), "values", Origin(family))
