"""What commands print with --json, read and held against its published schema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

from tests.support.paths import ROOT


def published(command: str, printed: str) -> Any:
    """The document that was printed, where schemas/output/<command>.schema.json accepts it."""

    def refused(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    document = json.loads(printed, parse_constant=refused)
    schema = json.loads((ROOT / "schemas" / "output" / f"{command}.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    return document
