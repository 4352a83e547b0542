"""The local tier: the committed values of `local`, rendered and served on this machine, each serving for many tests.

Run by `make local`, in the environment that has Ray, vLLM's CPU backend and transformers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from generator.cache import cache_folder
from generator.local.ray import Running
from tests.local.machine import MODELS
from tests.local.reference import Reference
from tests.local.served import EVERYTHING, Served, served


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


class Servers:
    """One server at a time, which stays up as long as the tests ask for the same."""

    def __init__(self, workdir: Path) -> None:
        self._workdir = workdir
        self._held = ExitStack()
        self._asked: tuple[Sequence[str], str] | None = None
        self._served: Served | None = None

    def get(self, names: Sequence[str], path: str) -> Served:
        """These files of values/local/ on a `serving.path`. The app's engine says of each request how it ended."""
        if self._served is None or self._asked != (names, path):
            self.stop()
            logs_requests = {"briefs": {"application": {"args": {"engine": {"enable_log_requests": True}}}}}
            server = served(names, workdir=self._workdir, path=path, apps=logs_requests)
            self._served, self._asked = self._held.enter_context(server), (names, path)
        return self._served

    def stop(self) -> None:
        """Stop the one that runs, and hold it to leave nothing behind."""
        self._served = None
        self._held.close()


@pytest.fixture(scope="session")
def servers(workdir: Path) -> Iterator[Servers]:
    servers = Servers(workdir)
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def nothing_served(servers: Servers) -> None:
    """For tests that start what they ask, or measure."""
    servers.stop()


@pytest.fixture(scope="module")
def everything(servers: Servers) -> Served:
    """Both models and the app beside them: all of values/local/, together, on the path that they say."""
    return servers.get(EVERYTHING, "throughput")


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
