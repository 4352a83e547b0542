"""What the release's classes declare, as pydantic's JSON Schema of it: of pydantic 2, and of 1 (Ray 2.49's Serve)."""

from __future__ import annotations

import dataclasses
import enum
import typing
import warnings
from collections.abc import Iterable
from typing import Any

import pydantic
from pydantic import ConfigDict, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticOmit

from tools.references import Schema

_LENIENT = ConfigDict(arbitrary_types_allowed=True)


def of_model(model: type) -> tuple[str, dict[str, Schema]]:
    """The model's name, and by name the schemas of its class and of all that it holds."""
    schema = _of_v1(model) if is_v1(model) else TypeAdapter(model).json_schema(schema_generator=_YamlSchema)
    nested: dict[str, Schema] = schema.pop("$defs", {})
    if set(schema) == {"$ref"}:
        return schema["$ref"].rsplit("/", 1)[1], nested
    return schema["title"], {**nested, schema["title"]: schema}


def of_annotation(annotation: Any) -> Schema:
    """The schema of a type annotation. Raises PydanticUserError (or its kin) where pydantic cannot say it."""
    config = None if _is_configured(annotation) else _LENIENT
    return TypeAdapter(annotation, config=config).json_schema(schema_generator=_YamlSchema)


def is_v1(model: type) -> bool:
    return not issubclass(model, pydantic.BaseModel)


def fields_of(model: Any) -> Iterable[str]:
    """Names of the fields of a model, of pydantic 1 or 2."""
    names: Iterable[str] = model.__fields__ if is_v1(model) else model.model_fields
    return names


class _YamlSchema(GenerateJsonSchema):
    """Pydantic's JSON Schema of what can be written in YAML: enums by name, no Python objects."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's own attribute

    def enum_schema(self, schema: Any) -> Schema:
        """vLLM reads its enums by name ("FLASH_ATTN", "FULL_AND_PIECEWISE"); numbers and words it takes as well, but
        the import paths and pairs that are the values of some are its own business."""
        members: list[enum.Enum] = schema["members"]
        cls = schema["cls"]
        if not cls.__module__.startswith("vllm.") or issubclass(cls, str):
            return super().enum_schema(schema)
        names = [member.name for member in members]
        plain = [member.value for member in members if isinstance(member.value, int) or _is_word(member.value)]
        return {"enum": list(dict.fromkeys([*names, *plain]))}

    def is_subclass_schema(self, schema: Any) -> Schema:
        """A class object, which has no form in YAML; beside it stands `str`, its import path."""
        raise PydanticOmit

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> Schema:
        raise PydanticOmit


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier()


def _is_configured(annotation: Any) -> bool:
    """Whether pydantic refuses a config from outside: classes carry their own."""
    return isinstance(annotation, type) and (
        dataclasses.is_dataclass(annotation) or issubclass(annotation, pydantic.BaseModel)
    )


def _of_v1(model: Any) -> Schema:
    """The schema of a model of pydantic 1, with what that leaves out."""
    from pydantic.v1.schema import get_flat_models_from_model

    with warnings.catch_warnings(action="ignore"):  # "Callable was excluded": only its import path goes into YAML
        schema: Schema = model.schema()
    nested: dict[str, Schema] = schema.pop("definitions", {})
    classes = {cls.__name__: cls for cls in get_flat_models_from_model(model) if hasattr(cls, "__fields__")}
    whole = {
        name: _completed_v1(child, classes[name]) if name in classes else child  # an enum has no fields
        for name, child in {**nested, schema["title"]: schema}.items()
    }
    return {**whole.pop(schema["title"]), "$defs": whole}


def _completed_v1(schema: Schema, model: Any) -> Schema:
    """With the fields that pydantic 1 leaves out, and null where it is taken: pydantic 1 writes Optional[int] as int.

    It leaves out `Union[str, Callable]`, of which YAML can say the string.
    """
    properties: dict[str, Schema] = dict(schema["properties"])
    for name, field in model.__fields__.items():
        if name not in properties:
            properties[name] = {"type": "string"} if str in typing.get_args(field.outer_type_) else {}
        if field.allow_none:
            properties[name] = {"anyOf": [properties[name], {"type": "null"}]}
    return {**schema, "properties": properties}
