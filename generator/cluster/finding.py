"""What a check found: how bad it is, about what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "fails"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    level: Level
    subject: str
    """One or two words: `KubeRay`, `pool l4-workers`."""
    what: str
    fix: str = ""
    """An imperative sentence, or the command to run."""


def ok(subject: str, what: str) -> Finding:
    return Finding(level="ok", subject=subject, what=what)


def warning(subject: str, what: str, fix: str = "") -> Finding:
    return Finding(level="warning", subject=subject, what=what, fix=fix)


def fails(subject: str, what: str, fix: str = "") -> Finding:
    return Finding(level="fails", subject=subject, what=what, fix=fix)
