"""docs/endpoints.md, as tests read it: the table of what clients ask, and the requests."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support.paths import ROOT

_PAGE = ROOT / "docs" / "endpoints.md"


@dataclass(frozen=True)
class Row:
    paths: tuple[str, ...]
    does: frozenset[str]
    """What a model does that has them."""
    on: tuple[bool, bool, bool]
    """On the standard path of Ray 2.49.1 and of 2.60.0, and on the throughput path."""


@dataclass(frozen=True)
class Request:
    path: str
    body: dict[str, Any] | None
    """None where nothing is sent."""


@cache
def page() -> str:
    return _PAGE.read_text(encoding="utf-8")


@cache
def rows() -> tuple[Row, ...]:
    return tuple(
        Row(
            tuple(re.findall(r"`([^`]+)`", paths)),
            frozenset(does.strip().split(", ")),
            (old.strip() == "yes", standard.strip() == "yes", throughput.strip() == "yes"),
        )
        for line in page().splitlines()
        if line.startswith("| `")
        for _, paths, does, old, standard, throughput, _ in [line.split("|")]
    )


@cache
def requests() -> tuple[Request, ...]:
    """Every `curl` of the page."""
    return tuple(_request(line) for line in page().splitlines() if line.startswith("curl "))


def _request(line: str) -> Request:
    _, url, *options = shlex.split(line)
    said = list(zip(options[::2], options[1::2], strict=True))
    if not said:
        return Request(url.removeprefix("$URL"), None)
    if said[0][0] == "--json":
        return Request(url.removeprefix("$URL"), json.loads(said[0][1]))
    return Request(url.removeprefix("$URL"), dict(value.split("=", 1) for _, value in said))
