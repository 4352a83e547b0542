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
    """Whether the value of such a key gives nothing away: empty, `$(NAME)`, `<your token>`, `[SEP]`."""
    return bool(_placeholder().search(text))


def shape_of(text: str) -> str:
    """Which secret the text is or holds, such as `a GitHub token`; empty: none that is known by its shape."""
    if not _any_shape().search(text):
        return ""
    text = _without_examples(text)
    return next((what for what, pattern in _shapes() if pattern.search(text)), "")


def place_of(text: str) -> int:
    """Where the first secret that is known by its shape begins in the text; 0 where there is none."""
    text = _without_examples(text)
    found = [match.start() for _, pattern in _shapes() if (match := pattern.search(text))]
    return min(found, default=0)


def way_out(path: str) -> str:
    """What to do instead of writing a secret at this place: keys, joined by dots."""
    ways = _table()["ways_out"]
    return next(str(way["fix"]) for way in ways if re.search(way["where"], path))


def option_in(item: Any, following: Any) -> str:
    """The name of an option (`--api-key`) that takes the item after it in a list; empty where it is none."""
    found = _option().search(item) if isinstance(item, str) else None
    return found[1] if found and not str(following).startswith("-") else ""


def written_in(text: str) -> list[tuple[str, str]]:
    """What a text gives to names, as names and values: `--api-key x`, `HF_TOKEN=x`, `"token": "x"`, `password: x1`."""
    return [(found[1], found[2]) for pattern in _written() for found in pattern.finditer(text)]


def is_harmless_place(place: str) -> bool:
    """Whether a text there, by the keys to it joined by dots, is a secret by its shape alone."""
    return re.search(_table()["harmless_places"], place) is not None


def for_chart() -> dict[str, Any]:
    """The table for Helm, and what its pods hide (`hidden`).

    `any` of the shapes and `mayBeWritten` are for a first look at all values in JSON.
    """
    return {
        "name": _names()[0].pattern,
        "none": _names()[1].pattern,
        "placeholder": _placeholder().pattern,
        "option": _option().pattern,
        "written": [pattern.pattern for pattern in _written()],
        "mayBeWritten": _may_be_written(),
        "examples": _examples().pattern,
        # In JSON, where the start and the end of a text are quotation marks.
        "any": "|".join(re.sub(r"^\^|\$$", '"', pattern.pattern) for _, pattern in _shapes()),
        "shapes": {what: pattern.pattern for what, pattern in _shapes()},
        "waysOut": _table()["ways_out"],
        "harmlessPlaces": _table()["harmless_places"],
        "hidden": [pattern.pattern for pattern in _in_texts()],
    }


def _may_be_written() -> str:
    """Whether a list or a text in JSON may give something to such a name. Quotation marks in a text have a \\ there."""
    name = _name_in_texts()
    option, other = (
        rf"""[\s;"']--?[\w.-]*{name}(?:=|\s|",)""",
        rf"""[\s;,&?{{"'=][\w.-]*{name}(?:\\+"|')?\s{{0,3}}[:=]""",
    )
    return f"(?i:{option}|{other})"


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
def _option() -> re.Pattern[str]:
    return re.compile(_table()["option"])


@cache
def _written() -> list[re.Pattern[str]]:
    return [re.compile(pattern) for pattern in _table()["written"]]


@cache
def _examples() -> re.Pattern[str]:
    return re.compile(_table()["examples"])


def _without_examples(text: str) -> str:
    """The text, as long as before, without what documentation makes up."""
    return _examples().sub(lambda found: " " * len(found[0]), text)


@cache
def _shapes() -> list[tuple[str, re.Pattern[str]]]:
    return [(shape["what"], re.compile(shape["pattern"])) for shape in _table()["shapes"]]


@cache
def _any_shape() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern.pattern})" for _, pattern in _shapes()))


# Up to the end of a quotation, also of one that is quoted itself or was cut off; else of the word.
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*(?:"|\Z)|'(?:[^'\\]|\\.)*(?:'|\Z)|\\+["'][\s\S]*?(?:\\+["']|\Z))"""
_WORD = r"""[^\s"'&,;)}\]]+"""
# A list of texts, as Python writes one: ['a', 'b'].
_LIST = rf"""\[\s{{0,3}}(?:[bru]?{_QUOTED}[,\s]{{0,3}})+\]?"""
_SIGN = r"""(?:\\*["'])?\s{0,3}(?:=>|:=|[:=])\s{0,3}(?:[bru](?=["']))?"""


# Those of which the name stays.
_LOGINS = ("a login", "a password of a user", "an address with a password", "an address with a token")


@cache
def _shaped_in_texts() -> list[re.Pattern[str]]:
    """By shape, in the order in which they are hidden: whole keys and logins first."""
    whole_keys = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*-----|\Z)"
    logins = [
        r"(://)[^\s/:@]{0,300}:[^\s]{1,300}(?=@)",
        r"(?i)(\bhttps?://)[^\s/:@]{1,300}(?=@)",
        r"((?<![\w.%+-])(?<![\w.%+:/-]/)[\w.%+-]{1,64}:)[^\s/:@]{1,200}(?=@[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?/)",
        # Of curl, in a text or as a list of arguments.
        r"""(?i)((?<![\w-])(?:-u|--(?:proxy-)?user)(?:[\s=]+["']?|["'],\s?b?["'])[a-z][\w.@-]{0,64}:)[^\s"']+""",
    ]
    signatures = r"""(?i)(\b(?:X-(?:Amz|Goog)-(?:Signature|Credential)|sig|signature)=)[^\s&"'<>,;\\]+"""
    # Shorter than is refused in a file: proxies of OpenAI's API give themselves keys of a few characters.
    short_keys = r"\bsk-(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{8,}"
    shapes = [pattern.pattern for what, pattern in _shapes() if what not in _LOGINS]
    return [re.compile(pattern) for pattern in (whole_keys, *logins, signatures, short_keys, *shapes)]


@cache
def _name_in_texts() -> str:
    names = _table()["names"]
    return rf"(?:(?:{names['anywhere']})[\w-]{{0,32}}|(?:{names['words']})(?:[_-]?[0-9]{{1,3}})?)"


@cache
def _in_texts() -> list[re.Pattern[str]]:
    """By shape, and by what stands before it; the first group is what stays."""
    names, name = _table()["names"], _name_in_texts()
    # Not a name such as max_tokens, and none that begins in the middle of a longer word.
    none = rf"(?![\w.-]{{0,64}}?(?:{names['none']}){_SIGN})"
    start = rf"(?<![\w.-]){none}[\w.-]{{0,64}}?"
    # What a server echoes of a wrong one: quoted, or a word with digits among its letters, as no word of a sentence.
    refused = r"\b(?:invalid|incorrect|wrong|bad|unknown|expired|revoked|malformed|unauthorized|rejected)"
    echo_of = rf"(?:api key|{name})s?(?:\s+(?:provided|given|received|was|is))?:?\s+"
    echoed = r"""(?:["'`][^"'`\s]{6,}["'`]|(?=[a-z_-]{0,64}[0-9])(?=[0-9]{0,64}[a-z])[^\s"'<>(){},;:/]{6,})"""
    return [
        *_shaped_in_texts(),
        re.compile(rf"""(?i)(\b(?:[\w-]{{0,16}}authorization|(?:set-)?cookie){_SIGN})(?:{_QUOTED}|[^\r\n"']+)"""),
        re.compile(r"""(?i)(\bbearer\s+)(?!(?:tokens?|auth\w*|error\w*|realm\S*)\b)[^\s"',;]+"""),
        re.compile(r"((?i:\bbasic)\s+)(?=\S*[0-9A-Z+/=])[A-Za-z0-9+/]{6,}={0,2}"),
        re.compile(rf"(?i)({start}{name}{_SIGN})(?:{_QUOTED}|{_LIST}|{_WORD})"),
        re.compile(r"""(?i)((?<![\w.-])pass=)[^\s"'&,;)}\]]+"""),
        re.compile(rf"""(?i)((?<![\w-])--?[\w-]{{0,64}}?{name}\s+)(?:{_QUOTED}|{_WORD})"""),
        # The arguments of a command that failed, and a header, as Python writes them; XML; {{name: …, value: …}}.
        re.compile(rf"""(?i)((?:["']--?|\(b?["'])[\w-]{{0,64}}?{name}["'],\s{{0,3}}b?){_QUOTED}"""),
        re.compile(rf"""(?i)(<[\w.-]{{0,64}}?{name}>)[^<]+"""),
        re.compile(
            rf"""(?i)(\bname{_SIGN}["']?[\w.-]{{0,64}}?{name}["']?[\s,]{{1,40}}["']?value{_SIGN})(?:{_QUOTED}|{_WORD})"""
        ),
        # pydantic says the field in a line, and below it what it was given.
        re.compile(rf"(?im)(^[\w.-]{{0,128}}?{name}\n\s[^\n]{{0,400}}?\binput_value=)(?:{_QUOTED}|{_LIST}|{_WORD})"),
        re.compile(rf"(?i)({refused}[\s_]+(?:\w+\s+){{0,2}}?{echo_of}){echoed}"),
        re.compile(
            r"""(?i)(\b(?:token|password|api[ _-]?key)\s+)["'`][^"'`\s<]{6,}["'`](?=\s+(?:is|was|has|does)\b)"""
        ),
    ]
