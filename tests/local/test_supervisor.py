"""Nothing outlives the one who started it, however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.local.machine import processes_with
from tests.support.paths import ROOT

SUPERVISOR = [sys.executable, str(ROOT / "generator" / "process" / "supervisor.py")]
# A command whose grandchild has left its parent and its process group, and holds shared memory and a semaphore.
FAMILY = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import multiprocessing, multiprocessing.shared_memory
        held = multiprocessing.shared_memory.SharedMemory(create=True, size=100)
        lock = multiprocessing.get_context("spawn").Lock()
        print(held.name, lock._semlock.name, flush=True)
    time.sleep(600)
time.sleep(600)
"""


def wait_until_gone(word: str) -> None:
    deadline = time.monotonic() + 15
    while processes_with(word):
        assert time.monotonic() < deadline, processes_with(word)
        time.sleep(0.1)


@pytest.mark.parametrize("end", ["close", "kill"])
def test_what_left_its_parent_ends_too_and_its_shared_memory_goes(end: str) -> None:
    word = f"family-{uuid.uuid4()}"
    # The starter holds the supervisor's standard input open, and does nothing else.
    starter = subprocess.Popen(
        [
            sys.executable, "-c",
            "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); sys.stdin.read();"
            " p.stdin.close(); p.wait()",
            *SUPERVISOR, sys.executable, "-c", FAMILY, word,
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert starter.stdin is not None
    assert starter.stdout is not None
    memory, semaphore = starter.stdout.readline().split()
    files = [Path("/dev/shm") / memory, Path("/dev/shm") / f"sem.{semaphore.lstrip('/')}"]
    assert all(file.exists() for file in files)

    if end == "kill":
        os.kill(starter.pid, signal.SIGKILL)
    else:
        starter.stdin.close()

    wait_until_gone(word)
    starter.wait()
    assert not any(file.exists() for file in files)


def test_a_command_that_ends_by_itself_gives_its_exit_code() -> None:
    with subprocess.Popen([*SUPERVISOR, sys.executable, "-c", "raise SystemExit(7)"], stdin=subprocess.PIPE) as process:
        assert process.wait(15) == 7
