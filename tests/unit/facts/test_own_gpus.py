"""`gpus.yaml` of a project: GPU types and prices of its own."""

from __future__ import annotations

import json

import pytest

from generator.errors import UserError
from generator.facts.gpus import gpu, gpus, shipped_gpus
from generator.facts.own import OwnFacts, read_own_facts_by
from generator.facts.prices import prices
from generator.formats.own_gpus import read_own_gpus
from generator.plan.plan import make_plan
from tests.support.builders import catalog, environment, model
from tests.support.command_line import generator

ROW = """
  RTX6000Max-96GB:
    memoryGiB: 94.5
    labelGB: 96
    computeCapability: 12.0
    bandwidthGBs: 1792
    tflops: {bf16: 250, fp16: 250}
    source: nvidia-smi on our nodes
"""
OTHER_L4 = """
  L4-24GB:
    memoryGiB: 21.5
    labelGB: 24
    computeCapability: 8.9
    bandwidthGBs: 300
    tflops: {fp16: 121, bf16: 121, fp8: 242.5, int8: 242.5}
    source: nvidia-smi on our nodes
"""
PRICES = """
prices:
  currency: EUR
  list: our contract
  date: "2026-10"
  perGpuHour: {L4-24GB: 0.4, RTX6000Max-96GB: 1.1}
"""


@pytest.fixture
def own(tmp_path):
    """Write a project's gpus.yaml, and have it read by whoever asks for a GPU."""

    def written(text):
        path = tmp_path / "gpus.yaml"
        path.write_text(text)
        read_own_facts_by(lambda: read_own_gpus(path))
        return path

    yield written
    read_own_facts_by(OwnFacts)


def plan(pools):
    return make_plan("test", environment(pools), catalog(family={"m": model()}), where="environments/test.yaml")


def test_a_type_of_ones_own_is_planned_with(own):
    own(f"gpus:{ROW}")
    placed = plan({"p": {"gpu": "RTX6000Max-96GB", "nodes": 1}}).models["m"].placement
    assert placed.memory.usable_gib == pytest.approx(94.5 * 0.92)


def test_types_stay_in_the_order_of_their_size(own):
    own(f"gpus:{ROW}")
    sizes = [one.label_gb for one in gpus().values()]
    assert sizes == sorted(sizes) and len(sizes) == len(shipped_gpus()) + 1


def test_a_row_that_replaces_a_known_one_is_said_with_what_differs(own):
    path = own(f"gpus:{OTHER_L4}")
    notes = [warning.text for warning in plan({"p": {"gpu": "L4-24GB", "nodes": 1}}).warnings if warning.kind == "pool"]
    known = shipped_gpus()["L4-24GB"].memory_gib
    assert f"{path} replaces L4-24GB: memoryGiB 21.5 instead of {known}" in " ".join(notes)
    assert gpu("L4-24GB", where="").memory_gib == 21.5
    assert not plan({"p": {"gpu": "A100-80GB", "nodes": 1}}).models["m"].node_pool.gpu.note


def test_own_prices_are_those_of_the_plan_and_compare_places(own):
    own(f"gpus:{ROW}{PRICES}")
    pools = {"big": {"gpu": "RTX6000Max-96GB", "nodes": 1}, "small": {"gpu": "L4-24GB", "nodes": 1}}
    decided = plan(pools)
    assert decided.is_priced and decided.models["m"].node_pool.name == "small"
    assert decided.assignment.cost == 400


def test_a_list_in_another_currency_is_not_mixed_with_the_public_one(own):
    own(f"gpus:{ROW}{PRICES}")
    assert (prices().currency, set(prices().per_gpu_hour)) == ("EUR", {"L4-24GB", "RTX6000Max-96GB"})
    own(f"gpus:{ROW}{PRICES.replace('EUR', 'USD')}")
    assert prices().per_gpu_hour["L4-24GB"] == 0.4 and "H100-80GB" in prices().per_gpu_hour


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"gpus:{ROW.replace('94.5', '97')}", "has 97 GiB, more than the 96 GB that it is sold as"),
        (f"gpus:{ROW.replace('memoryGiB', 'memoryGB')}", "unknown key 'memoryGB'"),
        (f"gpus:{ROW.replace('    source: nvidia-smi on our nodes', '')}", "'source' is missing"),
        (f"gpus:{ROW.replace('bf16: 250', 'bf61: 250')}", "bf61"),
        (f"gpus:{ROW.replace('94.5', 'much')}", "memoryGiB"),
        (f"gpus:{ROW.replace('RTX6000Max-96GB', 'my GPU')}", "the name of a GPU type"),
        (PRICES, "GPU type 'RTX6000Max-96GB'"),
        (f"gpus:{ROW}{PRICES.replace('EUR', 'euro')}", "a currency in three capitals"),
        ("- L4-24GB", "is empty or no mapping"),
    ],
)
def test_a_wrong_file_is_told_in_one_message(own, text, message):
    path = own(text)
    with pytest.raises(UserError) as refused:
        gpus()
    assert message in str(refused.value) and str(path) in str(refused.value)


def test_every_row_that_comes_with_the_package_could_stand_in_such_a_file(own):
    from generator.facts.files import read_data

    own(json.dumps({"gpus": read_data("gpus.yaml")}))
    assert gpus() == shipped_gpus() and not any(one.replaced.partition(": ")[2] for one in gpus().values())


def test_commands_find_it_in_the_project_from_every_folder_below(tmp_path):
    for folder in ("catalog", "environments"):
        (tmp_path / folder).mkdir()
    (tmp_path / "gpus.yaml").write_text(f"gpus:{ROW}")
    shown = generator("list", "gpus", "--json", folder=tmp_path / "catalog")
    assert "RTX6000Max-96GB" in shown.stdout
    assert generator("validate", "gpus.yaml", folder=tmp_path).returncode == 0
    (tmp_path / "gpus.yaml").write_text("gpus: {A: {}}")
    wrong = generator("fit", "qwen3-8b", "--gpu", "A", folder=tmp_path)
    assert (wrong.returncode, "gpus.yaml:1" in wrong.stderr) == (2, True)
