"""The example of one's own code, alone and beside a model: its own answers, one batch for all, and a clear 4xx."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from generator.local.http import complete_chat
from tests.local.conftest import Servers
from tests.local.machine import shared_memory_of
from tests.local.reference import Reference
from tests.local.served import EVERYTHING, Served
from tools.tiny_checkpoints import ANSWERS, STORY

MODEL = "falcon3-1b-instruct"
QUESTION = "What are you?"
ANSWER = ANSWERS[QUESTION].format(id=MODEL)
SERVED = {"throughput": EVERYTHING, "standard": ("briefs",)}
"""By `serving.path`, what is served together. The first is what test_answers.py has asked."""
# The model goes on with what it knows by heart, for longer than any answer.
LONG = {"text": STORY[:120], "max_tokens": 400, "temperature": 0.0}


@dataclass(frozen=True)
class App:
    url: str
    served: Served

    def ask(self, **body: Any) -> httpx.Response:
        return httpx.post(self.url, json=body, timeout=60)


@pytest.fixture(scope="module", params=SERVED)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def app(servers: Servers, path: str) -> App:
    """The app, beside both models on one path and alone on the other."""
    found = servers.get(SERVED[path], path)
    return App(found.running.apps["briefs"] + "/answer", found)


def events(lines: list[str]) -> list[tuple[str, Any]]:
    """Name and data of every event of a stream."""
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    return list(zip(names, data, strict=True))


def test_an_answer_has_its_own_form(app: App, references: dict[str, Reference]) -> None:
    answer = app.ask(text=QUESTION, temperature=0)

    assert answer.status_code == 200
    found = answer.json()
    prompt = references[MODEL].tokenizer(f"<|user|>\n{QUESTION}<|end_of_text|>\n<|assistant|>\n").input_ids
    generated = references[MODEL].greedy(prompt, 64)
    assert (found["text"], found["finish"]) == (ANSWER, "stop")
    assert found["tokens"] == {"prompt": len(prompt), "generated": len(generated)}
    assert found["seconds"] > 0
    assert found.keys() == {"text", "finish", "tokens", "seconds"}


def test_the_models_beside_it_answer_too(app: App, path: str) -> None:
    models = app.served.running.routes

    answers = {model: complete_chat(url, model, QUESTION, 64) for model, url in models.items()}
    assert answers == {model: ANSWERS[QUESTION].format(id=model) for model in models}
    assert len(models) == len(SERVED[path]) - 1


def test_only_the_throughput_path_has_haproxy(app: App, path: str) -> None:
    assert len(app.served.commands("VLLM::EngineCore")) == len(SERVED[path])
    assert bool(app.served.commands("haproxy")) == (path == "throughput")


def test_a_stream_says_the_same_piece_by_piece(app: App) -> None:
    # Long, since what a busy server has not sent yet it joins to one piece.
    long = LONG | {"max_tokens": 250}
    plain = app.ask(**long).json()
    answer = app.ask(**long, stream=True)

    assert answer.headers["content-type"].startswith("text/event-stream")
    *pieces, (last, end) = events(answer.text.splitlines())
    assert len(pieces) > 3
    assert {name for name, _ in pieces} == {"text"}
    assert "".join(data["text"] for _, data in pieces) == plain["text"]
    assert last == "end"
    assert (end["finish"], end["tokens"]) == (plain["finish"], plain["tokens"])


def test_an_answer_that_is_cut_off_says_so(app: App) -> None:
    found = app.ask(text=QUESTION, temperature=0, max_tokens=3).json()
    assert (found["finish"], found["tokens"]["generated"]) == ("length", 3)


def test_a_seed_gives_the_same_answer_again(app: App) -> None:
    texts = [app.ask(text=QUESTION, temperature=2, seed=seed, max_tokens=16).json()["text"] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_requests_at_the_same_time_are_computed_together(app: App) -> None:
    """Each of a few streams has begun before any has ended. Where the tiny model was too quick for that: once more."""

    async def times(client: httpx.AsyncClient) -> list[float]:
        found = []
        async with client.stream("POST", app.url, json=LONG | {"stream": True}) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("event: text"):
                    found.append(time.monotonic())
        return found

    async def all_at_once() -> list[list[float]]:
        async with httpx.AsyncClient(timeout=120) as client:
            return await asyncio.gather(*(times(client) for _ in range(4)))

    def overlap() -> bool:
        streams = asyncio.run(all_at_once())
        print("pieces", [len(stream) for stream in streams])
        return max(stream[0] for stream in streams) < min(stream[-1] for stream in streams)

    assert any(overlap() for _ in range(20)), "one after the other"


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
def test_a_client_that_goes_away_ends_its_request_in_the_engine(app: App, stream: bool) -> None:
    """On a busy machine the answer, a second long, may have ended before the client has gone: then once more."""

    async def leave() -> None:
        """Goes away at the first piece of a stream, or once the engine has begun a plain answer."""
        begun = app.served.logged("Added request")
        async with httpx.AsyncClient(timeout=60) as client:
            asked = asyncio.create_task(first_piece(client))
            while not asked.done() and (stream or app.served.logged("Added request") == begun):
                await asyncio.sleep(0.01)
            asked.cancel()

    async def first_piece(client: httpx.AsyncClient) -> None:
        async with client.stream("POST", app.url, json=LONG | {"stream": stream}) as answer:
            assert answer.status_code == 200
            async for line in answer.aiter_lines():
                if line.startswith("event: text"):
                    return

    def is_aborted() -> bool:
        aborted = app.served.logged("aborted.")
        asyncio.run(leave())
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            if app.served.logged("aborted.") > aborted:
                return True
            time.sleep(0.1)
        return False

    assert any(is_aborted() for _ in range(20)), "the engine went on"


WRONG = {
    "not JSON": ("{", 400, None, "the body is not JSON"),
    "no text": ("{}", 422, "text", "Field required"),
    "an empty text": ('{"text": ""}', 422, "text", "at least 1 character"),
    "an unknown field": ('{"text": "a", "temprature": 1}', 422, "temprature", "Extra inputs are not permitted"),
    "too hot": ('{"text": "a", "temperature": 3}', 422, "temperature", "less than or equal to 2"),
    "no tokens": ('{"text": "a", "max_tokens": 0}', 422, "max_tokens", "greater than or equal to 1"),
    "a list": ("[]", 422, None, "should be a valid dictionary"),
    "too long": (json.dumps({"text": STORY * 9}), 422, "text", "maximum context length is 512 tokens"),
    "too long, streamed": (json.dumps({"text": STORY * 9, "stream": True}), 422, "text", "maximum context length"),
}


@pytest.mark.parametrize(("body", "status", "field", "message"), WRONG.values(), ids=WRONG)
def test_bad_input_is_a_4xx_with_one_message(app: App, body: str, status: int, field: str | None, message: str) -> None:
    answer = httpx.post(app.url, content=body, headers={"Content-Type": "application/json"}, timeout=60)

    error = answer.json()["error"]
    assert (answer.status_code, error["status"], error["field"]) == (status, status, field)
    assert message in error["message"]


def test_another_page_or_method_is_told_in_the_same_form(app: App) -> None:
    assert httpx.get(app.url).json()["error"]["status"] == 405
    assert httpx.post(app.url + "/more", json={}).json()["error"]["status"] == 404


@pytest.mark.parametrize("path", ["standard"], indirect=True)
def test_a_replica_whose_engine_has_died_is_replaced(app: App) -> None:
    """Last, since everything of the first replica is gone then. Nothing else of the release has an engine."""
    (engine,) = app.served.commands("VLLM::EngineCore")
    (worker,) = app.served.commands("VLLM::Worker")
    mapped = shared_memory_of(engine) | shared_memory_of(worker)
    os.kill(engine, signal.SIGKILL)

    def answers() -> bool:
        try:
            answer = app.ask(text=QUESTION, temperature=0)
        except httpx.ReadTimeout:  # it is held while the new engine starts
            return False
        print(answer.status_code, answer.text)
        return answer.status_code == 200 and answer.json()["text"] == ANSWER

    deadline = time.monotonic() + 300
    while not answers() or worker in app.served.commands("VLLM::Worker"):
        assert time.monotonic() < deadline, "it does not answer again, or the first engine's worker lives on"
        time.sleep(1)
    assert engine not in app.served.commands("VLLM::EngineCore")
    for path in mapped:  # what is killed cannot take its shared memory away
        path.unlink(missing_ok=True)
