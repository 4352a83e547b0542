"""This machine: where the repository is, and what runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
MODELS = ("falcon3-1b-instruct", "falcon-h1-0.5b-instruct")


def processes_with(text: str) -> list[str]:
    """Command lines of all processes of this machine that have `text` in their command line or environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            if entry.name != str(os.getpid()) and text.encode() in command + (entry / "environ").read_bytes():
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found
