"""What breaks a release that serves. Each file is a fault, and a part of `make chaos`, with a release of its own."""

from __future__ import annotations

import pytest

from tests.cluster.figures import note
from tests.cluster.release import Release

MODEL = "falcon3-1b-instruct"


@pytest.fixture(scope="module")
def serving(release: Release) -> Release:
    """One model with one replica, which answers."""
    release.upgrade("values/kind/falcon3.yaml")
    note("install of one model, to Ready", release.wait_until_serving(MODEL))
    return release
