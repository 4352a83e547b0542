"""This machine: where the repository is, and what runs."""

from __future__ import annotations

import os
from pathlib import Path

LISTENS = "0A"
LOOPBACK = "0100007F"
MODELS = ("falcon3-1b-instruct", "falcon-h1-0.5b-instruct")


def processes_with(text: str) -> dict[int, str]:
    """By process id, the command lines of all processes that have `text` in their command line or environment."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            if entry.name != str(os.getpid()) and text.encode() in command + (entry / "environ").read_bytes():
                found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def shared_memory_of(process: int) -> set[Path]:
    """What a process has mapped of the machine's shared memory."""
    return {Path(name) for name in _mapped(Path(f"/proc/{process}")) if name.startswith("/dev/shm/")}


def shared_memory() -> set[Path]:
    """What of the machine's shared memory no process has mapped or opened: left by one that ended."""
    held = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            held |= _mapped(entry)
            held |= {str(opened.readlink()) for opened in (entry / "fd").iterdir()}
        except OSError:
            continue
    return {path for path in Path("/dev/shm").iterdir() if str(path) not in held}


def listening(process: int) -> set[str]:
    """The addresses on which a process listens, as /proc writes them: `0100007F` is 127.0.0.1, all zeros every one."""
    sockets = {name for name in _opened(process) if name.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENS and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].partition(":")[0])
    return found


def _opened(process: int) -> set[str]:
    return {str(opened.readlink()) for opened in Path(f"/proc/{process}/fd").iterdir()}


def _mapped(process: Path) -> set[str]:
    """The names of the files that a process, by its folder in /proc, has mapped. Raises OSError where it has ended."""
    return {line.split(maxsplit=5)[-1] for line in (process / "maps").read_text().splitlines()}
