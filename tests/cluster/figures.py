"""Figures that the tests measure: seconds, failed requests. They are reported, and never asserted."""

from __future__ import annotations

from typing import Any

from tests.cluster.client import Load

Figure = float | Load | str
_MEASURED: dict[str, Figure] = {}


def note(what: str, figure: Figure) -> None:
    """Keep a figure, seconds where it is a number, for the report at the end of the run."""
    _MEASURED[what] = figure


def in_words() -> dict[str, str]:
    return {what: f"{each:.0f} s" if isinstance(each, float) else str(each) for what, each in _MEASURED.items()}


def as_data() -> dict[str, Any]:
    """For a long run's record; seconds in whole ones."""
    return {what: _data(each) for what, each in _MEASURED.items()}


def _data(figure: Figure) -> Any:
    if isinstance(figure, Load):
        return figure.figures()
    return {"seconds": round(figure)} if isinstance(figure, float) else figure
