"""A small draft model guesses what a larger one then checks: the tokens are those of greedy decoding."""

from __future__ import annotations

from tests.local.reference import Reference
from tests.ways.alone.test_parallel import PROMPTS, tokens
from tests.ways.conftest import Server
from tests.ways.served import counted, text_config
from tools.tiny_checkpoints import STORY

CHECKPOINTS = ("chat", "draft")
DRAFT = {"method": "draft_model", "model": "checkpoints/draft", "num_speculative_tokens": 3}


def test_tokens_are_those_of_greedy_decoding(server: Server, reference: Reference) -> None:
    llm_config = {**text_config("chat", speculative_config=DRAFT), "log_engine_metrics": False}
    served = server.get({"models": {"chat": {"family": "ways", "llmConfig": llm_config}}})

    story = reference.tokenizer(STORY).input_ids
    said = [tokens(served.running.routes["chat"], "chat", story[:length]) for length in PROMPTS]

    assert said == [reference.greedy(story[:length], 32) for length in PROMPTS]
    assert counted(served.running.routes["chat"], "vllm:spec_decode_num_accepted_tokens_total") > 0
