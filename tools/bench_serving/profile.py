"""Whose code the CPU time of a serving process is: stacks sampled by py-spy under load, by the package they end in."""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from generator.bench.load import LoadClient, Measured
from generator.errors import UserError

from .processes import Processes
from .report import SUMMARY
from .servers import serving
from .variants import Variant, sweep

SECONDS = 15
RATE = 200
"""Samples a second."""
WARM_S = 3.0
START_S = 5.0
"""Until py-spy samples, and after; the load must last longer than all of it."""
PACKAGES: Mapping[str, str] = {
    "Ray": r"\((?:ray|python/ray)/",
    "vLLM": r"\(vllm/",
    "Starlette and FastAPI": r"\((?:starlette|fastapi)/",
    "uvicorn": r"\(uvicorn/",
    "Prometheus instrumentator": r"\(prometheus",
    "tokenizer": r"\((?:transformers|tokenizers)/",
    "pydantic": r"\(pydantic",
    "anyio": r"\(anyio/",
}
"""The innermost frame of a stack that is in one of these says whose time it is."""
STANDARD = "asyncio, logging and the rest"


def profile(
    variant: Variant, roles: Sequence[str], *, py_spy: str, folder: Path, timeout_s: float
) -> tuple[Measured, dict[str, dict[str, int]]]:
    """By role (`processes.ROLES`), samples by package of its process while that holds its interpreter's lock.

    One role after another, under one load: that of the summary, short prompts, 32 at a time, streaming. What waits, and
    what runs without the lock (uvloop's and Ray's own C and C++), is not sampled. Stacks and the client's log are left
    in `folder`. Raises UserError where a role has no process, or several.
    """
    load = next(load for load, _ in sweep("full") if (load.shape, load.concurrency, load.stream) == SUMMARY)
    log, found = folder / f"{variant.name}.log", {}
    with serving(variant, report=print, timeout_s=timeout_s) as target, LoadClient(log=log, offline=True) as client:
        rate = client.measure(target, load).requests_per_s
        processes = {role: _process(role) for role in roles}
        steady = replace(load, requests=int(rate * (WARM_S + (SECONDS + START_S) * len(roles))))
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(client.measure, target, steady)
            time.sleep(WARM_S)
            for role, pid in processes.items():
                stacks = stacks_of(folder, variant, role)
                _record(py_spy, pid, stacks)
                found[role] = by_package(stacks.read_text().splitlines())
    return asking.result(), found


def stacks_of(folder: Path, variant: Variant, role: str) -> Path:
    """Where the stacks of a role are left, which tools for flame graphs take."""
    return folder / f"{variant.name}-{role.replace(' ', '-')}.stacks"


def _process(role: str) -> int:
    found: dict[str, list[int]] = {}
    for (pid, _), (name, _) in Processes().cpu_s().items():
        found.setdefault(name, []).append(pid)
    if role not in found:
        raise UserError.unknown("role", role, sorted(found), where="the processes of this variant")
    if len(found[role]) > 1:
        raise UserError(f"{len(found[role])} processes have the role {role}", fix="Choose one that is alone.")
    return found[role][0]


def _record(py_spy: str, pid: int, stacks: Path) -> None:
    command = [py_spy, "record", "--pid", str(pid), "--gil", "--duration", str(SECONDS), "--rate", str(RATE)]
    try:
        done = subprocess.run([*command, "--format", "raw", "--output", str(stacks)], capture_output=True, text=True)
    except OSError as error:
        raise UserError(f"cannot be run: {error.strerror}", where=py_spy, fix="Run `make profile-serving`.") from None
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise UserError(said, where=py_spy, fix="It samples Python only, and may need root or CAP_SYS_PTRACE.")


def by_package(stacks: Iterable[str]) -> dict[str, int]:
    """Samples of each package, of lines `outermost;…;innermost count`."""
    found: Counter[str] = Counter()
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        found[_package(frames.split(";"))] += int(count)
    return dict(found.most_common())


def _package(frames: list[str]) -> str:
    for frame in reversed(frames):
        for name, pattern in PACKAGES.items():
            if re.search(pattern, frame):
                return name
    return STANDARD
