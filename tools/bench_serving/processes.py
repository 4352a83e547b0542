"""What the processes of a benchmark take, by what they are: CPU seconds and memory."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from generator.units import GIB

# By command line, as Ray and vLLM title their processes; the first that matches.
ROLES: Mapping[str, str] = {
    "client": r"vllm_load\.py",
    "engine core": r"VLLM::EngineCore",
    "engine worker": r"VLLM::Worker",
    # Not the supervisor, whose command line ends in the server's.
    "API server": r"^(?!.*supervisor\.py).*(vllm\.entrypoints\.openai\.api_server|VLLM::APIServer)",
    "HAProxy": r"(^|/)haproxy ",
    "proxy": r"ray::(ProxyActor|HAProxyManager)",
    "router": r"ray::ServeReplica:.*LLMRouter",
    "ingress": r"ray::ServeReplica:.*OpenAiIngress",
    "replica": r"ray::ServeReplica:",
    "Serve controller": r"ray::ServeController",
    "Ray": r"ray|gcs_server|supervisor\.py",
}
OTHER = "other"


def role(command: str) -> str:
    """What a process is, by its command line."""
    return next((name for name, pattern in ROLES.items() if re.search(pattern, command)), OTHER)


class Processes:
    """The descendants of this process. A process that came and went between two looks is not seen."""

    def __init__(self) -> None:
        self._root = psutil.Process()

    def _each(self) -> dict[tuple[int, float], tuple[str, psutil.Process]]:
        found = {}
        for process in self._root.children(recursive=True):
            with suppress(psutil.Error):
                found[(process.pid, process.create_time())] = (role(" ".join(process.cmdline())), process)
        return found

    def cpu_s(self) -> dict[tuple[int, float], tuple[str, float]]:
        """CPU seconds (user and system) of each process so far, with its role."""
        found = {}
        for key, (name, process) in self._each().items():
            with suppress(psutil.Error):
                times = process.cpu_times()
                found[key] = (name, times.user + times.system)
        return found

    def peak_mib(self) -> dict[str, float]:
        """By role, the sum of its processes' peaks of resident memory, MiB; pages that they share count in each."""
        found: dict[str, float] = {}
        for name, process in self._each().values():
            with suppress(psutil.Error, OSError):
                found[name] = found.get(name, 0.0) + _peak_mib(process)
        return {name: round(value, 1) for name, value in found.items()}


def spent(
    before: Mapping[tuple[int, float], tuple[str, float]], after: Mapping[tuple[int, float], tuple[str, float]]
) -> dict[str, float]:
    """CPU seconds by role between two looks; a process that is new has spent all of its own."""
    found: dict[str, float] = {}
    for key, (name, seconds) in after.items():
        since = seconds - (before[key][1] if key in before else 0.0)
        found[name] = found.get(name, 0.0) + since
    return {name: round(value, 3) for name, value in found.items() if value > 0}


def _peak_mib(process: psutil.Process) -> float:
    """Peak of resident memory, where the system keeps it (Linux), else the memory now."""
    with suppress(OSError):
        peak = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        if peak:
            return int(peak[1]) / 1024
    return process.memory_info().rss / 2**20


def machine() -> dict[str, str | float]:
    """What the figures hold for: processor, cores, memory, system."""
    import platform

    model = ""
    with suppress(OSError):
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else ""
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / GIB, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        # What else the machine was doing when the run began: more than a little makes the figures worthless.
        "load_before": round(os.getloadavg()[0], 2),
    }
