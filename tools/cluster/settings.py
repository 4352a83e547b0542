"""Where the cluster keeps its files, and the programs it runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from generator.cache import cache_folder
from generator.errors import UserError

ROOT = Path(__file__).resolve().parent.parent.parent
"""The project's folder."""


def state_folder() -> Path:
    """The folder with everything that belongs to the cluster; it goes with the cluster."""
    return cache_folder() / "cluster"


def versions() -> Mapping[str, str]:
    """The pinned versions of tools/versions.env."""
    lines = (ROOT / "tools" / "versions.env").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: value.strip('"') for name, value in pairs}


def program(name: str) -> str:
    """Path of a pinned program; it is built with Go the first time."""
    return setup("go-tool", name)


def setup(*arguments: str) -> str:
    """What `tools/setup.sh` prints for these arguments. Raises UserError where it fails; it has said why."""
    done = subprocess.run([str(ROOT / "tools" / "setup.sh"), *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise UserError(f"tools/setup.sh {' '.join(arguments)} failed", fix="See its message above.")
    return done.stdout.strip()


def say(text: str) -> None:
    """Print one line of progress to stderr."""
    print(f"cluster: {text}", file=sys.stderr, flush=True)


def run(*command: str | Path, input: str | None = None, cwd: Path | None = None) -> str:
    """Run a command to its end and return what it prints. Raises UserError with its own message where it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, input=input, cwd=cwd)
    if done.returncode:
        message = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise UserError(f"`{' '.join(map(str, command))}` failed: {message[-1] if message else done.returncode}")
    return done.stdout
