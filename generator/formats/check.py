"""Check a document against one of the schemas, and say each fault in words: what, where, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError

from generator.documents.load import Origin
from generator.documents.merge import JsonObject
from generator.errors import UserError, UserErrors
from generator.facts.refused import refused_argument, refused_prefix, refused_variable
from generator.formats import json_schema as schemas
from generator.formats.access import edge_faults, network_policy_faults
from generator.formats.contradictions import contradictions
from generator.formats.engines import other_engines_in
from generator.formats.explain import Fault, in_order, not_json
from generator.formats.llm_config_rules import llm_config_faults
from generator.formats.schema_faults import schema_faults
from generator.formats.secrets import secrets_in


@cache
def _validator(kind: str) -> Any:
    document = {
        "values": schemas.values_schema,
        "environment": schemas.environment_schema,
        "catalog": schemas.catalog_words_schema,
    }[kind]()
    validators: Any = jsonschema.validators
    return validators.extend(validators.validator_for(document), {"pattern": _pattern})(document)


def _pattern(_: Any, pattern: str, instance: Any, __: JsonObject) -> Iterator[ValidationError]:
    """As helm reads a pattern: `$` is the end of the text, where Python's would take a line end after it."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def check_document(data: Any, kind: str, origin: Origin) -> None:
    """Raise UserErrors with every fault of `data`.

    `kind` is values, environment, or catalog: what entries say of their engines, for a release
    (`json_schema.catalog_words_schema`). The rest of a catalog file is its pydantic model, `faults.parse_text`.
    """
    if not isinstance(data, dict):
        raise UserError("is empty or no mapping", where=origin.name, fix=f"A {kind} file is a mapping.")
    faults = document_faults(data, kind)
    if faults:
        raise UserErrors([fault.as_error(origin) for fault in faults])


def document_faults(data: JsonObject, kind: str) -> list[Fault]:
    """The same faults with their places, in the order of the document. None of them quotes a secret."""
    if secrets := list(secrets_in(data)):  # first: no other message may quote one
        return secrets
    if engines := list(other_engines_in(data)):
        return engines
    # A schema speaks of JSON, and its validator breaks at a key that is no text.
    faults = list(not_json(data)) or [
        *schema_faults(data, _validator(kind).iter_errors(data)),
        *_refused(data, ()),
        *network_policy_faults(data, kind),
        *edge_faults(data, kind),
    ]
    return in_order(faults or [*contradictions(data), *llm_config_faults(data, kind)], data)


def _refused(data: Any, path: tuple[str | int, ...]) -> Iterator[Fault]:
    """What undoes other values or opens what is shut: in every `env` of pods, `env_vars` of Ray and `engine_kwargs`."""
    if isinstance(data, list):
        for index, item in enumerate(data):
            yield from _refused(item, (*path, index))
    if not isinstance(data, dict):
        return
    for key, value in data.items():
        refused = None
        if path and path[-1] in ("env", "env_vars"):
            refused = refused_variable(str(key), value)
        elif key == "prefix" and "envFrom" in path[-2:-1]:
            refused = refused_prefix(str(value))
        elif path and path[-1] == "engine_kwargs":
            refused = refused_argument(str(key), value)
        if refused:
            yield Fault(f"'{key}' is not accepted: {refused.why}", (*path, key), f"{refused.instead}.")
        yield from _refused(value, (*path, key))
