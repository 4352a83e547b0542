"""Engines that people name in place of vLLM, and that nothing here serves. Data, looked up."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from generator.facts.files import read_data


def other_engines() -> dict[str, dict[str, str]]:
    """By the name that its people give it: how a word or class, and how an image names it."""
    rows: dict[str, dict[str, str]] = read_data("other_engines.yaml")["engines"]
    return rows


@cache
def _keys() -> frozenset[str]:
    return frozenset(read_data("other_engines.yaml")["keys"])


def other_engine(key: Any, value: Any) -> str | None:
    """The engine that this key of a model or an LLMConfig names; None where that is vLLM or no engine."""
    if key not in _keys() or not isinstance(value, str):
        return None
    return next((name for name, row in other_engines().items() if re.search(row["named"], value, re.IGNORECASE)), None)
