"""The local tier: the committed values of `local`, rendered and served on this machine, each serving for many tests.

Run by `make local`, in the environment that has Ray, vLLM's CPU backend and transformers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from generator.chart import cache_folder
from generator.local.ray import Running
from tests.local.machine import MODELS
from tests.local.reference import Reference
from tests.local.served import Served, served


@pytest.fixture(scope="session")
def workdir() -> Path:
    """Where the values' relative sources begin; `make demo` makes the same checkpoints in the same place."""
    from tools import tiny_checkpoints

    folder = cache_folder() / "local"
    for line in tiny_checkpoints.make(folder / "checkpoints", MODELS):
        print(line)
    return folder


@pytest.fixture(scope="session")
def references(workdir: Path) -> dict[str, Reference]:
    return {model: Reference.load(workdir / "checkpoints" / model) for model in MODELS}


@pytest.fixture(scope="module")
def everything(workdir: Path) -> Iterator[Served]:
    """Both models and the app beside them: all of values/local/, together."""
    with served(["briefs", "falcon-h1", "falcon3"], workdir=workdir) as found:
        yield found


@pytest.fixture
def serving(everything: Served) -> Running:
    return everything.running


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def client(serving: Running, model: str) -> Any:
    """OpenAI's own client, pointed at one model as a user would point it."""
    from openai import OpenAI

    return OpenAI(base_url=serving.routes[model], api_key="none", max_retries=0, timeout=60)
