"""Faults of a document in words, whoever found them: pydantic (`faults`) or a JSON Schema (`check`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from generator.documents.load import KeyPath, dotted_path, location
from generator.errors import UserError, cut, did_you_mean


class Fault(NamedTuple):
    """What is wrong, where in the document, and what to do."""

    what: str
    path: tuple[str | int, ...]
    fix: str

    def as_error(self, text: str | None, name: str) -> UserError:
        """As an error at its line in the file `name`; without the file's `text` at its keys alone."""
        where = location(text, name, self.path) if text else f"{name}: {dotted_path(self.path)}"
        return UserError(self.what, where=where, fix=self.fix)


def unknown_key(key: str, path: KeyPath, known: Iterable[str], *, of: str = "", hint: str = "") -> Fault:
    """`of` says whose key it would be, `hint` who knows it; `path` is the mapping's."""
    return Fault(f"unknown key '{cut(str(key))}'{of}", (*path, key), hint + did_you_mean(key, known))


def missing_key(key: str, path: KeyPath) -> Fault:
    return Fault(f"'{key}' is missing", tuple(path), f"Add `{key}:` here.")


def bad_pattern(subject: str, path: KeyPath, pattern: str) -> Fault:
    what = f"{subject} has characters or a length that is not accepted"
    return Fault(what, tuple(path), f"It must match {pattern}.")
