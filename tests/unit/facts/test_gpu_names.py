"""What others call GPU types."""

from __future__ import annotations

import pytest

from generator.facts.files import read_data
from generator.facts.gpu_names import gpus_named, gpus_of_nodes, slices_named
from generator.facts.gpus import gpus

TABLE = read_data("gpu_names.yaml")


def test_every_row_leads_to_a_type_that_there_is() -> None:
    rows = [*TABLE["names"].values(), *TABLE["machines"].values()]
    assert {row["gpu"] for row in rows} <= gpus().keys()
    assert all(row["source"] for row in rows) and all(TABLE["labels"].values())


@pytest.mark.parametrize("name", [gpu.name for gpu in gpus().values() if not gpu.mig])
def test_every_type_is_known_by_its_own_name(name: str) -> None:
    assert gpus_named(name) == (name,)


@pytest.mark.parametrize(
    ("said", "types"),
    [
        ("nvidia-l4", ("L4-24GB",)),
        ("NVIDIA-A100-SXM4-80GB", ("A100-80GB",)),
        ("nvidia-tesla-a100", ("A100-40GB",)),
        ("A100", ("A100-40GB", "A100-80GB")),
        ("NVIDIA-H100-80GB-HBM3", ("H100-80GB",)),
        ("NVIDIA-H100-PCIe", ("H100-PCIe-80GB",)),
        ("AMD-Instinct-MI300X-OAM", ("MI300X-192GB",)),
        ("nvidia-gpu-a16", ()),
        ("", ()),
    ],
)
def test_a_name_leads_to_its_types(said: str, types: tuple[str, ...]) -> None:
    assert gpus_named(said) == types


def test_machines_say_their_gpus_where_no_label_names_them() -> None:
    label = "node.kubernetes.io/instance-type"
    assert gpus_of_nodes({label: "g6e.12xlarge"}) == ("L40S-48GB",)
    assert gpus_of_nodes({label: "a3-highgpu-8g"}) == ("H100-80GB",)
    assert gpus_of_nodes({label: "g6.xlarge", "nvidia.com/gpu.product": "NVIDIA-L40S"}) == ("L40S-48GB",)
    assert gpus_of_nodes({label: "m7i.large", "team": "a"}) == ()


def test_slices_of_a_profile_are_those_of_the_gpu_where_it_is_known() -> None:
    assert slices_named("nvidia.com/mig-3g.40gb", ()) == ("A100-80GB-3g.40gb", "H100-80GB-3g.40gb")
    assert slices_named("nvidia.com/mig-3g.40gb", ("H100-80GB",)) == ("H100-80GB-3g.40gb",)
    assert slices_named("nvidia.com/gpu", ()) == ()
