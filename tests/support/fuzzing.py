"""Runs a target of tests/fuzz: whatever it is given, it takes it or says in one message why not.

A target takes one input and returns the message with which it was refused, or "" where it was taken: `refusal_of` a
call, or `refused_by_command`. `fuzz` holds every answer to the same rules. A hundred inputs, the same each time,
are part of the unit tier; FUZZ_EXAMPLES=20000 (`make fuzz`) takes that many, others each time.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.cli.printing import error_texts
from generator.errors import UserError
from tests.support.command_line import generator

T = TypeVar("T")
LONGEST = 10_000
"""Bytes of a message."""
SECONDS = 5
"""Of CPU for one input; a thousandth of that is usual, and a machine may be slow."""
MEMORY = 2 * 2**30
"""Bytes that one target may take beyond what is taken when it starts."""
Record = Callable[[str, object], None]


def fuzz(
    inputs: st.SearchStrategy[T], target: Callable[[T], str], *, record: Record, examples: int = 100, slow: int = 1
) -> None:
    """Give the target many inputs. `record` is pytest's `record_property`: the run's figures are printed at its end.

    A `slow` target gets one input where others get so many.

    Fails at an exception, a message that is too long or has control characters, and an input that takes SECONDS or
    MEMORY; hypothesis then tells the simplest input that does.
    """
    asked = int(os.environ.get("FUZZ_EXAMPLES", "0")) // slow
    counts: Counter[str] = Counter()

    @settings(
        max_examples=asked or examples,
        derandomize=not asked,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def run(value: T) -> None:
        with _cpu_limited():
            message = target(value)
        counts["refused" if message else "ok"] += 1
        check_message(message)

    started = time.monotonic()
    with _memory_limited():
        run()
    took = time.monotonic() - started
    record("fuzz", {"inputs": counts.total(), "ok": counts["ok"], "refused": counts["refused"], "seconds": took})


def refusal_of(call: Callable[[], object]) -> str:
    """The UserError that a call ends with, as it is printed; empty where it returns."""
    try:
        call()
    except UserError as error:
        return "\n".join(error_texts(error))
    return ""


def refused_by_command(*arguments: object, folder: Path) -> str:
    """The message with which a command refuses; empty where it ends well, or says in exit code 1 that something is not.

    What it prints in that case has no control characters either.
    """
    run = generator(*arguments, folder=folder)
    assert run.returncode in (0, 1, 2), f"exit code {run.returncode}"
    check_printable(run.stdout + run.stderr)
    return run.stderr or "no message" if run.returncode == 2 else ""


def check_message(message: str) -> None:
    size = len(message.encode(errors="replace"))
    assert size < LONGEST, f"a message of {size} bytes: {message[:300]!r}"
    check_printable(message)


def check_printable(text: str) -> None:
    """Nothing in it that could drive a terminal."""
    odd = {character for character in text if not character.isprintable() and character not in "\n\t"}
    assert not odd, f"prints {sorted(odd)!r}"


@contextmanager
def _cpu_limited() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise AssertionError(f"took more than {SECONDS} s of CPU")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _memory_limited() -> Iterator[None]:
    """A MemoryError instead of a machine that stands still."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
