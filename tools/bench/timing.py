"""How long a command takes, and how much memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The counted runs of a command."""

    name: str
    seconds: Sequence[float]
    """Of each run."""
    peak_mb: float
    """The largest single process of any run, as the operating system counts it."""
    aim: str

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)


def timed(
    name: str,
    command: Sequence[str],
    runs: int,
    *,
    folder: Path,
    aim: str = "",
    before: Callable[[], object] | None = None,
) -> Timing:
    """Run a command in `folder` once to warm up and then `runs` times, after `before()` each time."""
    seconds, peaks_mb = [], []
    for run in range(runs + 1):
        if before:
            before()
        elapsed, peak_mb = _run(name, command, folder)
        if run:
            seconds.append(elapsed)
            peaks_mb.append(peak_mb)
    return Timing(name=name, seconds=seconds, peak_mb=max(peaks_mb), aim=aim)


def _run(name: str, command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Seconds and peak memory (MB) of one run. Ends the benchmark where the command fails."""
    with tempfile.TemporaryFile() as complaint:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=complaint)
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - start
        if status:
            complaint.seek(0)
            sys.exit(f"{name}: {complaint.read().decode()}")
    return elapsed, usage.ru_maxrss / 1024


def table(timings: Sequence[Timing]) -> list[str]:
    width = max(len(timing.name) for timing in timings)
    lines = [f"{'':{width}}  median s     (fewest - most)   peak MB   aim"]
    for timing in timings:
        spread = f"({min(timing.seconds):.3f} - {max(timing.seconds):.3f})"
        lines.append(
            f"{timing.name:{width}}  {timing.median_s:8.3f}  {spread:>18}  {timing.peak_mb:8.0f}   {timing.aim}"
        )
    return lines
