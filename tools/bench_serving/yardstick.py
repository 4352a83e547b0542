"""How fast the machine is now. On a shared host the same computation may take half as long again minutes later."""

from __future__ import annotations

import os
import subprocess
import sys

_COMPUTATION = """
import time
total = 0
for number in range(6_000_000):
    total += number * number % 7
print(time.process_time())
"""


def yardstick_s() -> float:
    """CPU seconds, user and system, of one fixed computation in Python: the mean of one on every core at once."""
    command = [sys.executable, "-I", "-c", _COMPUTATION]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count() or 1)]
    taken = [float(process.communicate()[0]) for process in running]
    return sum(taken) / len(taken)
