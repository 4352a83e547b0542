"""The ways of serving: tiny checkpoints of every task, and one server at a time for the tests that ask for the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai
import pytest

from generator.cache import cache_folder
from generator.local.ray import Running
from tests.local.reference import Reference
from tests.local.served import Served
from tests.support.long_run import keep_figures
from tests.ways import served as serve
from tests.ways.together import models as together
from tools.way_checkpoints.adapters import QUESTION


@pytest.fixture(scope="session")
def workdir(request: pytest.FixtureRequest) -> Path:
    """Where the values' relative sources begin. The checkpoints that the chosen tests name are there."""
    from tools.way_checkpoints.made import MAKERS, make

    named = {name for item in request.session.items for name in getattr(item.module, "CHECKPOINTS", ())}
    folder = cache_folder() / "ways"
    for line in make(folder / "checkpoints", [name for name in MAKERS if name in named]):
        print(line)
    return folder


@pytest.fixture(scope="session")
def reference(workdir: Path) -> Reference:
    """What transformers decodes from `chat`."""
    return Reference.load(workdir / "checkpoints" / "chat")


@pytest.fixture(scope="session")
def adapted(workdir: Path, reference: Reference) -> dict[str, str]:
    """By adapter, what transformers and peft answer."""
    from peft import PeftModel

    found = {}
    for name in together.ADAPTERS:
        base = Reference.load(workdir / "checkpoints" / "chat").network
        network = PeftModel.from_pretrained(base, workdir / "checkpoints" / name)
        tokens = Reference(network, reference.tokenizer).greedy(reference.chat_prompt(QUESTION), 48)
        found[name] = reference.text(tokens)
    return found


class Server:
    """One at a time, which stays up as long as the tests ask for the same values."""

    def __init__(self, workdir: Path) -> None:
        self._workdir = workdir
        self._held = ExitStack()
        self._values: Mapping[str, Any] | None = None
        self._served: Served | None = None

    def get(self, values: Mapping[str, Any]) -> Served:
        if self._served is None or self._values != values:
            self.stop()
            self._served = self._held.enter_context(serve.served(values, workdir=self._workdir))
            self._values = values
        return self._served

    def stop(self) -> None:
        self._served = None
        self._held.close()


@pytest.fixture(scope="session")
def server(workdir: Path) -> Iterator[Server]:
    server = Server(workdir)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def models(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Of those that can be served together, the ones that the chosen tests ask for."""
    chosen = {name for item in request.session.items for name in getattr(item.module, "MODELS", ())}
    return {name: model for name, model in together.MODELS.items() if name in chosen}


@pytest.fixture
def served(server: Server, models: dict[str, Any]) -> Served:
    return server.get({"models": models})


@pytest.fixture
def serving(served: Served) -> Running:
    return served.running


@pytest.fixture
def clients(serving: Running) -> dict[str, openai.OpenAI]:
    """By model, OpenAI's own client at its address."""
    return {
        name: openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)
        for name, url in serving.routes.items()
    }


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A long run keeps what each way took: its server's start, where it was the first to ask, and its requests."""
    seconds: dict[str, float] = {}
    for report in terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("", []):
        name = report.nodeid.rpartition("::")[2].removeprefix("test_")
        seconds[name] = seconds.get(name, 0.0) + report.duration
    keep_figures({name: {"seconds": round(each)} for name, each in seconds.items()})
