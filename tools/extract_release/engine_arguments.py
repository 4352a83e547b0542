"""What `engine_kwargs` of a model may be: the names that Ray's check knows, with vLLM's types and bounds."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from pydantic.errors import PydanticUserError

from tools.references import Schema

from . import names
from .definitions import Definitions
from .left_out import OF_ENGINE_ARGUMENTS
from .probe import Probe
from .release import Release
from .schema import as_list, nullable, of_keys, union
from .source import ConfigField, config_fields, config_fields_by_name, evaluated

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def engine_arguments(release: Release, probe: Probe, definitions: Definitions) -> Schema:
    """The check of the names is `VLLMEngineConfig.from_llm_config`."""
    definitions.provenance.reads(release.engine_config)
    probe.confirm_engine_arguments(OF_ENGINE_ARGUMENTS)
    definitions.provenance.leaves_out("EngineArguments", OF_ENGINE_ARGUMENTS)
    properties: dict[str, Schema] = {}
    for manager in (release.tool_parsers, release.reasoning_parsers):
        definitions.provenance.reads(manager)
    for cls in (release.engine_args, release.frontend_args):
        definitions.provenance.reads(cls)
        origins = config_fields_by_name() | config_fields(cls)
        for field in dataclasses.fields(cls):
            # A leading underscore: vLLM sets it itself, between its own processes.
            if field.name not in OF_ENGINE_ARGUMENTS and not field.name.startswith("_"):
                properties[field.name] = _argument(field, origins.get(field.name), release, definitions)
    properties |= {key: schema for key, schema in names.closed_choices().items() if key in properties}
    if "enum" not in properties["block_size"]:
        step = names.block_size_step(release)
        properties["block_size"] |= {"if": {"type": "integer", "minimum": 2}, "then": {"multipleOf": step}}
    properties["distributed_executor_backend"] = {"enum": probe.executor_backends(), "type": "string"}
    if "compilation_config, (int, dict)" in inspect.getsource(release.engine_args.__post_init__):
        # vLLM 0.10 takes the optimization level alone.
        properties["compilation_config"] = union([properties["compilation_config"], {"type": "integer"}], {})
    if release.speculative_config is not None:
        properties["speculative_config"] = _speculative_config(release.speculative_config, definitions)
    return of_keys(properties)


def _argument(
    field: dataclasses.Field[Any], origin: ConfigField | None, release: Release, definitions: Definitions
) -> Schema:
    try:
        schema = definitions.of_annotation(evaluated(field.type, release.engine_args))
    except PydanticUserError:
        schema = {}
    if schema == {}:
        definitions.provenance.leaves_untyped(f"EngineArguments.{field.name}")
    if origin:
        definitions.provenance.reads(origin.config)
        schema = _bounded(schema, origin)
    return schema


def _bounded(schema: Schema, origin: ConfigField) -> Schema:
    """The schema with the numeric bounds of the config class's field, where it has any."""
    if not {"integer", "number"} & set(as_list(schema.get("type"))):
        return schema
    info = getattr(origin.config, "__pydantic_fields__", {}).get(origin.name)
    bounds = {
        word: value
        for constraint in (info.metadata if info else [])
        for key, word in _BOUNDS.items()
        if (value := getattr(constraint, key, None)) is not None
    }
    return {**schema, **bounds}


def _speculative_config(cls: Any, definitions: Definitions) -> Schema:
    """Declared as a dict; vLLM makes a SpeculativeConfig of it (`create_speculative_config`), which rejects unknown
    keys. Only its names are taken: half of the types are vLLM's internal objects, filled in later. vLLM also takes
    the names with dashes; one spelling is enough here."""
    definitions.provenance.reads(cls)
    keys = (field.name for field in dataclasses.fields(cls) if field.init and not field.name.startswith("target_"))
    return nullable(of_keys({key: {} for key in keys} | {"method": {"enum": [*names.speculative_methods(), None]}}))
