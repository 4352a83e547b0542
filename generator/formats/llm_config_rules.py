"""What of one LLMConfig Ray or vLLM refuse together, wherever it stands (data/llm_config_rules.yaml)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from generator.documents.load import KeyPath
from generator.documents.merge import JsonObject
from generator.facts.llm_config_rules import llm_config_defaults, llm_config_rules
from generator.facts.releases import RayRelease, releases
from generator.formats.explain import Fault
from generator.formats.image_schemas import DEFAULT_RAY


def llm_config_faults(data: JsonObject, kind: str) -> Iterator[Fault]:
    """Every fault of every LLMConfig of a document that has no others."""
    ray = data.get("ray")
    release = (ray.get("version") if isinstance(ray, dict) else ray) or DEFAULT_RAY
    if release not in releases():
        return
    for config, path, whole in _llm_configs(data, (), releases()[release], kind == "values"):
        yield from broken_rules(config, release, path=path, whole=whole)


def broken_rules(
    config: JsonObject, ray: str, *, path: KeyPath = (), whole: bool, hardware: str = "gpu"
) -> Iterator[Fault]:
    """The faults of one LLMConfig, which stands at `path`, and runs on `hardware` unless it says another.

    What it leaves out when it is not `whole`, another part may say.
    """
    defaults = {**llm_config_defaults(ray), "hardware": hardware} if whole else {}
    for rule in llm_config_rules(ray):
        if all(_holds(wanted, _value(config, key, defaults), whole) for key, wanted in rule.where.items()):
            keys = rule.at.split(".")
            yield Fault(f"'{keys[-1]}' is not accepted: {rule.why}", (*path, *keys), f"{rule.instead}.")


def _llm_configs(
    node: Any, path: KeyPath, release: RayRelease, whole: bool
) -> Iterator[tuple[JsonObject, KeyPath, bool]]:
    """Each with its place, and whether nothing else says more of it."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _llm_configs(item, (*path, index), release, whole)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        below = (*path, key)
        if key == "args":
            if builder := release.builder_of(str(node.get("import_path"))):
                configs = _in_arguments(value, below, release.builders[builder]["configs"])
                yield from ((config, place, True) for config, place in configs)
        elif key == "llmConfig" and isinstance(value, dict):
            yield value, below, whole
        else:
            yield from _llm_configs(value, below, release, whole)


def _in_arguments(arguments: Any, path: KeyPath, keys: Iterable[str]) -> Iterator[tuple[JsonObject, KeyPath]]:
    """Those of an application of Ray's builders, one or a list below each of the keys."""
    for key in keys if isinstance(arguments, dict) else ():
        given = arguments.get(key)
        for number, config in enumerate(given if isinstance(given, list) else [given]):
            if isinstance(config, dict):
                yield config, (*path, key, number) if isinstance(given, list) else (*path, key)


def _value(config: JsonObject, path: str, defaults: JsonObject) -> Any:
    """What stands at a path, or what Ray takes where nothing does."""
    value: Any = config
    if path == "hardware":
        value = _hardware(config)
    else:
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
    return defaults.get(path) if value is None else value


def _hardware(config: JsonObject) -> str | None:
    """As Ray infers it: from what is said, the bundles, the type."""
    said = config.get("accelerator_config")
    placement = config.get("placement_group_config")
    if isinstance(said, dict) and said.get("kind"):
        return str(said["kind"])
    if isinstance(placement, dict) and placement:
        bundles = [placement.get("bundle_per_worker"), *(placement.get("bundles") or ())]
        asked = [bundle for bundle in bundles if isinstance(bundle, dict)]
        return next((kind for kind in ("tpu", "gpu") if any(each.get(kind.upper()) for each in asked)), "cpu")
    kind = config.get("accelerator_type")
    return ("tpu" if str(kind).startswith("TPU-") else "gpu") if kind else None


def _holds(wanted: Any, value: Any, whole: bool) -> bool:
    if wanted == "unset":
        return not value and (whole or value is not None)
    if wanted in ("set", "given"):
        return value is not None if wanted == "given" else bool(value)
    if "is" in wanted:
        return value in wanted["is"]
    text = value if isinstance(value, str) else ""
    begins, begins_not = wanted.get("begins"), wanted.get("begins_not")
    return bool(text) and (text.startswith(begins) if begins else not text.startswith(begins_not))
