"""Which numbers must not be more than another beside them, and which switches need another. Data, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from generator.facts.files import read_data


@dataclass(frozen=True, kw_only=True)
class Order:
    small: str
    large: str
    source: str
    where: str = ""
    """A switch beside them, without which nothing reads the two."""


@dataclass(frozen=True, kw_only=True)
class Need:
    key: str
    other: str
    """The switch that must be on too."""
    source: str


@dataclass(frozen=True, kw_only=True)
class Rules:
    orders: tuple[Order, ...] = ()
    needs: tuple[Need, ...] = ()


@cache
def orders() -> dict[str, Rules]:
    """By the name of the mapping in which the keys stand."""
    return {
        name: Rules(
            orders=tuple(Order(**row) for row in rows.get("orders", ())),
            needs=tuple(Need(**row) for row in rows.get("needs", ())),
        )
        for name, rows in read_data("orders.yaml").items()
    }
