"""Texts of a form: the pattern that they match, and the same in words, which messages say."""

from __future__ import annotations

import re

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
    if known := _WORDS.get(pattern):
        return known
    if names := choices(pattern):
        return f"one of {', '.join(names)} (of a plugin: {A_PLUGIN})"
    if found := _BEGINNINGS.match(pattern):
        return f"text that begins with one of {', '.join(found[1].split('|'))}"
    return f"text that matches {pattern}"


def choices(pattern: str) -> list[str]:
    """The names that a pattern takes, in any case; none where it is of another form."""
    found = _CHOICES.match(pattern)
    return found[1].split("|") if found else []


A_PLUGIN = "name that in runtime_env.env_vars.VLLM_PLUGINS"
"""What to do for a name that vLLM's registries have only from a plugin of the image."""

# As tools/extract_release/names.py writes them.
_CHOICES = re.compile(r"\(\?i\)\^\(([\w|.-]+)\)\$$")
_BEGINNINGS = re.compile(r"\^\(([\w:/|+-]+)\)$")

IMPORT_PATH = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*[.:][A-Za-z_][A-Za-z0-9_]*$"
text(IMPORT_PATH, "an import path, such as my_module:MyClass")
text(r"^[A-Za-z][A-Za-z0-9+.-]*://", "an address")
text(r"^ray\.", "an import path that begins with ray.")
