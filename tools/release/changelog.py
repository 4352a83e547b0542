"""CHANGELOG.md: what a version says has changed."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNRELEASED = "Unreleased"


@dataclass(frozen=True)
class Change:
    kind: str
    """Added, Changed, Fixed, …: the heading that it stands below."""
    text: str
    """Of one line, with its marks of Markdown."""


def section(changelog: str, version: str) -> str:
    """What stands below the heading of a version, without it; empty where there is no such heading."""
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def changes(changelog: str, version: str) -> list[Change]:
    found = []
    for part in re.split(r"^### ", section(changelog, version), flags=re.MULTILINE)[1:]:
        kind, _, lines = part.partition("\n")
        for item in re.split(r"^- ", lines, flags=re.MULTILINE)[1:]:
            found.append(Change(kind.strip(), " ".join(item.split())))
    return found


def first_sentence(text: str) -> str:
    """The text up to its first full stop that another sentence follows."""
    return re.split(r"(?<=[^.]\.) (?=[A-Z`])", text, maxsplit=1)[0]
