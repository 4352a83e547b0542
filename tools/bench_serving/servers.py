"""The servers that are measured: the chart's rendering on a local Ray, and vLLM's own API server."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from generator.bench.load import Target
from generator.cache import cache_folder
from generator.chart import render
from generator.documents.merge import JsonObject, merged
from generator.errors import RunFailed
from generator.local.http import free_port, request
from generator.local.ray import machine_values, run_folder, running
from generator.process import supervised
from generator.progress import Report

from .variants import ROOT, Variant

WORKDIR = cache_folder() / "local"


@contextmanager
def serving(variant: Variant, *, report: Report, timeout_s: float) -> Iterator[Target]:
    """Serve a variant until the block ends. Raises UserError or RunFailed with the reason when it does not start."""
    with run_folder() as folder:
        start = _chart if variant.engine is None else _engine
        with start(variant, folder, report, timeout_s) as url:
            yield Target(url=url, model=variant.model, tokenizer=str(WORKDIR / "checkpoints" / variant.model))


@contextmanager
def _chart(variant: Variant, folder: Path, report: Report, timeout_s: float) -> Iterator[str]:
    values = merged(variant.values, machine_values(folder, port=free_port()))
    manifests = render(ROOT / "chart", [], release="bench", overrides=values)
    with running(manifests, folder=folder, workdir=WORKDIR, report=report, timeout_s=timeout_s) as found:
        yield found.routes[variant.model]


def engine_command(variant: Variant, port: int) -> list[str]:
    """vLLM's own API server with the engine arguments of the variant's model, as flags."""
    config = variant.values["models"][variant.model]["llmConfig"]
    flags = []
    for name, value in config["engine_kwargs"].items():
        flag = name.replace("_", "-")
        flags.append((f"--{flag}" if value else f"--no-{flag}") if isinstance(value, bool) else f"--{flag}={value}")
    return [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server",
        f"--model={config['model_loading_config']['model_source']}", f"--served-model-name={variant.model}",
        "--host=127.0.0.1", f"--port={port}", *flags, *(variant.engine or ()),
    ]  # fmt: skip


@contextmanager
def _engine(variant: Variant, folder: Path, report: Report, timeout_s: float) -> Iterator[str]:
    port = free_port()
    variables: JsonObject = variant.values["models"][variant.model]["llmConfig"]["runtime_env"]["env_vars"]
    environment = supervised.engine_environment() | variables
    log = folder / "engine.log"
    started = time.monotonic()
    process = supervised.start(engine_command(variant, port), log=log, folder=WORKDIR, environment=environment)
    try:
        while not _answers(f"http://127.0.0.1:{port}/health"):
            if process.poll() is not None or time.monotonic() > started + timeout_s:
                last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise RunFailed(f"the engine did not start:\n{last}", where=variant.name)
            time.sleep(0.5)
        report(f"{time.monotonic() - started:6.1f} s  ready: vLLM's own API server")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        supervised.end(process)


def _answers(url: str) -> bool:
    with suppress(OSError):
        return request("GET", url, timeout_s=5)[0] == 200
    return False


def values_text(variant: Variant) -> str:
    """The values as YAML: what makes two runs of a variant comparable."""
    return yaml.safe_dump({"values": variant.values, "engine": variant.engine and list(variant.engine)})
