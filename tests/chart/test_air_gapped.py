"""docs/air-gapped.md: what it says to write leaves nothing that comes from elsewhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from generator.documents.files import write_files
from generator.documents.merge import merged
from generator.facts.releases import releases
from generator.progress import silent
from generator.project.mirror import files_of, images_of
from generator.project.project import Project
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "air-gapped.md").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """dev of this repository, with every block of YAML of the page merged into it."""
    shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
    environment = yaml.safe_load((ROOT / "environments" / "dev.yaml").read_text(encoding="utf-8"))
    environment["serve"] = {}
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        environment = merged(environment, yaml.safe_load(block))
    write_files({tmp_path / "environments" / "dev.yaml": yaml.safe_dump(environment)})
    made = Project.at(tmp_path)
    write_files(made.generated_values(["dev"]).texts)
    return made


def test_every_image_is_the_mirrors_and_no_model_is_downloaded(project: Project, helm: str) -> None:
    tag = releases()[project.environment("dev").ray].facts["image"]["tag"]

    assert list(images_of(project, "dev", chart=None, report=silent)) == [f"registry.example/rayproject/ray-llm:{tag}"]
    assert files_of(project, "dev") == []
