"""What a check found: how bad it is, about what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generator.formats.output import Level


@dataclass(frozen=True, kw_only=True)
class Finding:
    level: Level
    subject: str
    """One or two words: `KubeRay`, `pool l4-workers`."""
    message: str
    fix: str = ""
    """An imperative sentence, or the command to run."""


def passes(subject: str, message: str) -> Finding:
    return Finding(level="pass", subject=subject, message=message)


def warns(subject: str, message: str, fix: str = "") -> Finding:
    return Finding(level="warn", subject=subject, message=message, fix=fix)


def fails(subject: str, message: str, fix: str = "") -> Finding:
    return Finding(level="fail", subject=subject, message=message, fix=fix)
