"""Starts and ends processes that must not outlive us: each runs below supervisor.py, whose input we keep open."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from generator.cache import cache_folder

STOP_S = 20.0
"""How long the processes may take to end, the supervisor's own grace included."""


def start(
    command: Sequence[str], *, log: Path, folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Run `command` in `folder`, printing to `log`, until `end`, or until this process is gone."""
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("supervisor.py")), *command],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )


def end(process: subprocess.Popen[Any], *, grace_s: float = STOP_S) -> None:
    """Close the input of a process that takes this for its sign to end, and kill it where `grace_s` are not enough."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def engine_environment() -> dict[str, str]:
    """Our own variables, for processes that import vLLM: without its compiled modules each would compile for 10 s."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    inherited.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "torchinductor"))
    return inherited
