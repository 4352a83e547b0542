"""One model by several processes: the tokens are those of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.local.reference import Reference
from tests.ways.conftest import Server
from tests.ways.served import replicas_of, text_config
from tools.tiny_checkpoints import STORY

CHECKPOINTS = ("chat", "mixture")
PROMPTS = (24, 60, 140)


def answer(url: str, model: str, prompt: list[int]) -> Any:
    body = {"model": model, "prompt": prompt, "max_tokens": 32, "temperature": 0, "return_token_ids": True}
    done = httpx.post(f"{url}/completions", json=body, timeout=120)
    assert done.status_code == 200, done.text
    return done.json()


def tokens(url: str, model: str, prompt: list[int]) -> list[int]:
    return answer(url, model, prompt)["choices"][0]["token_ids"]


def test_two_tensor_parallel_processes_say_what_one_says(server: Server, reference: Reference) -> None:
    llm_config = text_config("chat", tensor_parallel_size=2)
    served = server.get({"models": {"chat": {"family": "ways", "llmConfig": llm_config}}})

    story = reference.tokenizer(STORY).input_ids
    said = [tokens(served.running.routes["chat"], "chat", story[:length]) for length in PROMPTS]

    assert said == [reference.greedy(story[:length], 32) for length in PROMPTS]
    assert len(served.commands("VLLM::Worker")) == 2


def test_two_ranks_of_a_mixture_say_what_one_engine_says(server: Server, workdir: Path) -> None:
    llm_config = text_config("mixture", dtype="float32", data_parallel_size=2, enable_log_requests=True)
    reference = Reference.load(workdir / "checkpoints" / "mixture")
    served = server.get({"models": {"mixture": {"family": "ways", "llmConfig": llm_config}}})

    story = reference.tokenizer(STORY).input_ids
    url = served.running.routes["mixture"]
    answers = [answer(url, "mixture", story[:length]) for length in PROMPTS * 2]

    said = [each["choices"][0]["token_ids"] for each in answers]
    assert said == [reference.greedy(story[:length], 32) for length in PROMPTS * 2]
    went = set().union(*replicas_of(served, [each["id"] for each in answers]))
    assert len(went) == 2, "one rank had all, so nothing is shown"
