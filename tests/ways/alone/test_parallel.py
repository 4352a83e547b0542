"""One model by several processes: the tokens are those of one."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.local.reference import Reference
from tests.ways.conftest import Server
from tests.ways.served import text_config
from tools.tiny_checkpoints import STORY

CHECKPOINTS = ("chat", "mixture")
PROMPTS = (24, 60, 140)


def tokens(url: str, model: str, prompt: list[int]) -> list[int]:
    body = {"model": model, "prompt": prompt, "max_tokens": 32, "temperature": 0, "return_token_ids": True}
    answer = httpx.post(f"{url}/completions", json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["token_ids"]


def test_two_tensor_parallel_processes_say_what_one_says(server: Server, reference: Reference) -> None:
    llm_config = text_config("chat", tensor_parallel_size=2)
    served = server.get({"models": {"chat": {"family": "ways", "llmConfig": llm_config}}})

    story = reference.tokenizer(STORY).input_ids
    said = [tokens(served.running.routes["chat"], "chat", story[:length]) for length in PROMPTS]

    assert said == [reference.greedy(story[:length], 32) for length in PROMPTS]
    assert served.logged("tensor_parallel_size=2") > 0


def test_two_ranks_of_a_mixture_say_what_one_engine_says(server: Server, workdir: Path) -> None:
    llm_config = text_config("mixture", data_parallel_size=2)
    reference = Reference.load(workdir / "checkpoints" / "mixture")
    served = server.get({"models": {"mixture": {"family": "ways", "llmConfig": llm_config}}})

    story = reference.tokenizer(STORY).input_ids
    url = served.running.routes["mixture"]
    said = [tokens(url, "mixture", story[:length]) for length in PROMPTS * 2]

    assert said == [reference.greedy(story[:length], 32) for length in PROMPTS * 2]
