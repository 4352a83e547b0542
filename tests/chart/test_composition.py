"""Values files of one environment compose: any of them, in any order, and a change is seen exactly where it matters."""

import copy
import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import GROUP, INGRESS, MODEL, Render, Rendered, model, values_files
from tests.support.paths import ROOT

POOLS = {
    GROUP: {"gpusPerWorker": 1, "maxReplicas": 5},
    "large-model-workers": {"gpusPerWorker": 4, "maxReplicas": 2},
}
FAMILIES = [
    {"models": {MODEL: model()}, "workerGroups": POOLS},
    {"models": {"falcon-h1-3b-instruct": model("falcon-h1")}, "workerGroups": POOLS},
    {"models": {"llama-8b": model("llama")}, "workerGroups": POOLS},
]
CHECKSUM = "checksum/families"


def by_environment() -> list[Any]:
    files = [path for path in values_files() if path.parent.parent == ROOT / "values"]
    grouped = itertools.groupby(files, key=lambda path: path.parent)
    return [pytest.param(list(paths), id=environment.name) for environment, paths in grouped]


def checksum(rendered: Rendered) -> str:
    """The checksum that the pods carry; the same on each of them."""
    (found,) = {template["metadata"]["annotations"][CHECKSUM] for template in rendered.templates.values()}
    return found


def test_the_order_of_values_files_does_not_matter(render: Render) -> None:
    texts = {render(list(order)).text for order in itertools.permutations(FAMILIES)}
    assert len(texts) == 1


@pytest.mark.parametrize("paths", by_environment())
def test_the_generated_files_of_an_environment_compose_in_any_order(render: Render, paths: list[Path]) -> None:
    assert render(paths).text == render(paths[::-1]).text


@pytest.mark.parametrize("values", FAMILIES, ids=lambda values: next(iter(values["models"])))
def test_each_file_installs_alone(render: Render, values: dict) -> None:
    assert list(render(values).applications) == list(values["models"])


def test_every_values_file_of_the_repository_installs_alone(render: Render, values_file: Path) -> None:
    assert render([values_file]).applications


def test_the_same_values_give_the_same_text(render: Render, values_file: Path) -> None:
    assert render([values_file]).text == render([values_file]).text


def changes() -> list[Any]:
    def llm_config(**change: Any) -> dict:
        return {"models": {MODEL: {"llmConfig": change}}}

    return [
        pytest.param(llm_config(engine_kwargs={"max_model_len": 4096}), True, id="an engine argument"),
        pytest.param({"models": {"second": model()}}, True, id="another model"),
        pytest.param({"models": {MODEL: {"family": "renamed"}}}, True, id="another family"),
        pytest.param({"workerGroups": {GROUP: {"maxReplicas": 9}}}, False, id="a group's size"),
        pytest.param({"pods": {"env": {"A": "1"}}}, False, id="the environment"),
        pytest.param({"commonLabels": {"team": "a"}}, False, id="a label"),
        pytest.param({"serving": {"routePrefix": "/llm"}}, False, id="the routes"),
    ]


@pytest.mark.parametrize(("change", "changed"), changes())
def test_the_pods_checksum_changes_with_the_models_files_and_with_nothing_else(
    render_with: Render, change: dict, changed: bool
) -> None:
    before, after = render_with(), render_with(change)
    assert (before.files != after.files) is changed
    assert (checksum(before) != checksum(after)) is changed


def test_routes_and_ingress_options_change_without_a_new_cluster(render_with: Render) -> None:
    before = render_with()
    after = render_with({"serving": {"routePrefix": "/llm", "ingress": {"max_ongoing_requests": 50}}})
    assert before.service["serveConfigV2"] != after.service["serveConfigV2"]
    assert before.cluster == after.cluster


def test_settings_of_one_group_never_reach_another(render_with: Render) -> None:
    alone = render_with().pod(INGRESS)
    settings = {
        "env": {"A": "1"},
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "x"}],
        "image": {"tag": "2.60.0-mine"},
    }
    beside = render_with({"workerGroups": {"aaa": copy.deepcopy(settings)}, "head": settings})
    assert beside.pod(INGRESS) == alone
