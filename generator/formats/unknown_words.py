"""A key that a schema does not know, in words: why it is left out, what replaced it, who else knows it, or a guess."""

from __future__ import annotations

from generator.documents.load import KeyPath
from generator.documents.merge import JsonObject
from generator.facts.releases import RayRelease, releases
from generator.facts.replaced import instead_of
from generator.formats import json_schema as schemas
from generator.formats.explain import Fault, unknown_key
from generator.formats.image_schemas import DEFAULT_RAY

_PODS = ("pods", "head", "ingressWorkers", "workerGroup")


def unknown_word(unknown: str, known: JsonObject, path: KeyPath, data: JsonObject) -> Fault:
    """`known` are the properties of the schema at `path`, where `unknown` stands."""
    place = (*path, unknown)
    if unknown in schemas.SECRETS:
        what = f"'{unknown}' would put a secret in plain sight"
        return Fault(what, place, f"Secrets are references: {schemas.SECRETS[unknown]}.")
    version, definition = schemas.definition_of(known)
    if why := version and releases()[version].left_out().get(definition, {}).get(unknown):
        return Fault(f"'{unknown}' is not accepted: {why}", place, "Remove it.")
    of = _of_release(path, data)
    if instead := instead_of(_mapping(path), unknown):
        return Fault(f"unknown key '{unknown}'{of}", place, f"{instead}.")
    if knowing := _knowing(unknown, version, definition):
        fix = f"Ray {', '.join(knowing)} knows it, this one does not. Remove it, or take a release that does."
        return Fault(f"unknown key '{unknown}'{of}", place, fix)
    return unknown_key(unknown, path, known, of=of)


def _mapping(path: KeyPath) -> str:
    """Of which rows the keys there are: those of its name, or of all that have the same keys."""
    names = ["", "", *map(str, path)]
    if names[-1] in _PODS or names[-2] == "workerGroups":
        return "podSettings"
    return "release" if not path or names == ["", "", "chart"] else names[-1]


def _of_release(path: KeyPath, data: JsonObject) -> str:
    """Name the Ray release where the accepted keys are its own."""
    if not {"llmConfig", "application", "config", "ingress"} & set(map(str, path)):
        return ""
    ray = data.get("ray")
    version, vllm = (ray.get("version"), ray.get("vllm")) if isinstance(ray, dict) else (ray, data.get("vllm"))
    image = f" with vLLM {vllm}" if vllm and "engine_kwargs" in path else ""
    return f" for Ray {version or DEFAULT_RAY}{image}"


def _knowing(key: str, version: str, definition: str) -> list[str]:
    """Which other Ray releases know the key in the same place, for people who move between them."""
    return [
        release.ray
        for release in releases().values()
        if version and release.ray != version and key in _properties(release, definition)
    ]


def _properties(release: RayRelease, definition: str) -> JsonObject:
    properties: JsonObject = release.arguments().get(definition, {}).get("properties", {})
    return properties
