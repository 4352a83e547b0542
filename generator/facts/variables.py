"""Environment variables of Ray and vLLM that no value may set: `data/refused_variables.yaml`, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from generator.facts.files import read_data


@dataclass(frozen=True, kw_only=True)
class RefusedVariable:
    why: str
    """What it would do, as the rest of a sentence that begins with its name."""
    instead: str
    """What to do, as a sentence without its full stop."""
    source: str


@cache
def refused_variables() -> dict[str, RefusedVariable]:
    """By name; one that ends in * stands for all names that begin so."""
    return {name: RefusedVariable(**row) for name, row in read_data("refused_variables.yaml").items()}


def refused_variable(name: str) -> RefusedVariable | None:
    """Why a variable is refused, or None where it is not."""
    for known, refused in refused_variables().items():
        if name == known or (known.endswith("*") and name.startswith(known[:-1])):
            return refused
    return None
