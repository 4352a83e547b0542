"""What an engine makes of a GPU's peak figures: `data/throughput.yaml`, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from generator.facts.files import read_data


@dataclass(frozen=True, kw_only=True)
class RooflineFactors:
    """What an engine makes of a GPU's peak figures. Evidence: data/throughput.yaml."""

    bandwidth_share: float
    """Of the peak of the memory's bandwidth."""
    compute_share: float
    """Of the dense peak of operations."""
    step_seconds: float
    """Seconds of a step beside its kernels."""
    seconds_per_layer: float
    """Of them, for each layer."""
    busy_share: float
    """Of what a replica could serve, how much it is planned for."""


@cache
def roofline_factors() -> RooflineFactors:
    row = read_data("throughput.yaml")
    return RooflineFactors(
        bandwidth_share=row["bandwidthShare"],
        compute_share=row["computeShare"],
        step_seconds=row["stepSeconds"],
        seconds_per_layer=row["secondsPerLayer"],
        busy_share=row["busyShare"],
    )
