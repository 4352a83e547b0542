"""`serve`: render an environment's values with the project's own chart, and run what was rendered on this machine."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generator.cache import cache_folder
from generator.documents.files import holds
from generator.documents.merge import JsonObject, merged
from generator.errors import UserError
from generator.local.helm_test import HelmTest
from generator.local.http import Refused, complete_chat, free_port
from generator.local.ray import Running, machine_values, run_folder, running
from generator.progress import Report
from generator.project.project import Project
from generator.project.release import release_objects

ANSWER_TOKENS = 64


def serve(
    project: Project,
    names: Sequence[str],
    environment: str,
    *,
    port: int | None,
    once: bool,
    prompt: str,
    overrides: Sequence[str],
    workdir: Path | None,
    chart: str | None,
    timeout: int,
    say: Report,
    show: Report,
) -> None:
    """Serve families and apps until Ctrl-C, or with `once` until every model has answered.

    One that chats is asked `prompt`, others what `helm test` asks them.
    What an app is asked is its own affair: of it the address is shown. `say` is told the progress, `show` what is asked
    and answered. Relative model sources begin in `workdir`.
    """
    served = project.served(environment, names)
    workdir = workdir or _usual_workdir(project)
    if not holds(workdir.is_dir):
        fix = "Name the folder in which relative sources of models begin."
        raise UserError("no such folder", where=f"--workdir {workdir}", fix=fix)
    started = time.monotonic()
    port = free_port(port or 8000)
    with run_folder() as folder:
        say(f"rendering the chart with the values of {', '.join(served)} in {environment}")
        manifests = release_objects(
            project,
            environment,
            served,
            release="local",
            chart=chart,
            report=say,
            overrides=merged(machine_values(folder, port=port), _overrides(overrides)),
        )
        with running(manifests, folder=folder, workdir=workdir, report=say, timeout_s=timeout) as serving:
            say(f"ready after {time.monotonic() - started:.0f} s")
            for model, url in serving.routes.items():
                show(_curl(url, model, prompt))
            for app, url in serving.apps.items():
                show(f"{app} runs at {url}")
            if once:
                helm_test = HelmTest.of(manifests)
                for model in serving.routes:
                    say(f"asking {model}: {prompt}")
                    show(answer_of(serving, model, prompt, helm_test, folder))
            else:
                say("Ctrl-C stops it")
                signal.pause()
    say("stopped, nothing is left running")


def _usual_workdir(project: Project) -> Path:
    """Where a clone has its small checkpoints, else the project."""
    checkpoints = cache_folder() / "local"
    return checkpoints if holds(checkpoints.is_dir) else project.root


def answer_of(serving: Running, model: str, prompt: str, helm_test: HelmTest | None, folder: Path) -> str:
    """What a model that chats says to `prompt`; of another, that it answers what `helm test` asks it."""
    started = time.monotonic()
    url, asked = serving.routes[model], helm_test.asks(model) if helm_test else None
    if asked in (None, "chat", "completions"):
        try:
            text = complete_chat(url, model, prompt, ANSWER_TOKENS)
            return f"{model} answered in {time.monotonic() - started:.1f} s: {text!r}"
        except Refused:
            if helm_test is None or model not in helm_test.ids:
                raise
    assert helm_test is not None
    helm_test.run(model, serving.base_url, folder)
    return f"{model} does not chat, and answers what `helm test` asks it, in {time.monotonic() - started:.1f} s"


def _curl(url: str, model: str, prompt: str) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": ANSWER_TOKENS})
    quoted = body.replace("'", "'\\''")
    return f"curl {url}/chat/completions -H 'Content-Type: application/json' -d '{quoted}'"


def _overrides(settings: Sequence[str]) -> JsonObject:
    """`serving.path="throughput"` as nested mappings; the value is JSON, or a plain word."""
    result: JsonObject = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise UserError(f"'{setting}' is no KEY=JSON", where="--set", fix='Write it as serving.path="throughput".')
        value: Any
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        for part in reversed(key.split(".")):
            value = {part: value}
        result = merged(result, value)
    return result
