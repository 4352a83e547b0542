"""What a GPU costs for an hour: `data/prices.yaml`, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from generator.facts.files import read_data


@dataclass(frozen=True, kw_only=True)
class Prices:
    currency: str
    list: str
    """Whose prices these are, and when they were read."""
    per_gpu_hour: dict[str, float]
    """By GPU type."""


@cache
def prices() -> Prices:
    row = read_data("prices.yaml")
    return Prices(currency=row["currency"], list=f"{row['list']}, {row['date']}", per_gpu_hour=row["perGpuHour"])
