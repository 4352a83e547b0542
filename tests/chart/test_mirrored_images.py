"""`list images`: every image that a cluster without a way out has to have."""

from __future__ import annotations

import pytest

from generator.facts.releases import releases
from generator.progress import silent
from generator.project.mirror import images_of
from generator.project.project import Project
from tests.support.paths import ROOT


@pytest.mark.parametrize("environment", ["prod", "original"])
def test_one_image_runs_everything(environment: str) -> None:
    project = Project.at(ROOT)
    image = releases()[project.environment(environment).ray].facts["image"]

    found = images_of(project, environment, chart=None, report=silent)

    assert list(found) == [f"{image['repository']}:{image['tag']}"]
    assert {"ray-head", "ray-worker", "helm-test"} <= set(next(iter(found.values())))
