"""At the end of a run, what each target was given."""

from __future__ import annotations

from tests.support.fuzz_report import pytest_terminal_summary as pytest_terminal_summary
