"""Ray LLM's own configuration: LLMConfig of a model, and the arguments of the applications that serve some."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

from tools.references import REF, Schema

from . import declared, deployment_options, names
from .definitions import Definitions
from .probe import Probe
from .provenance import Provenance
from .release import Release
from .schema import nullable, of_keys, simplified
from .source import keys_read, string_constants


def define_llm_config(release: Release, probe: Probe, definitions: Definitions) -> None:
    """LLMConfig, with the fields that it declares as `Any` or as a dict in their true shape."""
    definitions.of_models((release.model_loading_config, release.lora_config, release.placement_group_config))
    true_shape: dict[str, Schema] = {
        "accelerator_type": {"enum": [*probe.accelerators(), None]},
        "deployment_config": {"$ref": REF + "DeploymentOptions"},
        "engine_kwargs": {"$ref": REF + "EngineArguments"},
        "experimental_configs": _experimental_configs(definitions.provenance),
        "llm_engine": {"enum": [member.value for member in release.llm_engine], "type": "string"},
        "lora_config": nullable({"$ref": REF + "LoraConfig"}),
        "model_loading_config": {"$ref": REF + "ModelLoadingConfig"},
        "placement_group_config": nullable({"$ref": REF + "PlacementGroupConfig"}),
        "runtime_env": nullable({"$ref": REF + "RuntimeEnv"}),
        "server_cls": nullable(names.import_path(release.llm_server, release)),
    }
    definitions.of_model(release.llm_config)
    properties = definitions["LLMConfig"]["properties"]
    properties.update({key: shape for key, shape in true_shape.items() if key in properties})
    # A general plugin, which VLLM_PLUGINS names, may add to vLLM's registries.
    plugin = _has("runtime_env", _has("env_vars", _has("VLLM_PLUGINS", {})))
    looked_up = {"properties": {"engine_kwargs": {"$ref": REF + "EngineNames"}}}
    definitions["LLMConfig"].update({"if": plugin, "else": looked_up})
    if release.placement_group_config is not None:
        _complete_placement_group(definitions)


def _has(key: str, schema: Schema) -> Schema:
    """A mapping with the key, below which the schema holds."""
    return {"type": "object", "required": [key], "properties": {key: schema}}


def define_serving_args(release: Release, definitions: Definitions) -> list[str]:
    """The arguments of each builder: paths or LLMConfigs, (2.60) options of the ingress. Returns the classes' names."""
    if release.ingress_cls_config is not None:
        definitions.of_model(release.ingress_cls_config)
        # A class object cannot be written in YAML; its import path can.
        definitions["IngressClsConfig"]["properties"]["ingress_cls"] = names.import_path(None, release)
        definitions["IngressOptions"] = deployment_options.of_ingress(release, definitions)
    config: Schema = {"anyOf": [{"type": "string"}, {"$ref": REF + "LLMConfig"}]}
    # What they hold is defined already, and in a truer shape.
    true_shape: dict[str, Schema] = {
        "llm_configs": {"type": "array", "minItems": 1, "items": config},
        "llm_config": config,
        "prefill_config": config,
        "decode_config": config,
        "ingress_cls_config": {"$ref": REF + "IngressClsConfig"},
        "ingress_deployment_config": {"$ref": REF + "IngressOptions"},
    }
    taken = [arguments for arguments in release.serving_args if arguments is not None]
    for arguments in taken:
        definitions.provenance.reads(arguments)
        schema = simplified(declared.of_annotation(arguments))
        schema["properties"].update({key: true_shape[key] for key in schema["properties"] if key in true_shape})
        definitions[arguments.__name__] = {key: value for key, value in schema.items() if key != "$defs"}
    return [arguments.__name__ for arguments in taken]


def _complete_placement_group(definitions: Definitions) -> None:
    """What two validators of Ray's check and no annotation says: one of two fields, and resources >= 0."""
    definitions["BundleConfig"]["additionalProperties"] = {"type": "number", "minimum": 0}
    one_of = [{"required": ["bundle_per_worker"]}, {"required": ["bundles"]}]
    definitions["PlacementGroupConfig"]["oneOf"] = one_of


def _experimental_configs(provenance: Provenance) -> Schema:
    """The keys that Ray LLM's code reads; others are ignored without a word."""
    package = Path(importlib.import_module("ray.llm").__file__ or "").parent / "_internal" / "serve"
    trees = {path: ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}
    constants = dict(string_constants(trees.values()))
    keys: set[str] = set()
    for path, tree in trees.items():
        read = {constants.get(key, key) for key in keys_read(tree, "experimental_configs")}
        if read:
            provenance.reads_file(path)
            keys |= read
    return of_keys({key: {} for key in sorted(keys)})
