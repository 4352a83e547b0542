"""Where the repository is, and what of it several tiers read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "tests" / "sizing" / "configs"
"""The config.json files of published models, by `<organisation>--<name>.json`."""
