"""The local tier: the committed values of `local`, rendered and served on this machine once for all tests.

Run by `make local`, in the environment that has Ray, vLLM's CPU backend and transformers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import MODELS, ROOT
from reference import Reference

from generator.helm import cache_folder, render
from generator.local_ray import Running, free_port, machine_values, run_folder, running


@pytest.fixture(scope="session")
def workdir() -> Path:
    """Where the values' relative sources begin; `make demo` makes the same checkpoints in the same place."""
    import tiny_checkpoints

    folder = cache_folder() / "local"
    for line in tiny_checkpoints.make(folder / "checkpoints", MODELS):
        print(line)
    return folder


@pytest.fixture(scope="session")
def references(workdir: Path) -> dict[str, Reference]:
    return {model: Reference.load(workdir / "checkpoints" / model) for model in MODELS}


@pytest.fixture(scope="module")
def serving(workdir: Path) -> Iterator[Running]:
    """Both models and the app beside them, each application as `helm install` would make it from values/local/."""
    values = sorted((ROOT / "values" / "local").glob("*.yaml"))
    assert values, "values/local/ is empty: run `python -m generator generate --environment local`"
    with run_folder() as folder:
        manifests = render(ROOT / "chart", values, overrides=machine_values(folder, port=free_port()), release="local")
        with running(manifests, folder=folder, workdir=workdir, report=print, timeout_s=500) as found:
            yield found


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def client(serving: Running, model: str) -> Any:
    """OpenAI's own client, pointed at one model as a user would point it."""
    from openai import OpenAI

    return OpenAI(base_url=serving.routes[model], api_key="none", max_retries=0, timeout=60)
