"""Runs a command, and ends every process that came of it when it ends, or when whoever started the supervisor is gone.

`python -m generator.process.supervisor COMMAND...`: the starter keeps our standard input open for as long as the
command should run. However the starter ends, even by SIGKILL, the kernel then closes it, and that is the sign to stop.
Processes that left their parent (Ray's workers, HAProxy, vLLM's engine) come to the supervisor, which is their
"subreaper" on Linux, so it finds them all as its own descendants and no process of anyone else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_S = 2.0
"""How long the command may take to end by itself after SIGTERM."""
KILL_S = 10.0
"""How long killed processes may take to go: the kernel takes seconds to free gigabytes on a busy machine."""
_PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> int:
    """Run `command` until it ends or standard input does. Returns its exit code, or 0 where it was asked to end."""
    adopt(True)
    # The starter decides when to stop; a Ctrl-C in its terminal reaches the starter alone.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_default_signals)
    shared: set[Path] = set()
    try:
        while process.poll() is None:
            if select.select([sys.stdin], [], [], 0.2)[0] and not os.read(sys.stdin.fileno(), 1):
                shared = shared_memory(descendants(os.getpid()))
                _stop(process)
                return 0
        return process.returncode
    finally:
        shared |= _end_descendants()
        for path in shared:
            path.unlink(missing_ok=True)


def adopt(wanted: bool) -> None:
    """Whether descendants whose parent is gone come to this process, where it runs on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


def _default_signals() -> None:
    for restored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(restored, signal.SIG_DFL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)


def _end_descendants() -> set[Path]:
    """Kill what is left, until nothing is: a process may have started another in the meantime.

    Returns the shared memory that they had.
    """
    deadline = time.monotonic() + KILL_S
    shared: set[Path] = set()
    while time.monotonic() < deadline:
        left = descendants(os.getpid())
        shared |= shared_memory(left)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not left:
            break
        time.sleep(0.05)
    return shared


def descendants(ancestor: int) -> list[int]:
    """Process ids of all living descendants of `ancestor`, from /proc (elsewhere than on Linux: none)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # `pid (name) state parent …`; the name may hold spaces and parentheses.
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    below_ancestor: list[int] = []
    pending = [ancestor]
    while pending:
        below = children.get(pending.pop(), [])
        below_ancestor += below
        pending += below
    return below_ancestor


def shared_memory(pids: list[int]) -> set[Path]:
    """Named shared memory and semaphores of Python's multiprocessing that the processes have mapped.

    They are files of a memory disk (vLLM's are 168 MB and more for each engine), and a killed process leaves them
    there. They are found by inode: a semaphore is mapped before it has its name.
    """
    mapped: set[int] = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            maps = Path(f"/proc/{pid}/maps").read_text(errors="replace")
            mapped.update(int(inode) for inode in re.findall(r" (\d+) +/dev/shm/", maps))
    shared: set[Path] = set()
    for pattern in ("psm_*", "sem.mp-*"):
        for path in Path("/dev/shm").glob(pattern):
            with contextlib.suppress(OSError):
                if path.stat().st_ino in mapped:
                    shared.add(path)
    return shared


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
