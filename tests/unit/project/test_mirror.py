"""What an environment takes from elsewhere. Its images are rendered by helm: tests/chart/test_mirrored_images.py."""

from __future__ import annotations

from generator.project.mirror import files_of
from generator.project.project import Project
from tests.support.paths import ROOT


def test_the_files_of_every_model_that_is_downloaded() -> None:
    project = Project.at(ROOT)
    models = project.plan("prod").models

    rows = files_of(project, "prod")

    assert {row["model"] for row in rows} == set(models)
    largest = max(rows, key=lambda row: row["bytes"])
    assert largest["from"] == "tiiuae/Falcon-H1-34B-Instruct@main"
    assert largest["bytes"] == models["falcon-h1-34b-instruct"].model.weights.total_bytes


def test_a_model_in_the_image_is_not_downloaded() -> None:
    assert files_of(Project.at(ROOT), "kind") == []
