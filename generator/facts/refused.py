"""What no value may say to Ray, vLLM and KubeRay, and of a NetworkPolicy. Data, looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from generator.facts.files import read_data, row_of


@dataclass(frozen=True, kw_only=True)
class Refused:
    why: str
    """What it would do, as the rest of a sentence that begins with its name."""
    instead: str
    """What to do, as a sentence without its full stop."""
    source: str
    folders: tuple[str, ...] = ()
    """Of an engine argument that is a folder: those that none may be at, above or below; empty refuses every value."""
    harmless: tuple[str, ...] = ()
    """Of a variable: values with which it does nothing, and which are taken."""


@cache
def refused_variables() -> dict[str, Refused]:
    """By name; one that ends in * stands for all names that begin so."""
    rows = read_data("refused_variables.yaml")
    return {name: Refused(**{**row, "harmless": tuple(row.get("harmless", ()))}) for name, row in rows.items()}


def refused_variable(name: str, value: object) -> Refused | None:
    """Why a variable is refused with this value, or None where it is not; in pods `value` may be `{value: …}`."""
    refused = row_of(refused_variables(), name)
    text = str(value.get("value") if isinstance(value, dict) else value)
    return refused if refused and text not in refused.harmless else None


def refused_prefix(prefix: str) -> Refused | None:
    """Why no variable may begin so, or None where some may: the rest is a Secret's or ConfigMap's to say."""
    rows = refused_variables().items()
    return next((row for name, row in rows if name.endswith("*") and prefix.startswith(name[:-1])), None)


@cache
def reserved_keys() -> dict[str, dict[str, Refused]]:
    """Labels and annotations that are KubeRay's own, by the value that holds them; a name may end in *."""
    return {
        value: {name: Refused(**row) for name, row in rows.items()}
        for value, rows in read_data("reserved_keys.yaml").items()
    }


def reserved_key(value: str, name: str) -> Refused | None:
    """Why `value` may not have a label or an annotation of that name, or None where it may."""
    return row_of(reserved_keys().get(value, {}), name)


@dataclass(frozen=True, kw_only=True)
class RefusedObject:
    """A kind of object that no release has among `extraObjects`."""

    api: str
    """What its apiVersion begins with."""
    why: str
    instead: str
    source: str
    keys: tuple[str, ...] = ()
    """Only one that has one of these keys, or below its `spec`; empty: every one."""

    def is_of(self, manifest: Mapping[str, Any]) -> bool:
        spec = manifest.get("spec")
        said = {**(spec if isinstance(spec, dict) else {}), **manifest}
        is_kind = str(manifest.get("apiVersion")).startswith(self.api)
        return is_kind and (not self.keys or any(said.get(key) for key in self.keys))


@cache
def refused_objects() -> dict[str, RefusedObject]:
    """By kind."""
    rows = read_data("extra_objects.yaml")
    return {kind: RefusedObject(**{**row, "keys": tuple(row.get("keys", ()))}) for kind, row in rows.items()}


@cache
def ray_start_flags() -> dict[str, Any]:
    """`free`: those that pods may be given. `refused`: why not and what instead, by flag."""
    flags: dict[str, Any] = read_data("ray_start_flags.yaml")
    return flags


@cache
def network_policy_rules() -> dict[str, Refused]:
    """What a NetworkPolicy must have beside what a schema says, by the rule's name."""
    return {name: Refused(**row) for name, row in read_data("network_policy.yaml").items()}


@cache
def refused_arguments() -> dict[str, Refused]:
    """Of vLLM's engine, by name."""
    rows = read_data("refused_arguments.yaml")
    return {name: Refused(**{**row, "folders": tuple(row.get("folders", ()))}) for name, row in rows.items()}


def refused_argument(name: str, value: object) -> Refused | None:
    """Why an engine argument is refused with this value, or None where it is not."""
    refused = refused_arguments().get(name)
    if refused is None or not value:
        return None
    return refused if not refused.folders or _may_reach(str(value), refused.folders) else None


def _may_reach(folder: str, kept: tuple[str, ...]) -> bool:
    """Whether a folder is, or is not known not to be, at, above or below one that is kept."""
    steps = [step for step in folder.split("/") if step]
    if not folder.startswith("/") or "." in steps or ".." in steps:
        return True
    path = "".join(f"/{step}" for step in steps) + "/"
    return any(path.startswith(f"{each}/") or f"{each}/".startswith(path) for each in kept)
