"""What the options of a deployment may be: of a model's, and of the ingress."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from tools.references import REF, Schema

from . import left_out
from .declared import fields_of, is_v1
from .definitions import Definitions
from .left_out import LeftOut
from .probe import Probe
from .release import Release
from .schema import exclusive, of_keys

# Serve's internal record of a deployment alone has it, of pydantic 2.
_RETRIES = "max_constructor_retry_count"


def of_model(release: Release, probe: Probe, definitions: Definitions) -> Schema:
    """DeploymentOptions: what `deployment_config` of an LLMConfig may be. Defines ModelActorOptions on the way."""
    definitions.provenance.reads(release.build_llm_deployment)
    function = release.deployment_options()
    keywords = inspect.signature(function).parameters
    probe.confirm_deployment_options(
        {option: entry for option, entry in left_out.OF_DEPLOYMENT_OPTIONS.items() if option in keywords}
    )
    without = dict(left_out.OF_DEPLOYMENT_OPTIONS)
    if not probe.fixed_replicas_hold():
        without["num_replicas"] = left_out.NUM_REPLICAS
    schema = _options("DeploymentOptions", function, without, release, definitions)
    definitions["ModelActorOptions"] = definitions.without(
        "ModelActorOptions", {"$ref": REF + "RayActorOptionsSchema"}, left_out.OF_MODEL_ACTOR_OPTIONS
    )
    schema["properties"]["ray_actor_options"] = {"$ref": REF + "ModelActorOptions"}
    return schema


def of_ingress(release: Release, definitions: Definitions) -> Schema:
    """IngressOptions: what `ingress_deployment_config` of LLMServingArgs may be."""
    return _options("IngressOptions", release.deployment_decorator, left_out.OF_INGRESS_OPTIONS, release, definitions)


def _options(
    name: str,
    function: Callable[..., Any],
    without: Mapping[str, LeftOut],
    release: Release,
    definitions: Definitions,
) -> Schema:
    """The keywords of `serve.deployment` or `Deployment.options`, with the types of Serve's own schemas."""
    provenance = definitions.provenance
    provenance.reads(inspect.unwrap(function))
    typed = _internal(release, definitions) | definitions["DeploymentSchema"]["properties"]
    keywords = _keywords(function)
    provenance.leaves_out(name, {key: without[key] for key in keywords if key in without})
    properties = {key: typed.get(key, {}) for key in keywords if key not in without}
    for key, schema in properties.items():
        if schema == {} and key != "name":
            provenance.leaves_untyped(f"{name}.{key}")
    return exclusive(of_keys(properties))


def _keywords(function: Callable[..., Any]) -> list[str]:
    """Those that people give; a leading underscore is Serve's own."""
    parameters = inspect.signature(function).parameters
    return [key for key in parameters if not key.startswith("_") and key not in {"self", "func_or_class"}]


def _internal(release: Release, definitions: Definitions) -> dict[str, Schema]:
    """Options that have no public schema, by Serve's internal record of a deployment."""
    record = release.deployment_config
    definitions.provenance.reads(record)
    if is_v1(record) or _RETRIES not in fields_of(record):
        return {}
    return {_RETRIES: {"type": "integer", "minimum": 1}}
