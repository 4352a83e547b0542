"""JSON Schemas of every file that people or Helm read, made from the pydantic models and the Ray releases' arguments.

`catalog` and `environment` are draft 2020-12, for editors; `values` is draft-07, for Helm. What Ray accepts
(`llmConfig`, `application`, `serving.config`, `serving.ingress`) is chosen by `ray.version`, so a key of another
release is refused.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from generator.documents.merge import JsonObject
from generator.facts.releases import releases, vllm_versions
from generator.facts.replaced import replaced_keys
from generator.formats.catalog import CatalogFile
from generator.formats.chart_values import Values
from generator.formats.environment import Environment
from generator.formats.fields import ServedModelName
from generator.formats.image_schemas import (
    environment_for_release,
    for_image,
    for_release,
    images,
    is_image,
    name_of,
    ref,
    split_name,
    with_other_vllm,
)
from generator.formats.output import OUTPUTS
from generator.formats.own_gpus import GpuFile
from generator.formats.ray_bounds import bounded
from generator.formats.texts import in_words, text

DRAFT_07 = "http://json-schema.org/draft-07/schema#"
DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema"


@cache
def catalog_schema() -> JsonObject:
    return {"$schema": DRAFT_2020_12, **_tidy(CatalogFile.model_json_schema())}


@cache
def values_schema() -> JsonObject:
    """The chart's values, closed to the leaf, with one branch for each Ray release."""
    schema = _draft_07(_tidy(Values.model_json_schema()))
    definitions = schema["definitions"]
    definitions["Ray"]["properties"]["version"] = {
        **definitions["Ray"]["properties"]["version"],
        "enum": list(releases()),
    }
    definitions["Ray"]["properties"]["vllm"]["enum"] = ["", *vllm_versions()]
    for version, release in releases().items():
        definitions.update(_prefixed(release.arguments(), version))
    definitions.update(with_other_vllm(definitions))
    schema["allOf"] = [for_release(*image) for image in images()]
    schema["required"] = [key for key in schema.get("required", []) if key != "ray"]
    return {"$schema": DRAFT_07, "$comment": _GENERATED, **schema}


def definition_of(properties: JsonObject) -> tuple[str, str]:
    """The Ray release and the name there of the definition that has these properties; empty where none has."""
    names = (name for name, schema in values_schema()["definitions"].items() if schema.get("properties") == properties)
    version, found = split_name(next(names, ""))
    return version, _MADE_OF.get(found, found)


# Shapes that files here hold, and what they are made of.
_MADE_OF = {
    "ChartLLMConfig": "LLMConfig",
    "PartialLLMConfig": "LLMConfig",
    "ChartIngress": "IngressOptions",
    "ChartApplication": "ServeApplication",
}


def chart_schema(defaults: JsonObject) -> JsonObject:
    """The values' schema for Helm, which reads them merged over the chart's `defaults` (its values.yaml).

    So every default must still be there. An empty `serving:` takes it away, and would otherwise render nonsense.
    """
    schema: JsonObject = _for_helm(json.loads(json.dumps(values_schema())))
    # Of keys that exclude each other Helm says no more than that: the templates say which.
    del schema["definitions"]["Model"]["oneOf"]
    # People put the token itself there: the templates say so, in better words.
    for name in ("HuggingFace", "ApiKey"):
        secret = schema["definitions"][name]["properties"]["existingSecret"]
        del secret["if"], secret["else"]
    # Kubernetes' own form is a mapping.
    pull = schema["definitions"]["Image"]["properties"]["pullSecrets"]
    alone = {"const": "the name alone, without name: before it, as in - regcred"}
    pull["items"] = {"if": {"type": "object"}, "then": alone, "else": pull["items"]}
    for name, definition in schema["definitions"].items():
        for key, why in _reasons(name).items():
            definition["properties"].setdefault(key, {"const": why})
    for where, node in (("chart", schema), ("auth", schema["definitions"]["Auth"])):
        for key, row in replaced_keys()[where].items():
            node["properties"].setdefault(key, {"const": f"left out. {row['instead']}"})
    return {**schema, "allOf": [*schema["allOf"], _present(defaults)]}


def _reasons(name: str) -> dict[str, str]:
    """By key, in words that Helm prints, why a definition of Ray's has it not though Ray does or did."""
    version, found = split_name(name)
    definition = _MADE_OF.get(found, found)
    replaced = replaced_keys().get(_WHERE.get(definition, ""), {}) if version else {}
    left_out = releases()[version].left_out().get(definition, {}) if version else {}
    return {
        **{key: f"left out. {row['instead']}" for key, row in replaced.items()},
        **{key: f"left out: {why}" for key, why in left_out.items()},
    }


# The key below which a definition stands.
_WHERE = {
    "LLMConfig": "llmConfig",
    "EngineArguments": "engine_kwargs",
    "ModelLoadingConfig": "model_loading_config",
}


def _for_helm(node: Any) -> Any:
    """A schema of which Helm says what is wanted, and where.

    Of a text that does not match a pattern Helm prints the text, which may be a secret, and the pattern. Of another
    constant it prints only what was wanted, and that is the pattern in words. Of a wrong key its library prints the
    wrong place (`verr.InstanceLocation = vd.vloc` in validator.go of github.com/santhosh-tekuri/jsonschema v6.0.3), and
    of `not` no more than that it failed: the chart's checks say why.
    """
    if isinstance(node, list):
        return [_for_helm(item) for item in node]
    if not isinstance(node, dict):
        return node
    helm = {key: _for_helm(value) for key, value in node.items() if key not in ("not", "propertyNames", _WORDS)}
    if isinstance(pattern := helm.get("pattern"), str):
        del helm["pattern"]
        helm |= {"if": {"pattern": pattern}, "else": {"const": in_words(pattern)}}
    if "anyOf" in helm:
        helm |= _by_type(helm.pop("anyOf"))
    names = node.get("propertyNames", {})
    if "pattern" in names:
        other = {"const": f"below a key that is {in_words(names['pattern'])}"}
        helm["allOf"] = [{"patternProperties": {names["pattern"]: True}, "additionalProperties": other}]
    if "maxLength" in names:
        helm["propertyNames"] = {"maxLength": names["maxLength"]}
    return helm


def _by_type(options: list[JsonObject]) -> JsonObject:
    """The same as `anyOf`, of which Helm tells only the option whose type the value has, and nothing of null."""
    others = [option for option in options if option != {"type": "null"}]
    kinds = [_kind(option) for option in others]
    chosen: JsonObject = {"anyOf": others}
    if len(others) == 1:
        chosen = others[0]
    elif all(kinds) and len(set(kinds)) == len(kinds) and not {"integer", "number"} <= set(kinds):
        chosen = {"type": kinds}
        for kind, option in zip(kinds, others, strict=True):
            chosen = {"if": {"type": kind}, "then": option, "else": chosen}
    return chosen if len(others) == len(options) else {"if": {"type": "null"}, "else": chosen}


def _kind(option: JsonObject) -> str:
    """The one type of an option; empty where it is not known here. All definitions but Ray's are mappings."""
    if "$ref" in option:
        return "" if "/ray-" in option["$ref"] else "object"
    kind = option.get("type")
    return kind if isinstance(kind, str) else ""


def _present(defaults: JsonObject) -> JsonObject:
    given = {key: value for key, value in defaults.items() if value is not None}
    below = {key: _present(value) for key, value in given.items() if isinstance(value, dict) and value}
    return {"required": list(given), **({"properties": below} if below else {})}


@cache
def environment_schema() -> JsonObject:
    """An environment; `chart`, `llmConfig`, `application` and `workerGroup` are the chart's and Ray's own schemas."""
    schema = _draft_07(_tidy(Environment.model_json_schema()))
    values = values_schema()
    definitions = schema["definitions"] | values["definitions"]
    chart = {key: value for key, value in values["properties"].items() if key not in _NOT_IN_AN_ENVIRONMENT}
    definitions["Chart"] = {"type": "object", "additionalProperties": False, "properties": chart}
    schema["properties"]["chart"] = {"$ref": "#/definitions/Chart"}
    # Nothing below it serves nothing, as an empty mapping does.
    schema["properties"]["serve"]["type"] = ["object", "null"]
    # Nothing behind a name takes away what a base has below it.
    for key in ("pools", "apps"):
        entry = schema["properties"][key]["additionalProperties"]
        schema["properties"][key]["additionalProperties"] = {"anyOf": [entry, {"type": "null"}]}
    del schema["required"]  # what a base says need not be whole, nor what is written over one
    definitions["Pool"]["properties"]["workerGroup"] = {"$ref": "#/definitions/WorkerGroup"}
    return {
        "$schema": DRAFT_07,
        "$comment": _GENERATED,
        **schema,
        "definitions": definitions,
        "allOf": [environment_for_release(*image) for image in images()],
    }


def gpus_schema() -> JsonObject:
    """A project's own GPU types and prices."""
    return {"$schema": DRAFT_2020_12, **_tidy(GpuFile.model_json_schema())}


def editor_schemas() -> dict[str, JsonObject]:
    """By kind, the schemas of the files that people write."""
    return {
        "catalog": catalog_schema(),
        "environment": environment_schema(),
        "gpus": gpus_schema(),
        "values": values_schema(),
    }


@cache
def catalog_words_schema() -> JsonObject:
    """What an image (`ray`, `vllm`) takes of the `llmConfig` of catalog entries; `models` holds them by id."""
    words = [
        {
            "if": is_image(version, vllm),
            "then": {
                "properties": {
                    "models": {
                        "additionalProperties": {
                            "properties": {"llmConfig": ref(version, for_image("PartialLLMConfig", version, vllm))}
                        }
                    }
                }
            },
        }
        for version, vllm in images()
    ]
    return {"$schema": DRAFT_07, "definitions": values_schema()["definitions"], "allOf": words}


# `/` or words between slashes. Ray takes no `/` at the end and no braces, and answers itself below `/-/`.
ROUTE = r"^(/|(/[A-Za-z0-9._~][A-Za-z0-9._~-]*)+)$"
text(ROUTE, "/ alone, or a route of letters, digits and any of . _ ~ -, no / last, such as /my-app")

# Where Serve listens: the readiness of a pod asks its own address, and the Service the pod's.
EVERY_ADDRESS = ["0.0.0.0", "::"]

_GENERATED = "Generated by `python -m generator schema`. Do not edit."
_NOT_IN_AN_ENVIRONMENT = {"generatorVersion", "enabled", "ray", "models", "apps", "workerGroups"}


def _prefixed(definitions: JsonObject, version: str) -> JsonObject:
    """A release's definitions under names of their own, plus the shapes that files here hold.

    `ChartLLMConfig`: `model_loading_config.model_id` may be left out, the key says it then. `PartialLLMConfig`: all may
    be left out. `ChartIngress`: options of the ingress, whose name the chart knows. `ChartApplication`: its route,
    where it has one, is one that Ray and every proxy read alike, and its `args` are what a builder of Ray's takes.
    Serve answers on every address, at a free port.
    """
    definitions = bounded(_tidy(_without_secrets(definitions)))
    renamed: JsonObject = json.loads(
        json.dumps({name_of(version, name): schema for name, schema in definitions.items()}).replace(
            '"#/definitions/', f'"#/definitions/{name_of(version, "")}'
        )
    )
    whole = renamed[name_of(version, "LLMConfig")]
    renamed[name_of(version, "PartialLLMConfig")] = {k: v for k, v in whole.items() if k != "required"}
    loading = json.loads(json.dumps(_resolve(whole["properties"]["model_loading_config"], renamed)))
    # Ray would take the id for a hub's.
    loading["required"] = [*(key for key in loading.get("required", []) if key != "model_id"), "model_source"]
    loading["properties"]["model_id"] = _tidy(TypeAdapter(ServedModelName).json_schema())
    partial_loading = {k: v for k, v in loading.items() if k != "required"}
    renamed[name_of(version, "ChartLLMConfig")] = {
        **whole,
        "properties": {**whole["properties"], "model_loading_config": loading},
    }
    # A release whose builder takes no options for its ingress has them in the application's `deployments`.
    ingress = renamed.get(name_of(version, "IngressOptions")) or renamed[name_of(version, "DeploymentSchema")]
    renamed[name_of(version, "ChartIngress")] = {
        **{key: value for key, value in ingress.items() if key != "required"},
        "properties": {key: value for key, value in ingress["properties"].items() if key != "name"},
    }
    application = renamed[name_of(version, "ServeApplication")]
    renamed[name_of(version, "ChartApplication")] = {
        **application,
        "properties": {**application["properties"], "route_prefix": _tidy({"type": "string", "pattern": ROUTE})},
        "allOf": [_of_builder(version, name) for name in releases()[version].builders],
    }
    http_options = renamed[name_of(version, "HTTPOptionsSchema")]["properties"]
    http_options["host"] = {"enum": EVERY_ADDRESS}
    http_options["port"] = {**http_options["port"], "not": _taken_ports(version)}
    renamed[name_of(version, "PartialLLMConfig")]["properties"] = {
        **whole["properties"],
        "model_loading_config": partial_loading,
    }
    return renamed


def _of_builder(version: str, name: str) -> JsonObject:
    """What one of Ray's builders of OpenAI applications takes, wherever an `import_path` names it."""
    builder = releases()[version].builders[name]
    paths = [f"{module}{colon}{name}" for module in builder["modules"] for colon in ":."]
    return {
        "if": {"properties": {"import_path": {"enum": paths}}, "required": ["import_path"]},
        "then": {"properties": {"args": ref(version, builder["arguments"])}},
    }


def _taken_ports(version: str) -> JsonObject:
    spans = releases()[version].ports
    return {
        "description": "Ray itself has that port on the same pods. Choose another, or remove it for 8000.",
        "anyOf": [{"type": "integer", "minimum": first, "maximum": last} for first, last in spans],
    }


# Keys that would carry a secret's own text into values and serveConfigV2; each with what to use instead.
SECRETS = {
    "hf_token": "name a Secret in `huggingFace.existingSecret`",
    "api_key": "check keys in front of the service: values are readable in the cluster",
    "ssl_keyfile_password": "end TLS in front of the service: values are readable in the cluster",
}


def _without_secrets(definitions: JsonObject) -> JsonObject:
    return {
        name: {**schema, "properties": {k: v for k, v in schema["properties"].items() if k not in SECRETS}}
        if "properties" in schema
        else schema
        for name, schema in definitions.items()
    }


def _resolve(schema: JsonObject, definitions: JsonObject) -> JsonObject:
    if "$ref" in schema:
        return _resolve(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    options = [option for option in schema.get("anyOf", []) if "$ref" in option]
    return _resolve(options[0], definitions) if options else schema


def _tidy(node: Any) -> Any:
    """Drop pydantic's titles; say `default: null` by leaving it out; hold every key of a keyed mapping to its pattern;
    say each pattern in words.

    pydantic writes `patternProperties`, which says nothing of a key that matches no pattern.
    """
    if isinstance(node, dict):
        if "patternProperties" in node:
            ((pattern, inner),) = node["patternProperties"].items()
            rest = {key: value for key, value in node.items() if key != "patternProperties"}
            names = {**node.get("propertyNames", {}), "pattern": pattern}
            return _tidy({**rest, "propertyNames": names, "additionalProperties": inner})
        tidy = {
            key: (
                {name: _tidy(value) for name, value in inner.items()}
                if key in ("properties", "$defs")
                else _tidy(inner)
            )
            for key, inner in node.items()
            if key != "title" and not (key == "default" and inner is None)
        }
        return {**tidy, _WORDS: f"It must be {in_words(node['pattern'])}."} if _is_pattern(node) else tidy
    return [_tidy(item) for item in node] if isinstance(node, list) else node


_WORDS = "patternErrorMessage"
"""What VS Code's JSON and YAML say in place of a pattern."""


def _is_pattern(schema: JsonObject) -> bool:
    return isinstance(schema.get("pattern"), str)


def _draft_07(schema: JsonObject) -> JsonObject:
    """pydantic writes draft 2020-12; what it uses differs from draft-07 in the name of `definitions` only."""
    text = json.dumps(schema).replace('"#/$defs/', '"#/definitions/').replace('"$defs":', '"definitions":')
    renamed: JsonObject = json.loads(text)
    return renamed


@cache
def output_schemas() -> dict[str, JsonObject]:
    """What each command prints with `--json`, by command; draft 2020-12."""
    return {
        command: {"$schema": DRAFT_2020_12, **_tidy(TypeAdapter(output).json_schema())}
        for command, output in OUTPUTS.items()
    }


def schema_text(schema: JsonObject) -> str:
    return json.dumps(schema, indent=1, sort_keys=False, ensure_ascii=False) + "\n"
