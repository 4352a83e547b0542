"""What a project says of GPUs, over `data/`: named once, by the command that knows its project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

FILE = "gpus.yaml"
"""Its name, in the folder that holds catalog/ and environments/."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnFacts:
    """The rows of a project's own file, in the words of `data/gpus.yaml` and `data/prices.yaml`."""

    file: str = ""
    gpus: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    prices: Mapping[str, Any] | None = None


_read: Callable[[], OwnFacts] = OwnFacts


def read_own_facts_by(read: Callable[[], OwnFacts]) -> None:
    """From now on a project's own facts are what `read` returns. It is called once, and only if one is asked for."""
    global _read
    _read = read
    own_facts.cache_clear()


@cache
def own_facts() -> OwnFacts:
    """Those of this process's project; none where it has none. Raises UserErrors where its file is wrong."""
    return _read()
