"""The folder for what is set up or taken once."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """RAY_SERVE_LLM_CACHE, else ray-serve-llm below the user's own cache. Clones and projects share it."""
    named = os.environ.get("RAY_SERVE_LLM_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "ray-serve-llm"
