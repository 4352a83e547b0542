"""What people write of an older release, another place or another program, and what to do instead: data, looked up."""

from __future__ import annotations

from generator.facts.files import read_data


def replaced_keys() -> dict[str, dict[str, dict[str, str]]]:
    """By the mapping in which a key stands, and the key: `instead` and `source`."""
    rows: dict[str, dict[str, dict[str, str]]] = read_data("replaced_keys.yaml")
    return rows


def instead_of(mapping: str, key: str) -> str | None:
    """What to do in place of a key that a mapping has not: a sentence or more without the last full stop."""
    row = replaced_keys().get(mapping, {}).get(key)
    return row["instead"] if row else None
