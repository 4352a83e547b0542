"""A JSON object of a file, with clear faults; knows no format."""

from __future__ import annotations

import json
from pathlib import Path

from generator.documents.files import read_text
from generator.documents.merge import JsonObject
from generator.errors import UserError


def read_json(path: Path) -> JsonObject:
    """Return the JSON object in a file. Raises UserError where it holds none, or half of one."""
    return load_json(read_text(path), str(path))


def load_json(text: str, name: str) -> JsonObject:
    """The same of text that was read already; `name` is the file that faults are reported in."""
    try:
        data = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        what = "is empty" if not text.strip() else f"not valid JSON: {getattr(error, 'msg', 'too deep')}"
        raise UserError(what, where=name + line, fix="Is it half-written? Copy or download the file again.") from None
    if not isinstance(data, dict):
        raise UserError("no JSON object", where=name, fix='A config.json holds one object: {"architectures": …}.')
    return data
