"""What clients get: the same tokens as transformers decodes, in the forms of the OpenAI API. `bench` too."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from generator.local.ray import Running
from tests.local.machine import LOOPBACK, listening
from tests.local.reference import Reference
from tests.local.served import Served
from tests.support.output import published
from tests.support.paths import ROOT
from tools.tiny_checkpoints import ANSWERS, STORY

# Tokens of prompt: one page of the cache, several, and more than one block of vLLM's CPU backend (128).
PROMPT_TOKENS = (24, 60, 110, 140, 200)


@pytest.mark.parametrize("length", PROMPT_TOKENS)
def test_greedy_completion_is_what_transformers_decodes(
    client: Any, model: str, references: dict[str, Reference], length: int
) -> None:
    reference = references[model]
    prompt = reference.tokenizer(STORY).input_ids[:length]

    answer = client.completions.create(
        model=model, prompt=prompt, max_tokens=32, temperature=0, extra_body={"return_token_ids": True}
    )

    assert answer.choices[0].token_ids == reference.greedy(prompt, 32)
    assert answer.usage.prompt_tokens == length


@pytest.mark.parametrize("question", list(ANSWERS)[:3])
def test_chat_uses_the_models_own_template_and_stops_at_its_end_of_text(
    client: Any, model: str, references: dict[str, Reference], question: str
) -> None:
    reference = references[model]

    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}], max_tokens=64, temperature=0
    )

    expected = reference.greedy(reference.chat_prompt(question), 64)
    assert answer.choices[0].message.content == reference.text(expected)
    assert answer.choices[0].message.content == ANSWERS[question].format(id=model)
    assert answer.choices[0].finish_reason == "stop"


def test_requests_at_the_same_time_do_not_change_each_other(
    client: Any, model: str, references: dict[str, Reference]
) -> None:
    story = references[model].tokenizer(STORY).input_ids

    def complete(length: int) -> list[int]:
        answer = client.completions.create(
            model=model, prompt=story[:length], max_tokens=16, temperature=0, extra_body={"return_token_ids": True}
        )
        return answer.choices[0].token_ids

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(complete, PROMPT_TOKENS * 2))

    assert answers == [references[model].greedy(story[:length], 16) for length in PROMPT_TOKENS * 2]


def test_a_stream_says_the_same_piece_by_piece_and_ends_with_done(serving: Running, model: str) -> None:
    # Long, since what a busy server has not sent yet it joins to one piece.
    body = {"model": model, "prompt": STORY[:120], "temperature": 0, "max_tokens": 250}
    url = f"{serving.routes[model]}/completions"
    plain = httpx.post(url, json=body, timeout=60).json()

    answer = httpx.post(url, json=body | {"stream": True}, timeout=60)

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert events[-1] == "[DONE]"
    pieces = [json.loads(event)["choices"][0]["text"] for event in events[:-1]]
    assert len(pieces) > 3
    assert "".join(pieces) == plain["choices"][0]["text"]


def test_a_chat_streams_too(client: Any, model: str) -> None:
    messages = [{"role": "user", "content": "Say hello."}]

    pieces = client.chat.completions.create(model=model, messages=messages, temperature=0, stream=True)

    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == ANSWERS["Say hello."]


def test_each_model_lists_itself_at_its_own_address(client: Any, model: str) -> None:
    assert [listed.id for listed in client.models.list()] == [model]


def test_a_prompt_longer_than_the_context_is_refused_as_openai_does(client: Any, model: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(model=model, prompt=[5] * 600, max_tokens=8)

    error = json.loads(refused.value.response.text)["error"]
    assert "maximum context length is 512 tokens" in error["message"]
    assert error["code"] == 400


def test_another_models_name_is_not_found(client: Any, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "?"}])

    # vLLM's own words, on the throughput path; Ray's ingress has another form, {"detail": ...}. Clients go by the 404.
    assert "no-such-model" in refused.value.response.json()["error"]["message"]


def test_code_of_ones_own_answers_beside_the_models(serving: Running) -> None:
    answer = httpx.post(f"{serving.apps['briefs']}/answer", json={"text": "Say hello.", "temperature": 0}, timeout=120)

    assert answer.json()["text"] == ANSWERS["Say hello."]


def test_a_haproxy_that_is_replaced_has_as_long_as_a_request_may_take(everything: Served) -> None:
    commands = [command.split() for command in everything.commands("haproxy").values()]
    configs = {words[words.index("-f") + 1] for words in commands if words and Path(words[0]).name == "haproxy"}

    assert configs
    for config in configs:
        assert "hard-stop-after 600s" in Path(config).read_text()


def test_haproxy_listens_on_this_machine_alone(everything: Served) -> None:
    commands = everything.commands("haproxy").items()
    proxies = [process for process, line in commands if Path(line.partition(" ")[0]).name == "haproxy"]

    assert set().union(*map(listening, proxies)) == {LOOPBACK}


@pytest.mark.parametrize("plain", [False, True], ids=["streaming", "plain"])
def test_bench_measures_a_server_that_runs(serving: Running, workdir: Path, model: str, plain: bool) -> None:
    command = [sys.executable, "-m", "generator", "bench", "--url", serving.routes[model], "--json"]
    command += ["--tokenizer", str(workdir / "checkpoints" / model), "--concurrency", "4"]
    command += ["--prompt-tokens", "32", "--answer-tokens", "8", *(["--plain"] if plain else [])]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stderr
    (point,) = published("bench", done.stdout)["points"]
    assert (point["completed"], point["failed"]) == (32, 0)
    assert point["tokens_per_s"] == pytest.approx(8 * point["requests_per_s"], rel=0.01)
    assert (point["ttft_p50_ms"] is None) == plain
    assert 0 < point["answer_p50_ms"] <= point["answer_p99_ms"]
