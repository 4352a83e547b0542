"""Whose values a chart reads, and what is said of others."""

from __future__ import annotations

import re

import pytest

from generator import __version__
from generator.documents.load import Origin
from generator.errors import UserError
from generator.formats.check import check_document
from generator.formats.versions import readable, readable_in_words


@pytest.mark.parametrize(
    ("chart", "reads", "does_not"),
    [
        ("0.2.0", ["", "0.2.0", "0.2.7", "0.2.1-rc.1", "0.2.0.dev3"], ["0.1.9", "0.3.0", "0.20.0", "1.2.0", "0.2"]),
        ("1.0.3", ["", "1.0.0", "1.0.4"], ["0.9.0", "1.1.0", "2.0.0"]),
        ("1.12.0", ["1.0.0", "1.9.2", "1.12.5"], ["1.13.0", "1.120.0", "0.12.0", "2.0.0", "11.0.0"]),
    ],
)
def test_a_chart_reads_what_its_own_words_can_say(chart: str, reads: list[str], does_not: list[str]) -> None:
    pattern = re.compile(readable(chart))
    assert [version for version in reads if not pattern.search(version)] == []
    assert [version for version in does_not if pattern.search(version)] == []


def test_the_versions_in_words() -> None:
    assert [readable_in_words(version) for version in ("0.2.0", "1.0.3", "1.12.0")] == ["0.2", "1.0", "1.0 to 1.12"]


def test_values_of_another_version_are_told_first_and_with_the_way_out() -> None:
    values = {"generatorVersion": "0.1.4", "ray": {"version": "2.60.0"}, "gone": {}}

    with pytest.raises(UserError) as refused:
        check_document(values, "values", Origin("values.yaml"))

    first, *_ = refused.value.errors  # type: ignore[attr-defined]
    assert first.what == f"these values are of ray-serve-llm '0.1.4', and this is {__version__}"
    assert "generate them again" in first.fix and "take the chart of the version that wrote them" in first.fix
