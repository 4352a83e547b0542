"""Check a document against one of the schemas, and say each fault in words: what, where, what to do."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError, best_match

from generator.documents.load import Location, place
from generator.documents.merge import JsonObject
from generator.errors import UserError, UserErrors, did_you_mean
from generator.facts.releases import releases
from generator.formats import json_schema as schemas


@cache
def _validator(kind: str) -> Any:
    document = {
        "values": schemas.values_schema,
        "environment": schemas.environment_schema,
    }[kind]()
    return jsonschema.validators.validator_for(document)(document)


def check_document(data: Any, kind: str, *, name: str, text: str | None = None) -> None:
    """Raise UserErrors with every fault of `data`; `text` gives them line numbers.

    `kind` is values or environment; a catalog file is its pydantic model, `documents.parse_text`.
    """
    if not isinstance(data, dict):
        raise UserError("is empty or no mapping", where=name, fix=f"A {kind} file is a mapping.")
    found = [_explain(_deepest(error), data) for error in _validator(kind).iter_errors(data)]
    unique = list(dict.fromkeys((what, tuple(location), fix) for what, location, fix in found))
    if unique:
        raise UserErrors(
            [
                UserError(
                    what,
                    where=place(text, name, location) if text else f"{name}: {'.'.join(map(str, location))}",
                    fix=fix,
                )
                for what, location, fix in unique
            ]
        )


def _deepest(error: ValidationError) -> ValidationError:
    """Of an `anyOf` the branch that is nearest to what was written."""
    while error.context and not _one_of_several_keys(error):
        own = [e for e in error.context if list(e.relative_path) or e.validator == "additionalProperties"]
        nearer = best_match(own or error.context)
        if nearer is None or (not own and error.validator == "anyOf" and nearer.validator == "type"):
            return error
        error = nearer
    return error


def _one_of_several_keys(error: ValidationError) -> bool:
    return error.validator == "oneOf" and all(set(option) == {"required"} for option in error.validator_value)


def _explain(error: ValidationError, data: JsonObject) -> tuple[str, Location, str]:
    location = list(error.absolute_path)
    key = str(location[-1]) if location else "the file"
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        known = error.schema.get("properties", {})
        unknown = next((k for k in error.instance if k not in known), "")
        if unknown in schemas.SECRETS:
            return (
                f"'{unknown}' would put a secret in plain sight",
                [*location, unknown],
                (f"Secrets are references: {schemas.SECRETS[unknown]}."),
            )
        what = f"unknown key '{unknown}'" + _of_release(location, data)
        return what, [*location, unknown], _known_elsewhere(unknown, location) + did_you_mean(unknown, known)
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"'{missing[0]}' is missing", location, f"Add `{missing[0]}:` here."
    if _one_of_several_keys(error):
        keys = [key for option in error.validator_value for key in option["required"]]
        given = [key for key in keys if key in error.instance] or ["none"]
        return f"'{key}' needs exactly one of them, and has {', '.join(given)}", location, f"one of: {', '.join(keys)}"
    if error.validator == "enum":
        number = isinstance(error.instance, float) and all(isinstance(value, str) for value in error.validator_value)
        fix = ("Quote it; " if number else "") + did_you_mean(str(error.instance), map(str, error.validator_value))
        return f"'{key}' is {error.instance!r}", location, fix
    if error.validator == "pattern":
        return (
            f"'{error.instance}' has characters or a length that is not accepted",
            location,
            (f"It must match {error.validator_value}."),
        )
    if error.validator == "type":
        wanted = error.validator_value
        words = " or ".join(wanted) if isinstance(wanted, list) else wanted
        if error.instance is None:
            return f"'{key}' is empty and should be of type {words}", location, "Give it a value, or remove the key."
        quoted = words == "string" and not isinstance(error.instance, (dict, list))
        fix = "Quote it." if quoted else _EXAMPLES.get(words, "")
        return f"'{key}' is {_short(error.instance)} and should be of type {words}", location, fix
    if error.validator in ("anyOf", "oneOf"):
        kinds = " or ".join(dict.fromkeys(str(e.validator_value) for e in error.context or () if e.validator == "type"))
        return (
            f"'{key}' is {_short(error.instance)}" + (f" and should be of type {kinds}" if kinds else ""),
            location,
            "",
        )
    return f"'{key}': {error.message}", location, ""


_EXAMPLES = {
    "object": "Give a mapping: `key: value`.",
    "array": "Give a list: one `- …` for each entry.",
    "integer": "Give a whole number, without quotes.",
    "number": "Give a number, without quotes.",
    "boolean": "Give true or false, without quotes.",
}


def _of_release(location: Location, data: JsonObject) -> str:
    """Name the Ray release where the accepted keys are its own."""
    if not {"llmConfig", "application", "config", "ingress"} & set(map(str, location)):
        return ""
    ray = data.get("ray")
    version = ray.get("version") if isinstance(ray, dict) else ray
    return f" for Ray {version or schemas.DEFAULT_RAY}"


def _known_elsewhere(key: str, location: Location) -> str:
    """Say which other Ray releases know a key of Ray's, for people who move between them."""
    if not {"llmConfig", "application"} & set(map(str, location)):
        return ""
    knowing = [
        release.ray
        for release in releases().values()
        if any(key in definition.get("properties", {}) for definition in release.arguments().values())
    ]
    return f"Ray {', '.join(knowing)} knows it, this one does not; " if knowing else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
