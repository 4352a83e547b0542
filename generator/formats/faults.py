"""Faults of pydantic in words: what, where in the document, what to do."""

from __future__ import annotations

import datetime
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from generator.documents.load import Location, load_text, place, short, written
from generator.errors import UserError, UserErrors, did_you_mean

ModelT = TypeVar("ModelT", bound=BaseModel)


def parse_text(text: str, name: str, model: type[ModelT]) -> ModelT:
    """Read YAML text as `model`. Every fault is reported at once, each with its line in the file `name`."""
    return parse_data(load_text(text, name), text, name, model)


def parse_data(data: Any, text: str, name: str, model: type[ModelT]) -> ModelT:
    """The same of what was read from the text already."""
    if not isinstance(data, dict):
        raise UserError("is empty or no mapping", where=name, fix=f"Keys: {', '.join(model.model_fields)}.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = [_explain(model, item, text) for item in error.errors(include_url=False)]
        raise UserErrors(
            [UserError(what, where=place(text, name, location), fix=fix) for what, location, fix in found]
        ) from None


def _explain(model: type[BaseModel], item: Any, text: str) -> tuple[str, Location, str]:
    """Say one pydantic fault in words: what, where in the document, what to do."""
    location = [part for part in item["loc"] if part != "[key]"]
    key = str(location[-1]) if location else ""
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key '{key}'", location, did_you_mean(key, _fields_at(model, location[:-1]))
    if kind == "missing":
        return f"'{key}' is missing", location[:-1], f"Add `{key}:` here."
    if kind == "invalid_key" or (kind == "string_type" and item["loc"][-1] == "[key]"):
        key = str(item["input"]) if item["loc"][-1] == "[key]" else key
        location = [*location[:-1], key]
        return f"the key {key} is no text", location, f'Quote it: "{key}".'
    if item["input"] is None:
        return f"'{key}' is empty", location, _give(model, location, kind)
    if kind in _MAPPING_KINDS or kind == "list_type":
        wanted = "list" if kind == "list_type" else "mapping"
        return f"'{key}' should be a {wanted} (it is {_brief(item['input'])})", location, _give(model, location, kind)
    if kind == "string_type" and not isinstance(item["input"], (dict, list)):
        word = written(text, location) or str(item["input"])
        known = _known(key)
        fix = f"Quote it; {did_you_mean(word, known)}" if known else f'Quote it: `{key}: "{word}"`.'
        return f"'{key}' should be text, and YAML reads {word} as a {_yaml_type(item['input'])}", location, fix
    if kind == "too_short":
        return f"'{key}' needs at least one entry", location, _give(model, location, kind)
    if kind == "literal_error":
        return f"'{key}' is {item['input']!r}", location, f"accepted: {context['expected']}"
    if kind == "string_pattern_mismatch":
        subject = "name" if item["loc"][-1] == "[key]" else f"'{key}'"
        return (
            f"{subject} {str(item['input'])!r} has characters or a length that is not accepted",
            location,
            (f"It must match {context['pattern']}."),
        )
    message = item["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    given = "" if isinstance(item["input"], (dict, list)) else f" (it is {item['input']!r})"
    return f"'{key}' {message}{given}" if key else message, location, _number_fix(kind, context)


_MAPPING_KINDS = ("model_type", "model_attributes_type", "dict_type", "dataclass_type", "mapping_type")


def _give(model: type[BaseModel], location: Location, kind: str) -> str:
    """What to write where nothing, too little or another kind of thing stands."""
    if kind == "list_type":
        return "Give a list: one `- …` for each entry."
    if kind in _MAPPING_KINDS or kind == "too_short":
        named = _is_dict(_annotation_at(model, location))
        fields = ", ".join(_fields_at(model, location))
        if named:
            return "Give at least one name" + (f", and below it: {fields}." if fields else " with its value.")
        return f"Give a mapping of: {fields}."
    return "Give it a value, or remove the key if you do not need it."


def _number_fix(kind: str, context: Mapping[str, Any]) -> str:
    bounds = {"ge": "{} or more", "gt": "more than {}", "le": "{} or less", "lt": "less than {}"}
    for name, words in bounds.items():
        if name in context:
            return f"Give {words.format(context[name])}."
    if kind.startswith("int_"):
        return "Give a whole number, without quotes."
    if kind.startswith("float_"):
        return "Give a number, without quotes."
    if kind.startswith("bool_"):
        return "Give true or false, without quotes."
    return "Give text." if kind == "string_type" else "Mend it; nothing was written."


def _known(key: str) -> Iterable[str]:
    """The words of a closed list that the key's value is one of."""
    from generator.facts.gpus import gpus
    from generator.facts.releases import releases

    return {"ray": releases, "gpu": gpus}.get(key, dict)()


def _yaml_type(value: Any) -> str:
    names = {bool: "truth value", int: "number", float: "number"}
    return names.get(type(value)) or ("date" if isinstance(value, datetime.date) else type(value).__name__)


def _brief(value: Any) -> str:
    return {dict: "a mapping", list: "a list"}.get(type(value)) or (
        short(value) if isinstance(value, str) else repr(value)
    )


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that `model` knows at `location`, through mappings and optionals."""
    found = _model_in(_annotation_at(model, location))
    return [field.alias or name for name, field in found.model_fields.items()] if found else []


def _annotation_at(model: type[BaseModel], location: Location) -> Any:
    annotation: Any = model
    for part in location:
        annotation = _below(annotation, part)
    return annotation


def _is_dict(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return origin is dict or (origin is not list and any(map(_is_dict, typing.get_args(annotation))))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in typing.get_args(annotation):
        found = _model_in(inner)
        if found:
            return found
    return None


def _below(annotation: Any, part: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field else None
    if typing.get_origin(annotation) in (dict, list):
        return typing.get_args(annotation)[-1]
    for inner in typing.get_args(annotation):
        found = _below(inner, part)
        if found is not None:
            return found
    return None
