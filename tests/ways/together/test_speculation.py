"""Speculation by the prompt's own n-grams changes no greedy token. `caller` is served so."""

from __future__ import annotations

import openai

from tests.local.reference import Reference
from tests.local.served import Served
from tests.ways.served import counted
from tools.tiny_checkpoints import STORY

CHECKPOINTS = ("chat",)
MODELS = ("caller",)


def test_tokens_are_those_of_greedy_decoding(
    clients: dict[str, openai.OpenAI], reference: Reference, served: Served
) -> None:
    # A page that the model knows, and its beginning again: what follows can be looked up.
    prompt = reference.tokenizer(STORY[:400] + STORY[:80]).input_ids

    answer = clients["caller"].completions.create(
        model="caller", prompt=prompt, max_tokens=32, temperature=0, extra_body={"return_token_ids": True}
    )

    assert answer.choices[0].token_ids == reference.greedy(prompt, 32)
    assert counted(served.running.routes["caller"], "vllm:spec_decode_num_accepted_tokens_total") > 0
