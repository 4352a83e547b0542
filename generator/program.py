"""How people call the command line here, for what tells them a command."""

from __future__ import annotations

import sys
from pathlib import Path

INSTALLED = ("ray-serve-llm", "generator")
"""The console commands of the package; the second is that of 0.2."""


def program() -> str:
    """The installed command where it was called by that, else Python's module."""
    name = Path(sys.argv[0]).name
    return name if name in INSTALLED else "python -m generator"
