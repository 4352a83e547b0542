"""What a model is asked to see that it answers. Data, looked up."""

from __future__ import annotations

from functools import cache
from typing import Any

from generator.facts.files import read_data


@cache
def questions() -> list[dict[str, Any]]:
    """In the order in which they are tried, each with its word `asks`, as `chart/files/helm_test.py` takes them."""
    rows = read_data("questions.yaml")
    return [
        {"asks": word, **{key: value for key, value in row.items() if key != "source"}} for word, row in rows.items()
    ]
