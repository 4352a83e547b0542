"""What a GPU costs for an hour: `data/prices.yaml` and a project's own prices, looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generator.facts.files import read_data
from generator.facts.own import own_facts


@dataclass(frozen=True, kw_only=True)
class Prices:
    currency: str
    list: str
    """Whose prices these are, and when they were read."""
    per_gpu_hour: dict[str, float]
    """By GPU type."""


def _list_of(row: Mapping[str, Any]) -> Prices:
    return Prices(currency=row["currency"], list=f"{row['list']}, {row['date']}", per_gpu_hour=row["perGpuHour"])


def prices() -> Prices:
    """The project's own where it has some. The public list fills them up where it is in the same currency."""
    public, own = _list_of(read_data("prices.yaml")), own_facts().prices
    if own is None:
        return public
    mine = _list_of(own)
    if mine.currency != public.currency:
        return mine
    both = {**public.per_gpu_hour, **mine.per_gpu_hour}
    return Prices(currency=mine.currency, list=f"{mine.list}; else {public.list}", per_gpu_hour=both)
