"""Faults of a document in words, whoever found them: pydantic (`faults`) or a JSON Schema (`check`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from generator.documents.load import KeyPath, Origin, dotted_path
from generator.errors import UserError, cut, did_you_mean
from generator.formats.texts import in_words


class Fault(NamedTuple):
    """What is wrong, where in the document, and what to do."""

    what: str
    path: tuple[str | int, ...]
    fix: str

    def as_error(self, origin: Origin) -> UserError:
        """As an error at its line; of a document that has no text, at its keys alone."""
        where = origin.location(self.path) if origin.text else f"{origin.name}: {dotted_path(self.path)}"
        return UserError(self.what, where=where, fix=self.fix)


def in_order(faults: Iterable[Fault], data: Any) -> list[Fault]:
    """Each fault once, in the order in which the document `data` has what they are about."""
    places = {path: place for place, path in enumerate(_paths(data, ()))}

    def place(fault: Fault) -> tuple[int, str]:
        path = fault.path
        while path not in places:  # what is missing stands at what should hold it
            path = path[:-1]
        return places[path], fault.what

    return sorted(dict.fromkeys(faults), key=place)


def _paths(data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    yield path
    for key, value in _entries(data):
        yield from _paths(value, (*path, key))


def not_json(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[Fault]:
    """What YAML can say and JSON cannot, which is all that Helm, Kubernetes and Ray take: other keys than text, dates,
    sets, bytes, and numbers without end."""
    if isinstance(data, dict):
        yield from (key_is_no_text(key, path) for key in data if not isinstance(key, str))
    elif not isinstance(data, (list, str, int, float, type(None))):
        kind = _KINDS.get(type(data).__name__, "nothing that JSON has")
        fix = f'Quote it: "{data}".' if kind == "a date" else "Write text, a number, a list or a mapping."
        yield Fault(f"'{_last(path)}' is {kind}", path, fix)
    elif isinstance(data, float) and not math.isfinite(data):
        yield Fault(f"'{_last(path)}' is {data}, which JSON has not", path, "Give a number, or remove the key.")
    for key, value in _entries(data):
        yield from not_json(value, (*path, key))


_KINDS = {
    "date": "a date",
    "datetime": "a date",
    "set": "a set (!!set)",
    "tuple": "a pair (!!pairs, !!omap)",
    "bytes": "bytes (!!binary)",
}


def _entries(data: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(data, dict):
        return data.items()
    return enumerate(data) if isinstance(data, list) else ()


def _last(path: KeyPath) -> str:
    return cut(str(path[-1])) if path else "the file"


def key_is_no_text(key: Any, path: KeyPath) -> Fault:
    fix = f'Quote it: "{cut(str(key))}".'
    if isinstance(key, bool):  # nobody wrote True
        fix = "Quote it: without quotes YAML reads yes, no, on and off as true and false."
    return Fault(f"the key {cut(str(key))} is no text", (*path, key), fix)


def unknown_key(key: str, path: KeyPath, known: Iterable[str], *, of: str = "") -> Fault:
    """`of` says whose key it would be; `path` is the mapping's."""
    return Fault(f"unknown key '{cut(str(key))}'{of}", (*path, key), did_you_mean(key, known))


def missing_key(key: str, path: KeyPath) -> Fault:
    return Fault(f"'{key}' is missing", tuple(path), f"Add `{key}:` here.")


def plain_number(number: Any) -> str:
    """A bound as people write it: 9007199254740992, not 9007199254740992.0."""
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)


def bad_pattern(subject: str, path: KeyPath, pattern: str) -> Fault:
    what = f"{subject} has characters or a length that is not accepted"
    return Fault(what, tuple(path), f"It must be {in_words(pattern)}.")
