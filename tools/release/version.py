"""The one number of a release: `__version__` of generator/, which the wheel, the chart and the tag have."""

from __future__ import annotations

import re
from pathlib import Path

from generator import __version__
from tools.release.changelog import UNRELEASED, changes, section

ROOT = Path(__file__).resolve().parents[2]
CHART_YAML = ROOT / "chart" / "Chart.yaml"
CHANGELOG = ROOT / "CHANGELOG.md"


class ReleaseError(Exception):
    """What keeps a release from being made, in words for who makes it."""


def stamped(chart_yaml: str) -> str:
    """Chart.yaml with the version of the package."""
    return re.sub(r"^version: .*$", f"version: {__version__}", chart_yaml, count=1, flags=re.MULTILINE)


def check_tag(tag: str, changelog: str) -> None:
    """Raise ReleaseError where a tag is not `v` and the version, or the changelog does not tell of it."""
    if tag != f"v{__version__}":
        raise ReleaseError(
            f"the tag is {tag} and the version {__version__} (generator/__init__.py): "
            f"tag v{__version__}, or change the version and run make generate"
        )
    if not section(changelog, __version__):
        raise ReleaseError(f"CHANGELOG.md has no section [{__version__}]: rename [{UNRELEASED}]")
    if waiting := len(changes(changelog, UNRELEASED)):
        raise ReleaseError(f"CHANGELOG.md has {waiting} changes below [{UNRELEASED}]: move them to [{__version__}]")
