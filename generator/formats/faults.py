"""Faults of pydantic in words: what, where in the document, what to do."""

from __future__ import annotations

import datetime
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from generator.documents.load import KeyPath, Origin, load_text, short
from generator.errors import UserError, UserErrors, cut, did_you_mean
from generator.facts.gpus import gpus
from generator.facts.releases import releases
from generator.formats.engines import other_engines_in
from generator.formats.explain import (
    Fault,
    bad_pattern,
    in_order,
    key_is_no_text,
    missing_key,
    not_json,
    plain_number,
    unknown_key,
)
from generator.formats.secrets import refuse_secrets

ModelT = TypeVar("ModelT", bound=BaseModel)


def parse_text(text: str, name: str, model: type[ModelT]) -> ModelT:
    """Read YAML text as `model`. Every fault is reported at once, each with its line in the file `name`."""
    return parse_data(load_text(text, name), Origin(name, text), model)


def parse_data(data: Any, origin: Origin, model: type[ModelT]) -> ModelT:
    """The same of what was read already."""
    if not isinstance(data, dict):
        raise UserError("is empty or no mapping", where=origin.name, fix=f"Keys: {', '.join(model.model_fields)}.")
    refuse_secrets(data, origin)  # first: no other message may quote one
    try:
        faults = list(other_engines_in(data))
        parsed = model.model_validate(data)
        faults += not_json(data)  # where a format takes anything
    except ValidationError as error:
        faults = faults or [_explained(_Item.of(model, item, origin)) for item in error.errors(include_url=False)]
    if faults:
        raise UserErrors([fault.as_error(origin) for fault in in_order(faults, data)])
    return parsed


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One fault of pydantic's, with what it is about."""

    model: type[BaseModel]
    origin: Origin
    kind: str
    """pydantic's name of the fault (https://docs.pydantic.dev/latest/errors/validation_errors/)."""
    is_key: bool
    """Whether the key itself is wrong, not what stands there."""
    path: tuple[str | int, ...]
    input: Any
    context: Mapping[str, Any]
    message: str

    @classmethod
    def of(cls, model: type[BaseModel], item: Mapping[str, Any], origin: Origin) -> _Item:
        path = item["loc"]
        return cls(
            model=model,
            origin=origin,
            kind=item["type"],
            is_key=bool(path) and path[-1] == "[key]",
            path=tuple(part for part in path if part != "[key]"),
            input=item["input"],
            context=item.get("ctx", {}),
            message=item["msg"],
        )

    @property
    def key(self) -> str:
        """The last of the path; of an entry of a list the list's own."""
        named = [part for part in self.path if isinstance(part, str)]
        return cut(named[-1]) if named else ""


def _explained(item: _Item) -> Fault:
    if item.kind == "invalid_key" or (item.kind == "string_type" and item.is_key):
        return _key_is_no_text(item)
    if item.input is None and item.kind not in ("extra_forbidden", "missing"):
        return _empty(item)
    return _EXPLAINERS.get(item.kind, _any_other)(item)


def _unknown_key(item: _Item) -> Fault:
    return unknown_key(item.key, item.path[:-1], _fields_at(item.model, item.path[:-1]))


def _missing(item: _Item) -> Fault:
    return missing_key(item.key, item.path[:-1])


def _key_is_no_text(item: _Item) -> Fault:
    key = str(item.input if item.is_key else item.path[-1])
    return key_is_no_text(key, item.path[:-1])


def _empty(item: _Item) -> Fault:
    return Fault(f"'{item.key}' is empty", item.path, _give(item.model, item.path, item.kind))


def _short_text(item: _Item) -> Fault:
    return _any_other(item) if item.input else _empty(item)


def _other_shape(item: _Item) -> Fault:
    wanted = "list" if item.kind == "list_type" else "mapping"
    what = f"'{item.key}' should be a {wanted} (it is {_brief(item.input)})"
    return Fault(what, item.path, _give(item.model, item.path, item.kind))


def _no_text(item: _Item) -> Fault:
    if isinstance(item.input, (dict, list)):
        return _any_other(item)
    word = cut(item.origin.written(item.path) or str(item.input))
    known = _known(item.key)
    fix = f"Quote it; {did_you_mean(word, known)}" if known else f'Quote it: `{item.key}: "{word}"`.'
    what = f"'{item.key}' should be text, and YAML reads {word} as a {_yaml_type(item.input)}"
    return Fault(what, item.path, fix)


def _too_short(item: _Item) -> Fault:
    what = f"'{item.key}' needs at least one entry"
    return Fault(what, item.path, _give(item.model, item.path, item.kind))


def _no_choice(item: _Item) -> Fault:
    return Fault(f"'{item.key}' is {short(item.input)}", item.path, f"accepted: {item.context['expected']}")


def _no_match(item: _Item) -> Fault:
    subject = "name" if item.is_key else f"'{item.key}'"
    return bad_pattern(f"{subject} {short(str(item.input))}", item.path, item.context["pattern"])


def _any_other(item: _Item) -> Fault:
    message = item.message.removeprefix("Value error, ").replace("Input should be", "should be")
    given = "" if isinstance(item.input, (dict, list)) else f" (it is {_brief(item.input)})"
    what = f"'{item.key}' {message}{given}" if item.key else message
    return Fault(what, item.path, _number_fix(item.kind, item.context))


_MAPPING_KINDS = ("model_type", "model_attributes_type", "dict_type", "dataclass_type", "mapping_type")
_EXPLAINERS: dict[str, Callable[[_Item], Fault]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    **dict.fromkeys((*_MAPPING_KINDS, "list_type"), _other_shape),
    "string_type": _no_text,
    "too_short": _too_short,
    "string_too_short": _short_text,
    "literal_error": _no_choice,
    "string_pattern_mismatch": _no_match,
}
"""By the kind of a fault."""


def _give(model: type[BaseModel], path: KeyPath, kind: str) -> str:
    """What to write where nothing, too little or another kind of thing stands."""
    if kind == "list_type":
        return "Give a list: one `- …` for each entry."
    if kind in _MAPPING_KINDS or kind == "too_short":
        named = _is_dict(_annotation_at(model, path))
        fields = ", ".join(_fields_at(model, path))
        if named:
            return "Give at least one name" + (f", and below it: {fields}." if fields else " with its value.")
        return f"Give a mapping of: {fields}."
    return "Give it a value, or remove the key if you do not need it."


def _number_fix(kind: str, context: Mapping[str, Any]) -> str:
    bounds = {"ge": "{} or more", "gt": "more than {}", "le": "{} or less", "lt": "less than {}"}
    for name, words in bounds.items():
        if name in context:
            return f"Give {words.format(plain_number(context[name]))}."
    if kind.startswith("int_"):
        return "Give a whole number, without quotes."
    if kind.startswith("float_"):
        return "Give a number, without quotes."
    if kind.startswith("bool_"):
        return "Give true or false, without quotes."
    return "Give text." if kind == "string_type" else "Fix it."


def _known(key: str) -> list[str]:
    """The words of a closed list that the key's value is one of."""
    if key == "ray":
        return list(releases())
    return list(gpus()) if key == "gpu" else []


def _yaml_type(value: Any) -> str:
    if isinstance(value, bool):
        return "truth value"
    if isinstance(value, int | float):
        return "number"
    return "date" if isinstance(value, datetime.date) else type(value).__name__


def _brief(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return short(value) if isinstance(value, str) else cut(repr(value))


def _fields_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that `model` knows at `path`, through mappings and optionals."""
    inner = _model_in(_annotation_at(model, path))
    return [field.alias or name for name, field in inner.model_fields.items()] if inner else []


def _annotation_at(model: type[BaseModel], path: KeyPath) -> Any:
    annotation: Any = model
    for part in path:
        annotation = _below(annotation, part)
    return annotation


def _is_dict(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return origin is dict or (origin is not list and any(map(_is_dict, typing.get_args(annotation))))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in typing.get_args(annotation):
        below = _model_in(inner)
        if below:
            return below
    return None


def _below(annotation: Any, part: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field else None
    if typing.get_origin(annotation) in (dict, list):
        return typing.get_args(annotation)[-1]
    for inner in typing.get_args(annotation):
        below = _below(inner, part)
        if below is not None:
            return below
    return None
