"""What looks like a secret: by a key's name, by its own shape, and hidden in texts that people and logs get.

The patterns are data (`data/secrets.yaml`). The chart and the scripts of its pods read what `for_chart` gives, so that
all go by one table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

HIDDEN = "***"
_DATA = Path(__file__).parent / "data" / "secrets.yaml"


def redact(text: str) -> str:
    """The text, with `***` for what looks like a token, a password, a key, a signature or a login.

    For texts that others wrote, as a whole: what says what a word is (`password=`) must be in it.
    """
    return _hide(text, _in_texts())


def redact_shapes(text: str) -> str:
    """The same by shape alone, for a text of one's own that says `name: what is wrong with it`."""
    return _hide(text, _shaped_in_texts())


@lru_cache(maxsize=4096)
def names_a_secret(key: str) -> bool:
    """Whether a text below this key is a secret, going by the key's name."""
    name, none = _names()
    return bool(name.search(key)) and not none.search(key)


def is_placeholder(text: str) -> bool:
    """Whether the value of such a key gives nothing away: empty, `$(NAME)`, `<your token>`."""
    return bool(_placeholder().search(text))


def shape_of(text: str) -> str:
    """Which secret the text is or holds, such as `a GitHub token`; empty: none that is known by its shape."""
    if not _any_shape().search(text):
        return ""
    return next(what for what, pattern in _shapes() if pattern.search(text))


def for_chart() -> dict[str, Any]:
    """The table for Helm (`name`, `none`, `placeholder`, `shapes` and `any` of them) and for its pods (`hidden`)."""
    return {
        "name": _names()[0].pattern,
        "none": _names()[1].pattern,
        "placeholder": _placeholder().pattern,
        # In JSON, where the start and the end of a text are quotation marks.
        "any": "|".join(re.sub(r"^\^|\$$", '"', pattern.pattern) for _, pattern in _shapes()),
        "shapes": {what: pattern.pattern for what, pattern in _shapes()},
        "hidden": [pattern.pattern for pattern in _in_texts()],
    }


def _hide(text: str, patterns: Iterable[re.Pattern[str]]) -> str:
    for pattern in patterns:
        # The first group is what stays: the name, and the sign behind it.
        text = pattern.sub(lambda found: (found[1] or "") + HIDDEN if found.re.groups else HIDDEN, text)
    return text


@cache
def _table() -> dict[str, Any]:
    import yaml  # late: commands start without it

    table: dict[str, Any] = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
    return table


@cache
def _names() -> tuple[re.Pattern[str], re.Pattern[str]]:
    names = _table()["names"]
    name = re.compile(rf"(?i:(?:{names['words']})(?:[_-]?[0-9]{{1,3}})?$|^[^/]*(?:{names['anywhere']})[^/]*$)")
    return name, re.compile(rf"(?i:(?:{names['none']})(?:[_-]?[0-9]{{1,3}})?$)")


@cache
def _placeholder() -> re.Pattern[str]:
    return re.compile(rf"(?is)^\s*(?:{_table()['placeholders']})?\s*$")


@cache
def _shapes() -> list[tuple[str, re.Pattern[str]]]:
    return [(shape["what"], re.compile(shape["pattern"])) for shape in _table()["shapes"]]


@cache
def _any_shape() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern.pattern})" for _, pattern in _shapes()))


# Up to the end of a quotation, also of one that is quoted itself or was cut off; else of the word.
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*(?:"|\Z)|'(?:[^'\\]|\\.)*(?:'|\Z)|\\+["'][\s\S]*?(?:\\+["']|\Z))"""
_WORD = r"""[^\s"'&,;)}\]]+"""
_SIGN = r"""(?:\\*["'])?\s{0,3}(?:=>|:=|[:=])\s{0,3}(?:[bru](?=["']))?"""


@cache
def _shaped_in_texts() -> list[re.Pattern[str]]:
    """By shape, in the order in which they are hidden: whole keys and logins first."""
    whole_keys = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*-----|\Z)"
    logins = [r"(://)[^\s/:@]{0,300}:[^\s]{1,300}(?=@)", r"(?i)(\bhttps?://)[^\s/:@]{1,300}(?=@)"]
    signatures = r"""(?i)(\b(?:X-(?:Amz|Goog)-(?:Signature|Credential)|sig|signature)=)[^\s&"'<>,;\\]+"""
    shapes = [pattern.pattern for what, pattern in _shapes() if "://" not in pattern.pattern and what != "a login"]
    return [re.compile(pattern) for pattern in (whole_keys, *logins, signatures, *shapes)]


@cache
def _in_texts() -> list[re.Pattern[str]]:
    names = _table()["names"]
    name = rf"(?:(?:{names['anywhere']})[\w-]{{0,32}}|(?:{names['words']})(?:[_-]?[0-9]{{1,3}})?)"
    # Not a name such as max_tokens, and none that begins in the middle of a longer word.
    start = rf"(?<![\w.-])(?![\w.-]{{0,64}}?(?:{names['none']}){_SIGN})[\w.-]{{0,64}}?"
    return [
        *_shaped_in_texts(),
        re.compile(rf"""(?i)(\b(?:[\w-]{{0,16}}authorization|(?:set-)?cookie){_SIGN})(?:{_QUOTED}|[^\r\n"']+)"""),
        re.compile(r"""(?i)(\bbearer\s+)(?!(?:tokens?|auth\w*|error\w*|realm\S*)\b)[^\s"',;]+"""),
        re.compile(r"((?i:\bbasic)\s+)(?=\S*[0-9A-Z+/=])[A-Za-z0-9+/]{6,}={0,2}"),
        re.compile(rf"(?i)({start}{name}{_SIGN})(?:{_QUOTED}|{_WORD})"),
        re.compile(rf"(?i)((?<!\S)--?[\w-]{{0,64}}?{name}\s+)(?:{_QUOTED}|{_WORD})"),
    ]
