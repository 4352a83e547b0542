"""The whole file of a release: where it comes from, and the definitions of what it accepts."""

from __future__ import annotations

from tools.references import Schema, reachable

from . import deployment_options, left_out, names
from .declared import fields_of
from .definitions import Definitions
from .engine_arguments import engine_arguments
from .frontend_arguments import frontend_arguments
from .llm_config import define_llm_config, define_serving_args
from .narrowed import Narrowed
from .probe import Probe
from .provenance import Provenance
from .release import Release
from .schema import of_keys

# What the generator and the chart check against; of the other definitions, those that these refer to are kept.
ROOTS = ("LLMConfig", "DeploymentOptions", "ServeConfig", "ServeApplication", "EngineArguments")


def document(release: Release) -> Schema:
    provenance, probe = Provenance(), Probe(release)
    definitions = Definitions(Narrowed(release), provenance)
    definitions["RuntimeEnv"] = _runtime_env(release, provenance)
    definitions.of_models((release.autoscaling_config, release.logging_config, release.request_router_config))
    definitions.of_model(release.deployment_schema)
    if "autoscaling_policy" in fields_of(release.serve_application):
        definitions.of_model(release.autoscaling_policy)
    definitions["ServeConfig"] = definitions.without(
        "ServeConfig", definitions.of_model(release.serve_deploy), left_out.OF_SERVE_CONFIG
    )
    definitions["ServeApplication"] = definitions.without(
        "ServeApplication", definitions.of_model(release.serve_application), left_out.OF_SERVE_APPLICATION
    )
    definitions["EngineArguments"] = engine_arguments(release, probe, definitions)
    definitions["EngineNames"] = names.looked_up(release, provenance)
    definitions["DeploymentOptions"] = deployment_options.of_model(release, probe, definitions)
    define_llm_config(release, probe, definitions)
    serving_args = define_serving_args(release, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "frontendArguments": frontend_arguments(release, provenance),
        "generated": provenance.document(),
        "definitions": reachable(definitions, (*ROOTS, *serving_args)),
    }


def _runtime_env(release: Release, provenance: Provenance) -> Schema:
    """Ray warns about an unknown key and drops it. Keys with a leading underscore are Ray's own."""
    provenance.reads(release.runtime_env)
    text = {"type": "string"}
    typed: dict[str, Schema] = {
        "env_vars": {"type": "object", "additionalProperties": text},
        "working_dir": text,
        "py_executable": text,
        "image_uri": text,
        "worker_process_setup_hook": text,
        "py_modules": {"type": "array", "items": text},
        "excludes": {"type": "array", "items": text},
    }
    keys = sorted(key for key in release.runtime_env.known_fields if not key.startswith("_"))
    return of_keys({key: typed.get(key, {}) for key in keys})
