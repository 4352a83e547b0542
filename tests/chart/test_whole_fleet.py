"""Every model that is known goes all the way: catalog, plan, values, and objects that a cluster takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator.values import llm_config
from tests.chart.rendering import Rendered, rendered_by_the_generator
from tests.support.whole_fleet import LIBRARY_IDS, REFUSED, SERVED_IDS, Fleet, whole_fleet

pytestmark = pytest.mark.xdist_group("fleet")  # it takes half a minute of a core to plan and render


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return whole_fleet(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def release(fleet: Fleet, helm: str) -> Rendered:
    return rendered_by_the_generator(fleet.values)


@pytest.fixture(scope="module")
def files(release: Rendered) -> dict[str, dict]:
    """Each model's file, by its id."""
    return {text["model_loading_config"]["model_id"]: text for text in release.files.values()}


@pytest.mark.parametrize("model_id", SERVED_IDS)
def test_a_model_is_planned_and_its_file_says_what_was_planned(
    fleet: Fleet, release: Rendered, files: dict[str, dict], model_id: str
) -> None:
    planned = fleet.plan.models[model_id]
    asked = llm_config(planned, fleet.plan)
    for key in ("engine_kwargs", "placement_group_config"):
        assert files[model_id][key] == asked[key]
    assert files[model_id]["model_loading_config"]["model_source"] == planned.source
    assert planned.node_pool.name in release.groups


@pytest.mark.parametrize("model_id", REFUSED)
def test_what_cannot_be_served_is_refused_with_its_reason(fleet: Fleet, model_id: str) -> None:
    assert model_id not in LIBRARY_IDS
    assert REFUSED[model_id] in fleet.refused[model_id]


def test_nothing_else_is_refused(fleet: Fleet) -> None:
    assert fleet.refused.keys() == REFUSED.keys()
    assert sorted(fleet.plan.models) == sorted(SERVED_IDS)


def test_kuberay_takes_them_all_in_one_release(
    release: Rendered, schemas: dict[str, Path], kubeconform: Callable
) -> None:
    assert sorted(name for name in release.applications) == sorted(SERVED_IDS)
    done = kubeconform(max(schemas), release.text)
    assert done.returncode == 0, done.stdout + done.stderr
