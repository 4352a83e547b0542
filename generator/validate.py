"""Which kind of file one is, and whether it is valid."""

from __future__ import annotations

from pathlib import Path

from .catalog import CatalogFile
from .check import check_document
from .documents import load_text, parse_text, read_text
from .environment import read_environment
from .errors import UserError


def validate_file(path: Path) -> str:
    """Check one file and return its kind: catalog, environment or values. Raises UserError with every fault."""
    text = read_text(path)
    data = load_text(text, str(path))
    if not isinstance(data, dict):
        raise UserError("is empty or no mapping", where=str(path), fix="Give a catalog, environment or values file.")
    kind = _kind(data)
    if kind == "catalog":
        parse_text(text, str(path), CatalogFile)
    elif kind == "environment":
        read_environment(path)
    else:
        check_document(data, "values", name=str(path), text=text)
    return kind


def _kind(data: dict[str, object]) -> str:
    """Told by the keys that only one kind has; values are what is left, because hand-written ones may hold anything."""
    if "family" in data:
        return "catalog"
    if "pools" in data or "serve" in data:
        return "environment"
    return "values"
