"""A project of fourteen models of the library that uses every way of serving once: every_way.yaml is what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from generator.documents.files import write_files
from generator.project.library import FOLDER as LIBRARY
from generator.project.project import Project
from tests.support.paths import ROOT
from tests.support.whole_fleet import Fleet

ENVIRONMENT = ROOT / "tests" / "support" / "every_way.yaml"
FAMILIES = yaml.safe_load(ENVIRONMENT.read_text(encoding="utf-8"))["serve"]
MODELS = [model_id for family in FAMILIES.values() for model_id in family["models"]]


def every_way(root: Path) -> Fleet:
    """Write the project into an empty folder, plan it and write its values."""
    for folder in ("catalog", "environments"):
        (root / folder).mkdir()
    shutil.copy(ENVIRONMENT, root / "environments" / "ways.yaml")
    for family in FAMILIES:
        shutil.copy(LIBRARY / f"{family}.yaml", root / "catalog")
    project = Project.at(root)
    catalog = project.catalog()
    plan = project.plan("ways", catalog)
    values = project.values(plan, catalog).texts
    write_files(values)
    return Fleet(plan=plan, values=sorted(values), refused={})
