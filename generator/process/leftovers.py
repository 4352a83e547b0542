"""Ends what a library started for us and does not end itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from generator.process.supervisor import adopt, descendants


@contextmanager
def none_left_on_error() -> Iterator[None]:
    """Kill every process that was started meanwhile, where the block ends with an exception. On Linux alone.

    Those in the background too, and those whose parent is gone: they come to us meanwhile.
    """
    before = {os.getpid(), *descendants(os.getpid())}
    adopt(True)
    try:
        yield
    except BaseException:
        # Again and again, since one may have started another before it was killed.
        while new := set(descendants(os.getpid())) - before:
            for pid in new:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            before |= new
        raise
    finally:
        adopt(False)
