"""The tiers that need more than the test environment: what each needs, and who gives it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.support.paths import ROOT

TESTS = ROOT / "tests"


@dataclass(frozen=True)
class Tier:
    """A folder below tests/ with a Python package that its tests import."""

    folder: Path
    package: str
    version: str
    """Of the package; empty for any."""
    given_by: str

    def missing(self) -> str:
        """Why the tier cannot run in this Python; empty where it can."""
        needed = f"{self.folder.relative_to(ROOT)} needs {self.package} {self.version}".rstrip()
        try:
            installed = version(self.package)
        except PackageNotFoundError:
            return f"{needed}, which is not installed: run `{self.given_by}`"
        if self.version and installed != self.version:
            return f"{needed}, and {installed} is installed: run `{self.given_by}`"
        return ""


TIERS = {
    tier.folder: tier
    for tier in (
        Tier(TESTS / "contract" / "ray_2_49_1", "ray", "2.49.1", "make contract"),
        Tier(TESTS / "contract" / "ray_2_60_0", "ray", "2.60.0", "make contract"),
        Tier(TESTS / "local", "ray", "2.60.0", "make local"),
        Tier(TESTS / "ways", "ray", "2.60.0", "make ways"),
        Tier(TESTS / "watch", "ray", "2.60.0", "make watch"),
        Tier(TESTS / "cluster", "pytest-helm-charts", "", "make test-cluster"),
    )
}
PARALLEL = (TESTS / "unit", TESTS / "fuzz", TESTS / "chart")
"""Tiers whose tests may run at once. Those of the others start engines, or build on each other."""


def is_named(folder: Path, asked: list[Path]) -> bool:
    """Whether a tier, or the folder that it lies in, is meant by what was asked for. All of tests/ means none."""
    name = folder.relative_to(TESTS).parts[0]
    return any(path.is_relative_to(TESTS / name) for path in asked)


def is_parallel(asked: list[Path]) -> bool:
    """Whether only folders of such tiers were asked for. A file alone is over before other processes have started."""
    return all(path.is_dir() and any(path.is_relative_to(tier) for tier in PARALLEL) for path in asked)
