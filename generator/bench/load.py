"""Load on an OpenAI server: what is asked of it, and what it took.

    with LoadClient(python, log=Path("client.log")) as client:
        measured = client.measure(Target(url=".../v1", model="m", tokenizer="folder"), Load(concurrency=8))

The load is made by `vllm bench serve` in a process of its own (`vllm_load.py`), started once for all points.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.errors import UserError
from generator.process import supervised

START_S = 300.0
"""Importing vLLM takes seconds, and minutes on a busy machine."""
STOP_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Target:
    url: str
    """What an OpenAI client takes as its base; it ends in /v1."""
    model: str
    """The model's id in requests."""
    tokenizer: str
    """Folder or hub id of its tokenizer: prompts are made of tokens."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """One point: so many requests of one shape, so many of them at a time."""

    concurrency: int = 1
    requests: int = 64
    stream: bool = True
    shape: str = "short"
    """The name of the lengths below."""
    prompt_tokens: int = 64
    answer_tokens: int = 16
    """Exactly so many: the end of text is ignored."""
    prefix_tokens: int = 0
    """Of the prompt, before `prompt_tokens` of its own: the same in every request that has this prefix."""
    prefixes: int = 1
    """So many of them, each in as many requests."""
    seed: int = 0
    """The same seed is the same prompts."""

    @property
    def name(self) -> str:
        return f"{self.shape}, {self.concurrency} at a time, {'streaming' if self.stream else 'plain'}"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What `vllm bench serve` reports of one point. Times are milliseconds."""

    completed: int
    failed: int
    errors: tuple[str, ...]
    """Some of the failures, in the client's words."""
    seconds: float
    requests_per_s: float
    tokens_per_s: float
    """Tokens of answers."""
    ttft_p50_ms: float | None
    """Time to the first token; only of streams."""
    ttft_p99_ms: float | None
    itl_p50_ms: float | None
    """Between two pieces of a stream, which are tokens unless the server gathers several into one."""
    itl_p99_ms: float | None
    tpot_p50_ms: float | None
    """Each request's mean time for one more token, after the first."""
    tpot_p99_ms: float | None
    tpot_mean_ms: float | None
    answer_p50_ms: float
    """Time to the whole answer."""
    answer_p99_ms: float
    client_cpu_s: float
    """CPU time of the load generator itself."""


def arguments(target: Target, load: Load) -> list[str]:
    """The command line of `vllm bench serve` for one point."""
    base = target.url.rstrip("/").removesuffix("/v1")
    return [
        *_prompts(load),
        f"--backend={'openai' if load.stream else 'openai-plain'}",
        f"--base-url={base}",
        "--endpoint=/v1/completions",
        f"--model={target.model}",
        f"--served-model-name={target.model}",
        f"--tokenizer={target.tokenizer}",
        f"--num-prompts={load.requests}",
        f"--max-concurrency={load.concurrency}",
        f"--seed={load.seed}",
        "--temperature=0",
        "--ignore-eos",
        "--disable-tqdm",
        "--save-detailed",
        "--ready-check-timeout-sec=0",
        "--percentile-metrics=ttft,tpot,itl,e2el",
        "--metric-percentiles=50,99",
    ]


def _prompts(load: Load) -> list[str]:
    if load.prefixes == 1:
        of, lengths = (
            "random",
            {"input": load.prompt_tokens, "output": load.answer_tokens, "prefix": load.prefix_tokens},
        )
        return [f"--dataset-name={of}", *(f"--{of}-{name}-len={tokens}" for name, tokens in lengths.items())]
    of = "prefix-repetition"
    lengths = {"prefix": load.prefix_tokens, "suffix": load.prompt_tokens, "output": load.answer_tokens}
    return [
        "--dataset-name=prefix_repetition",
        f"--{of}-num-prefixes={load.prefixes}",
        *(f"--{of}-{name}-len={tokens}" for name, tokens in lengths.items()),
    ]


def measured(found: dict[str, Any], load: Load) -> Measured:
    """Read vLLM's result of one point."""

    def of_streams(name: str) -> float | None:
        return round(found[name], 3) if load.stream and found["completed"] else None

    return Measured(
        completed=found["completed"],
        failed=found["failed"],
        errors=tuple(found["errors"]),
        seconds=round(found["duration"], 3),
        requests_per_s=round(found["request_throughput"], 3),
        tokens_per_s=round(found["output_throughput"], 3),
        ttft_p50_ms=of_streams("p50_ttft_ms"),
        ttft_p99_ms=of_streams("p99_ttft_ms"),
        itl_p50_ms=of_streams("p50_itl_ms"),
        itl_p99_ms=of_streams("p99_itl_ms"),
        tpot_p50_ms=of_streams("p50_tpot_ms"),
        tpot_p99_ms=of_streams("p99_tpot_ms"),
        tpot_mean_ms=of_streams("mean_tpot_ms"),
        answer_p50_ms=round(found["p50_e2el_ms"], 3),
        answer_p99_ms=round(found["p99_e2el_ms"], 3),
        client_cpu_s=round(found["client_cpu_s"], 3),
    )


class LoadClient:
    """The load generator's process, as a context. `python` must have vLLM; what it prints goes to `log`."""

    def __init__(self, python: str = sys.executable, *, log: Path, offline: bool = False) -> None:
        """`offline`: tokenizers are folders, and no hub is asked."""
        self.python = python
        self.log = log
        self.offline = offline
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> LoadClient:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def measure(self, target: Target, load: Load, *, timeout_s: float = 600) -> Measured:
        """Make the load and return what was measured.

        Raises UserError when the point is not possible or takes longer; the next one has a new process then.
        """
        if self._process is None or self._process.poll() is not None:
            self._start()
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(arguments(target, load)) + "\n")
        self._process.stdin.flush()
        return measured(self._answer(timeout_s), load)

    def _start(self) -> None:
        environment = dict(os.environ)
        if self.offline:
            environment |= {"HF_HUB_OFFLINE": "1"}
        command = [self.python, str(Path(__file__).with_name("vllm_load.py"))]
        with self.log.open("a") as log:
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
                )
            except OSError as error:
                fix = "Give the path of a Python that has vLLM."
                raise UserError(f"cannot be run: {error.strerror}", where=self.python, fix=fix) from None
        self._answer(START_S)

    def _stop(self, grace_s: float = STOP_S) -> None:
        if self._process is None:
            return
        assert self._process.stdout is not None
        supervised.end(self._process, grace_s=grace_s)
        self._process.stdout.close()
        self._process = None

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], timeout_s)[0]:
            self._stop(0)
            raise UserError(
                f"gave no result within {timeout_s:.0f} s",
                where="load generator",
                fix=f"Give it longer or fewer requests, or see {self.log}.",
            )
        line = self._process.stdout.readline()
        if not line:
            self._stop()
            raise UserError(
                f"the load generator ended: {_last_line(self.log)}",
                where=self.python,
                fix=f"It needs vLLM with its benchmarks: pip install 'vllm[bench]'. All that it said is in {self.log}.",
            )
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise UserError(f"the load generator says {found['error']}", where=self.python, fix=f"See {self.log}.")
        return found


def table(rows: Sequence[tuple[Load, Measured]]) -> list[str]:
    """The lines of a Markdown table, a line for each point."""

    def ms(p50: float | None, p99: float | None) -> str:
        return "" if p50 is None or p99 is None else f"{p50:.1f} / {p99:.1f}"

    columns = ["load", "requests/s", "tokens/s", "failed"]
    columns += [f"{name} ms p50 / p99" for name in ("first token", "next token", "between pieces", "answer")]
    lines = [f"| {' | '.join(columns)} |", f"|---|{'--:|' * (len(columns) - 1)}"]
    for load, measured in rows:
        cells = [load.name, f"{measured.requests_per_s:.1f}", f"{measured.tokens_per_s:.0f}", str(measured.failed)]
        cells += [
            ms(measured.ttft_p50_ms, measured.ttft_p99_ms),
            ms(measured.tpot_p50_ms, measured.tpot_p99_ms),
            ms(measured.itl_p50_ms, measured.itl_p99_ms),
            ms(measured.answer_p50_ms, measured.answer_p99_ms),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _last_line(path: Path) -> str:
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "without a word"
