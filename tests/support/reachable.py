"""What answers on the pods of a release: `generator/data/reachable.yaml`, as tests ask for it."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from tests.support.paths import ROOT


@cache
def reachable() -> dict[str, Any]:
    text = (ROOT / "generator" / "data" / "reachable.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def declared_ports() -> dict[str, dict[str, Any]]:
    """The ports that the chart may declare, by the name of their containerPort: each row, and its number as `port`."""
    return {row["name"]: {"port": int(port), **row} for port, row in reachable()["ports"].items() if "name" in row}


def routes(release_and_path: str) -> set[str]:
    """The paths below the route of every model, of `2.60.0 throughput` and the like."""
    return {*reachable()["routes"]["everywhere"], *reachable()["routes"][release_and_path]}


def routes_by_what_a_model_does() -> dict[str, dict[str, Any]]:
    """Of the throughput path beside those: `routes`, the engine's `tasks`, and `labels` of a classifier."""
    found: dict[str, dict[str, Any]] = reachable()["routesByWhatAModelDoes"]
    return found


def keyed(path: str) -> bool:
    """Whether a path below a model's route asks for the key, on the throughput path with `auth.apiKey`."""
    return path.startswith(tuple(reachable()["keyed"]))
