"""Faults of a document that its schema finds, in words: by the keyword of the schema that was not kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jsonschema.exceptions import ValidationError, best_match

from generator import __version__
from generator.documents.load import KeyPath, short
from generator.documents.merge import JsonObject
from generator.errors import cut, did_you_mean
from generator.formats import versions
from generator.formats.explain import Fault, bad_pattern, missing_key, plain_number
from generator.formats.texts import A_PLUGIN, choices
from generator.formats.unknown_words import unknown_word


def schema_faults(data: JsonObject, errors: Iterable[ValidationError]) -> Iterator[Fault]:
    """`errors` are those that a validator found in `data`."""
    for error in errors:
        for single in _singles(error):
            if not _is_said(single):
                yield from _explained(single, data)


def _is_said(error: ValidationError) -> bool:
    """Whether another fault of the place says it: what is no mapping has no keys, and a number is no word of a list."""
    if _one_of_several_keys(error):
        return not isinstance(error.instance, dict)
    both = isinstance(error.schema, dict) and {"type", "enum"} <= error.schema.keys()
    return both and error.validator == ("enum" if error.instance is None else "type")


def _singles(error: ValidationError) -> Iterator[ValidationError]:
    """Of an `anyOf` every fault of the one branch whose type this is (`null` or a mapping); else the nearest fault."""
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.relative_schema_path[0], []).append(inner)
    fitting = [
        inner for inner in branches.values() if all(each.relative_path or each.validator != "type" for each in inner)
    ]
    if len(fitting) == 1 and not _one_of_several_keys(error):
        for inner in fitting[0]:
            yield from _singles(inner)
    else:
        yield _deepest(error)


def _deepest(error: ValidationError) -> ValidationError:
    """Of an `anyOf` the branch that is nearest to what was written: one that asks for its type, where there is one."""
    while error.context and not _one_of_several_keys(error):
        deeper = [e for e in error.context if list(e.relative_path) or e.validator == "additionalProperties"]
        fitting = [e for e in error.context if e.validator != "type" and not _is_said(e)]
        nearer = best_match(deeper or fitting or error.context)
        if nearer is None or (not deeper and error.validator == "anyOf" and nearer.validator == "type"):
            return error
        error = nearer
    return error


def _one_of_several_keys(error: ValidationError) -> bool:
    options: Any = error.validator_value
    return error.validator == "oneOf" and all(set(option) == {"required"} for option in options)


def _explained(error: ValidationError, data: JsonObject) -> Iterator[Fault]:
    """An error of jsonschema's, by the keyword of the schema that was not kept; each unknown key is a fault."""
    path = tuple(error.absolute_path)
    key = _called(path)
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        known = error.schema.get("properties", {})
        unknown = (word for word in _instance(error) if word not in known)
        yield from (unknown_word(word, known, path, data) for word in unknown)
    elif _one_of_several_keys(error):
        yield _one_key(error, path, key)
    else:
        explain = _EXPLAINERS.get(str(error.validator))
        yield explain(error, path, key) if explain else Fault(f"'{key}': {cut(error.message, 300)}", path, "")


def _called(path: KeyPath) -> str:
    """The last key of a path; of an entry of a list its key and number, `clients[0]`."""
    if not path:
        return "the file"
    return f"{cut(str(path[-2]))}[{path[-1]}]" if isinstance(path[-1], int) and len(path) > 1 else cut(str(path[-1]))


def _instance(error: ValidationError) -> Any:
    """What stands there."""
    return error.instance


def _one_key(error: ValidationError, path: KeyPath, key: str) -> Fault:
    options: Any = error.validator_value
    given = [key for option in options for key in option["required"] if key in _instance(error)] or ["none"]
    what = f"'{key}' needs exactly one of them, and has {', '.join(given)}"
    return Fault(what, tuple(path), f"one of: {', '.join(' and '.join(option['required']) for option in options)}")


def _missing(error: ValidationError, path: KeyPath, _: str) -> Fault:
    required: Any = error.validator_value
    return missing_key(next(name for name in required if name not in _instance(error)), path)


def _no_choice(error: ValidationError, path: KeyPath, key: str) -> Fault:
    allowed: Any = error.validator_value
    number = isinstance(error.instance, (int, float)) and all(isinstance(value, str) for value in allowed)
    fix = ("Quote it; " if number else "") + _guess(error, map(str, allowed))
    return Fault(f"'{key}' is {_short(error.instance)}", tuple(path), fix)


def _guess(error: ValidationError, names: Iterable[str]) -> str:
    """What was meant of these. Names are asked for below an `else` where no plugin is named that may add to them."""
    added = "engine_kwargs" in error.absolute_path and "else" in error.absolute_schema_path
    return did_you_mean(str(error.instance), names) + (f". Of a plugin: {A_PLUGIN}." if added else "")


def _no_match(error: ValidationError, path: KeyPath, key: str) -> Fault:
    if error.validator_value == versions.READABLE:
        what = f"these values are of ray-serve-llm {short(error.instance)}, and this is {__version__}"
        return Fault(what, tuple(path), f"They must be {versions.WORDS}.")
    pattern = str(error.validator_value)
    if names := choices(pattern):
        return Fault(f"'{key}' is {_short(error.instance)}", tuple(path), _guess(error, names))
    return bad_pattern(short(error.instance), path, pattern)


def _no_multiple(error: ValidationError, path: KeyPath, key: str) -> Fault:
    return Fault(f"'{key}' is {_short(error.instance)}", tuple(path), f"Give a multiple of {error.validator_value}.")


def _out_of_bounds(error: ValidationError, path: KeyPath, key: str) -> Fault:
    words = {"minimum": "{} or more", "exclusiveMinimum": "more than {}", "maximum": "{} or less"}
    fix = f"Give {words[str(error.validator)].format(plain_number(error.validator_value))}."
    return Fault(f"'{key}' is {_short(error.instance)}", tuple(path), fix)


def _too_long(error: ValidationError, path: KeyPath, key: str) -> Fault:
    given = str(error.instance)
    what = f"'{_short(given)}' has {len(given)} characters, and at most {error.validator_value} are accepted"
    return Fault(what, tuple(path), "Choose a shorter one.")


def _too_short(error: ValidationError, path: KeyPath, key: str) -> Fault:
    given = str(error.instance)
    what = f"'{key}' is too short: {len(given)} of at least {error.validator_value} characters"
    return Fault(what, tuple(path), "Say more.")


def _too_few(error: ValidationError, path: KeyPath, key: str) -> Fault:
    known = ", ".join(error.schema.get("properties", {})) if isinstance(error.schema, dict) else ""
    return Fault(f"'{key}' is empty", tuple(path), f"Give one of: {known}." if known else "Give one entry.")


def _too_many(error: ValidationError, path: KeyPath, key: str) -> Fault:
    return Fault(f"'{key}' has {len(_instance(error))} entries", tuple(path), f"Give {error.validator_value} or fewer.")


def _not_together(error: ValidationError, path: KeyPath, key: str) -> Fault:
    """A schema's `not`, which says here that some keys exclude each other, or that a name is taken."""
    without: Any = error.validator_value
    if "required" in without:
        both = " and ".join(without["required"])
        return Fault(f"'{key}' has {both}, and one excludes the other", tuple(path), "Remove one of them.")
    return Fault(f"{short(error.instance)} is taken", tuple(path), without.get("description", "Choose another."))


def _other_type(error: ValidationError, path: KeyPath, key: str) -> Fault:
    wanted: Any = error.validator_value
    kinds = [kind for kind in (wanted if isinstance(wanted, list) else [wanted]) if kind != "null"]
    if error.instance is None:
        what = f"'{key}' is empty and should be {_in_words(kinds)}"
        return Fault(what, tuple(path), "Give it a value, or remove the key.")
    what = f"'{key}' is {_short(error.instance)} and should be {_in_words(kinds)}"
    return Fault(what, tuple(path), _way_out(error.instance, kinds))


def _in_words(kinds: Iterable[str]) -> str:
    return " or ".join(_KINDS.get(kind, kind) for kind in dict.fromkeys(kinds))


def _way_out(given: Any, kinds: list[str]) -> str:
    """What to write in place of what is of none of these types; null is to leave the key out."""
    if "string" in kinds and not isinstance(given, (dict, list)):
        return "Quote it."
    return next((_EXAMPLES[kind] for kind in kinds if kind in _EXAMPLES), "")


def _no_branch(error: ValidationError, path: KeyPath, key: str) -> Fault:
    kinds = [str(e.validator_value) for e in error.context or () if e.validator == "type"]
    kinds = [kind for kind in kinds if kind != "null"]
    what = f"'{key}' is {_short(error.instance)}" + (f" and should be {_in_words(kinds)}" if kinds else "")
    return Fault(what, tuple(path), _way_out(error.instance, kinds))


_EXPLAINERS: dict[str, Callable[[ValidationError, KeyPath, str], Fault]] = {
    "required": _missing,
    "enum": _no_choice,
    "pattern": _no_match,
    "type": _other_type,
    "anyOf": _no_branch,
    "oneOf": _no_branch,
    "not": _not_together,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "maximum"), _out_of_bounds),
    "multipleOf": _no_multiple,
    "maxLength": _too_long,
    "minLength": _too_short,
    **dict.fromkeys(("minItems", "minProperties"), _too_few),
    "maxItems": _too_many,
}
"""By the schema's keyword."""
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
"""JSON Schema's types, in words."""
_EXAMPLES = {
    "object": "Give a mapping: `key: value`.",
    "array": "Give a list: one `- …` for each entry.",
    "integer": "Give a whole number, without quotes.",
    "number": "Give a number, without quotes.",
    "boolean": "Give true or false, without quotes.",
}


def _short(value: Any) -> str:
    return cut(repr(value))
