"""What is printed for people.

Texts of files, of the hub and of a cluster are others': no character of theirs may drive a terminal, and no length of
theirs may bury a message.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator.errors import GeneratorError, UserError, faults, printable, without_long_words

if TYPE_CHECKING:
    from generator.project.project import Generated

LONGEST = 9_000
"""Bytes of one error; what is longer no person reads."""


def echo(text: str = "", **style: Any) -> None:
    """A line of a result."""
    click.secho(printable(text), **style)


def say(text: str, **style: Any) -> None:
    """A line for people about what is going on; standard output stays for results."""
    click.secho(printable(without_long_words(text)), err=True, **style)


def error_texts(error: GeneratorError) -> list[str]:
    """The error's single faults in words, without control characters; LONGEST bytes together at the most."""
    single = [printable(str(fault)) for fault in (faults(error) if isinstance(error, UserError) else [error])]
    texts: list[str] = []
    left = LONGEST
    for text in single:
        left -= len(text.encode())
        if left < 0 and texts:
            more = len(single) - len(texts)
            return [*texts, f"{more} more {'faults' if more > 1 else 'fault'}; fix those above, then run it again"]
        texts.append(text if left >= 0 else _shortened(text))
    return texts


def print_diff(generated: Generated) -> None:
    """What files would change, as a unified diff."""
    import difflib

    from generator.documents.files import text_or_none

    colors = {"+": "green", "-": "red", "@": "cyan"}
    changes: dict[Path, str] = {**generated.changed(), **dict.fromkeys(generated.stale, "")}
    for path, text in changes.items():
        old = text_or_none(path) or ""
        name = relative(path)
        diff = difflib.unified_diff(
            old.splitlines(), text.splitlines(), f"{name} (there)", f"{name} (generated)", lineterm=""
        )
        for line in diff:
            echo(line, fg=colors.get(line[:1]))


def relative(path: Path) -> str:
    """A path as people see it from where they are."""
    return os.path.relpath(path)


def _shortened(text: str) -> str:
    kept = text.encode()[:LONGEST].decode(errors="ignore")
    return f"{kept} … ({len(text) - len(kept):,} characters more)"
