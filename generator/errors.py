"""The errors that people see: what is wrong, where, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from generator.redaction import redact, redact_shapes


def printable(text: str) -> str:
    """The text with escapes (`\\x1b`) for what does not print: control characters, marks of direction, halves of pairs.

    Line breaks and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def cut(text: str, most: int = 60) -> str:
    """The text, or its beginning where it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


# Longer than any path or address that is meant.
_LONGEST_WORD = 400
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}|'[^'\n]{{{_LONGEST_WORD + 1},}}'")


def without_long_words(text: str) -> str:
    """The text without the middle of words and quotations of more than 400 characters; both ends say which it is."""
    return _LONG_WORD.sub(lambda found: f"{found[0][:200]}…{found[0][-100:]}", text)


class GeneratorError(Exception):
    """What the command line prints as one message, without a traceback, before it exits with `exit_code`.

    `what` is the fault, `where` a file with a line or an option, `fix` the next step (an imperative sentence).
    """

    exit_code: ClassVar[int]

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        """What looks like a secret is hidden and long words are cut: they quote files, servers and other programs."""
        self.what = without_long_words(redact(what))
        self.where = without_long_words(redact_shapes(where))
        self.fix = without_long_words(redact(fix))
        super().__init__(self.what)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.fix:
            lines.append(f"  {self.fix}")
        return "\n".join(lines)


class UserError(GeneratorError):
    """Bad input. Exit code 2."""

    exit_code = 2

    @classmethod
    def unknown(cls, kind: str, word: str, known: Iterable[str], *, where: str) -> UserError:
        """An unknown word of a closed list, with the nearest known one."""
        return cls(f"unknown {kind} '{word}'", where=where, fix=did_you_mean(word, known))


class UserErrors(UserError):
    """Several faults found in one pass, so that people fix them in one."""

    def __init__(self, errors: list[UserError]) -> None:
        super().__init__("")
        self.what = "\n".join(str(error) for error in errors)  # each has hidden its own
        self.errors = errors


class RunFailed(GeneratorError):
    """The input is good, and yet what was started does not run. Exit code 1."""

    exit_code = 1


class Faults:
    """Gathers what is wrong in one pass over the input, so that it is told at once."""

    def __init__(self) -> None:
        self._errors: list[UserError] = []

    def add(self, *errors: UserError) -> None:
        self._errors += [fault for error in errors for fault in faults(error)]

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """A block whose UserError is kept, and ends only the block."""
        try:
            yield
        except UserError as error:
            self.add(error)

    def raise_any(self) -> None:
        """Raise UserErrors where something was wrong."""
        if self._errors:
            raise UserErrors(self._errors)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?`, or the accepted words where nothing is near and the list is short enough to read."""
    import difflib  # late: commands start without it

    word, words = cut(str(word), 100), sorted(str(k) for k in known)
    longer = [w for w in words if word and w.startswith(word) and not w[len(word) :][:1].isalnum()]
    near = longer[:1] if len(longer) == 1 else difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if not words:
        return ""
    if len(words) <= 12:
        return "accepted: " + ", ".join(words)
    return f"accepted: {', '.join(words[:10])} and {len(words) - 10} more"


def faults(error: UserError) -> list[UserError]:
    """The single faults of an error, however they were gathered."""
    return [fault for part in error.errors for fault in faults(part)] if isinstance(error, UserErrors) else [error]
