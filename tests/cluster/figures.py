"""Figures that the tests measure: seconds, failed requests. They are reported, and never asserted."""

from __future__ import annotations

MEASURED: list[tuple[str, str]] = []


def note(what: str, figure: object) -> None:
    """Keep a figure for the report at the end of the run."""
    MEASURED.append((what, f"{figure:.0f} s" if isinstance(figure, float) else str(figure)))
