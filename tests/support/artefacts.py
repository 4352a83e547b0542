"""A release's artefacts, built once for all processes of a test run."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT


def release_python() -> str:
    """The Python with the tools of a release (requirements/release.txt)."""
    named = os.environ.get("RELEASE_PYTHON")
    if not named:
        pytest.fail("RELEASE_PYTHON is not set: run `make chart`, which sets it", pytrace=False)
    return named


def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what `make dist` builds. With pytest-xdist, the first process builds and the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "dist"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "SHA256SUMS").exists():
            build(shared)
    return shared


def build(folder: Path) -> None:
    command = [release_python(), "-m", "tools.release", "build", "--unvalidated", "--output", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def build_wheel(folder: Path) -> Path:
    """The wheel alone, which is quicker."""
    command = [release_python(), "-m", "uv", "build", "--quiet", "--wheel", "--no-build-isolation", "--offline"]
    subprocess.run([*command, "--python", release_python(), "--out-dir", folder], cwd=ROOT, check=True)
    return the(folder, "*.whl")


def the(folder: Path, pattern: str) -> Path:
    (file,) = folder.glob(pattern)
    return file
