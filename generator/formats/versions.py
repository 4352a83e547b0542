"""Whose values a chart reads: the one place of that rule. Values say which version of the generator wrote them."""

from __future__ import annotations

import re

from generator import __version__


def readable(version: str) -> str:
    """The pattern of the generators' versions whose values the chart of a version reads; empty is written by hand.

    Before 1.0 a minor version may change the values' words. From 1.0 on only a major one may, and a minor one adds
    words, which an older chart does not know.
    """
    major, minor = _numbers(version)
    minors = str(minor) if major == 0 else "(" + "|".join(str(number) for number in range(minor + 1)) + ")"
    return rf"^({major}\.{minors}\.[0-9]\S*)?$"


def readable_in_words(version: str) -> str:
    major, minor = _numbers(version)
    return f"{major}.{minor}" if major == 0 or minor == 0 else f"{major}.0 to {major}.{minor}"


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)\.", version)
    assert found, version
    return int(found[1]), int(found[2])


READABLE = readable(__version__)
WORDS = (
    f"of {readable_in_words(__version__)}, whose values this chart reads: generate them again with that version of "
    "ray-serve-llm, or take the chart of the version that wrote them"
)
