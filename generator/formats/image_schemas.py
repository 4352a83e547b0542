"""What of a schema depends on the image: on the Ray release and on the vLLM that it has."""

from __future__ import annotations

from generator.documents.merge import JsonObject
from generator.facts.releases import releases, vllm_versions

DEFAULT_RAY = "2.60.0"


def images() -> list[tuple[str, str]]:
    """Every Ray release with every vLLM that an image of it may have, its own first."""
    return [
        (version, vllm)
        for version, release in releases().items()
        for vllm in sorted(vllm_versions(), key=lambda vllm: vllm != release.vllm)
    ]


def is_image(version: str, vllm: str, *, release: str = "ray", unsaid: str | None = None) -> JsonObject:
    """Whether the keys `release` and `vllm` say this image. A vLLM that is not said is the release's own."""
    own = releases()[version].vllm == vllm
    return {
        "properties": {release: {"const": version}, "vllm": {"enum": [unsaid, vllm] if own else [vllm]}},
        "required": [release] if own else [release, "vllm"],
    }


def for_image(name: str, version: str, vllm: str) -> str:
    """The name of a definition for an image with this vLLM."""
    return name if releases()[version].vllm == vllm else f"{name}.vllm-{vllm}"


def with_other_vllm(definitions: JsonObject) -> JsonObject:
    """LLMConfigs of each release whose engine takes what that of another vLLM does."""
    made: JsonObject = {}
    for version, vllm in images():
        if releases()[version].vllm == vllm:
            continue
        for name in ("ChartLLMConfig", "PartialLLMConfig"):
            config = definitions[name_of(version, name)]
            engine = ref(vllm_versions()[vllm], "EngineArguments")
            properties = {**config["properties"], "engine_kwargs": engine}
            names = {"properties": {"engine_kwargs": ref(vllm_versions()[vllm], "EngineNames")}}
            made[name_of(version, for_image(name, version, vllm))] = {**config, "properties": properties, "else": names}
    return made


def for_release(version: str, vllm: str) -> JsonObject:
    """What holds where `ray` says this image (or nothing, for the chart's default)."""
    own = releases()[version].vllm == vllm
    image = is_image(version, vllm, release="version", unsaid="")
    is_version: JsonObject = {"properties": {"ray": image}}
    if version != DEFAULT_RAY or not own:
        is_version["required"] = ["ray"]
    else:
        del image["required"]
    whole = {"properties": {"llmConfig": ref(version, for_image("ChartLLMConfig", version, vllm))}}
    model = {"properties": {**whole["properties"], "prefill": whole, "decode": whole}}
    return {
        "if": is_version,
        "then": {
            "properties": {
                "models": {"additionalProperties": model},
                "apps": _apps(version),
                "serving": _serving(version),
            }
        },
    }


def environment_for_release(version: str, vllm: str) -> JsonObject:
    # A part of an LLMConfig: nothing in it is required, and below `model_loading_config` nothing else changes.
    overrides = {"properties": {"llmConfig": ref(version, for_image("PartialLLMConfig", version, vllm))}}
    halves = dict.fromkeys(("prefill", "decode"), overrides)
    model = {"properties": {**overrides["properties"], **halves}}
    family = {
        "properties": {
            **overrides["properties"],
            "models": {"anyOf": [{"type": "null"}, {"additionalProperties": model}]},
        }
    }
    return {
        "if": is_image(version, vllm),
        "then": {
            "properties": {
                "defaults": overrides,
                "serve": {"additionalProperties": family},
                "apps": _apps(version),
                "chart": {"properties": {"serving": _serving(version)}},
            }
        },
    }


def _apps(version: str) -> JsonObject:
    return {"additionalProperties": {"properties": {"application": ref(version, "ChartApplication")}}}


def _serving(version: str) -> JsonObject:
    return {"properties": {"config": ref(version, "ServeConfig"), "ingress": ref(version, "ChartIngress")}}


def ref(version: str, name: str) -> JsonObject:
    return {"$ref": f"#/definitions/{name_of(version, name)}"}


def name_of(version: str, name: str) -> str:
    return f"ray-{version}.{name}"


def split_name(name: str) -> tuple[str, str]:
    """The Ray release and the name there; empty for what is none of Ray's."""
    version = next((version for version in releases() if name.startswith(name_of(version, ""))), "")
    return (version, name.removeprefix(name_of(version, "")).split(".vllm-")[0]) if version else ("", "")
