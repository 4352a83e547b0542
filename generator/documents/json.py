"""A JSON object of a file, with clear faults; knows no format."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from generator.documents.files import read_text
from generator.documents.merge import JsonObject
from generator.errors import UserError

_MOST_DIGITS = 18
"""All of them make an int64, and a product of a dozen is still a float."""


def read_json(path: Path) -> JsonObject:
    """Return the JSON object in a file. Raises UserError where it holds none, or half of one."""
    return load_json(read_text(path), str(path))


def load_json(text: str, name: str) -> JsonObject:
    """The same of text that was read already; `name` is the file that faults are reported in."""
    try:
        data = parse_json(text.removeprefix("\ufeff"))
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except UnicodeEncodeError:
        what = "not valid JSON: it holds half of a surrogate pair (\\ud800 to \\udfff)"
        raise UserError(what, where=name, fix="Write the character itself, or both halves.") from None
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        what = "is empty" if not text.strip() else f"not valid JSON: {getattr(error, 'msg', 'too deep')}"
        raise UserError(what, where=name + line, fix="Is it half-written? Copy or download the file again.") from None
    if not isinstance(data, dict):
        raise UserError(
            "no JSON object", where=name, fix='It holds one object: {"…": …}. Copy or download the file again.'
        )
    return data


def parse_json(text: str) -> Any:
    """Return what JSON text holds. Raises ValueError where it is none, RecursionError where it is too deep.

    NaN, Infinity and numbers that no size has are null: transformers writes 10³⁰ where nobody has set a length.
    """
    return json.loads(text, parse_constant=lambda _: None, parse_float=_finite, parse_int=_size)


def _finite(digits: str) -> float | None:
    return number if math.isfinite(number := float(digits)) else None


def _size(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else None
