"""Processes that outlive the command that starts them, found again by a record of their id and start time."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from generator.errors import UserError

from .settings import say

OPEN_FILES = 65_536
"""What Ray asks for; containers inherit the limit of containerd."""


class Daemons:
    """The daemons of one state folder: records in `run/`, output in `logs/`."""

    def __init__(self, folder: Path) -> None:
        self.records = folder / "run"
        self.logs = folder / "logs"

    def start(
        self,
        name: str,
        *command: str | Path,
        ready: Callable[[], bool],
        seconds: float = 60,
    ) -> None:
        """Start a daemon unless it runs, and wait until `ready()`.

        Raises UserError with the end of its log when it stops or is not ready after `seconds`.
        """
        if not self.running(name):
            say(f"starting {name}")
            self.records.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(parents=True, exist_ok=True)
            with (self.logs / f"{name}.log").open("ab") as log:
                process = subprocess.Popen(
                    [str(part) for part in command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=_allow_open_files,
                )
            with contextlib.suppress(OSError):  # it has ended already: its log says why, below
                record = {"pid": process.pid, "started": started(process.pid)}
                (self.records / f"{name}.json").write_text(json.dumps(record))
        deadline = time.monotonic() + seconds
        # What answers may be another's, on the same port: ours must live too.
        while not (_holds(ready) and self.running(name)):
            if not self.running(name):
                raise UserError(f"{name} has stopped; the end of its log:\n{self._tail(name)}")
            if time.monotonic() > deadline:
                raise UserError(f"{name} is not ready after {seconds:.0f} s; the end of its log:\n{self._tail(name)}")
            time.sleep(0.2)

    def running(self, name: str) -> bool:
        """Whether the daemon that was started under this name still runs."""
        return self._pid(name) is not None

    def stop(self, name: str, *, seconds: float = 10) -> None:
        """End a daemon, by force after `seconds`. Nothing happens where it does not run."""
        pid = self._pid(name)
        if pid is not None:
            say(f"stopping {name}")
            for sent in (signal.SIGTERM, signal.SIGKILL):
                if self._pid(name) is None:
                    break
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sent)
                deadline = time.monotonic() + seconds
                while self._pid(name) is not None and time.monotonic() < deadline:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
                    time.sleep(0.1)
        (self.records / f"{name}.json").unlink(missing_ok=True)

    def _pid(self, name: str) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            record = json.loads((self.records / f"{name}.json").read_text())
            # A process id is given again one day; with its start time it is one process's for ever.
            if started(record["pid"]) == record["started"]:
                return int(record["pid"])
        return None

    def _tail(self, name: str) -> str:
        return "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-15:])


def started(pid: int) -> int:
    """Start time of a living process in clock ticks since boot. Raises OSError when there is none."""
    # `pid (name) state parent …`; the name may hold spaces and parentheses.
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    if fields[0] == "Z":
        raise ProcessLookupError(pid)
    return int(fields[19])


def _holds(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except (OSError, UserError):
        return False


def _allow_open_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
