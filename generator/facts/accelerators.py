"""What Ray counts a pod's devices as, and which GPUs an image for CUDA does not run on. Data, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from generator.facts.files import read_data


@dataclass(frozen=True, kw_only=True)
class NotGpu:
    resource: str
    """Ray's name for it, by which bundles ask."""
    source: str
    found: bool = False
    """Whether Ray's autoscaler knows of it by the pod's resources alone."""


@dataclass(frozen=True, kw_only=True)
class OtherGpu:
    needs: str
    """What an image must have for it."""
    source: str


@cache
def not_gpus() -> dict[str, NotGpu]:
    """By the device's name in Kubernetes; one that ends in * stands for all that begin so."""
    return {name: NotGpu(**row) for name, row in read_data("accelerators.yaml")["notGpus"].items()}


@cache
def other_gpus() -> dict[str, OtherGpu]:
    """By the device's name, as above."""
    return {name: OtherGpu(**row) for name, row in read_data("accelerators.yaml")["otherGpus"].items()}
