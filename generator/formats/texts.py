"""Texts of a form: the pattern that they match, and the same in words, which messages say."""

from __future__ import annotations

from pydantic import StringConstraints

_WORDS: dict[str, str] = {}


def text(pattern: str, words: str, *, longest: int | None = None) -> StringConstraints:
    """A form of text, for `Annotated[str, …]`.

    `pattern` is read alike by Python, pydantic and Helm (RE2), `longest` is in characters. `words` end the sentence
    "It must be …": what it is, of which characters, and an example. They have no quotation marks, which Helm escapes.
    """
    _WORDS[pattern] = words
    return StringConstraints(pattern=pattern, max_length=longest)


def in_words(pattern: str) -> str:
    """What a text must be to match one of these patterns; of another pattern, that it matches it."""
    return _WORDS.get(pattern, f"text that matches {pattern}")
