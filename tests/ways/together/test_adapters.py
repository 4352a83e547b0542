"""LoRA adapters that every replica has from its start."""

from __future__ import annotations

import openai

from tests.ways.together.models import ADAPTERS
from tools.tiny_checkpoints import ANSWERS as BASE_ANSWERS
from tools.way_checkpoints.adapters import QUESTION

CHECKPOINTS = ("chat", *ADAPTERS)
MODELS = ("chat",)


def answer(client: openai.OpenAI, model: str) -> str:
    said = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], max_tokens=48, temperature=0
    )
    return said.choices[0].message.content or ""


def test_each_adapter_answers_as_peft_does_and_the_base_as_before(
    clients: dict[str, openai.OpenAI], adapted: dict[str, str]
) -> None:
    expected = {"chat": BASE_ANSWERS[QUESTION], **{f"chat:{name}": said for name, said in adapted.items()}}

    assert {name: answer(clients["chat"], name) for name in expected} == expected
    assert len(set(expected.values())) == 1 + len(ADAPTERS)


def test_adapters_are_listed_beside_their_base(clients: dict[str, openai.OpenAI]) -> None:
    assert {listed.id for listed in clients["chat"].models.list()} == {"chat", *(f"chat:{name}" for name in ADAPTERS)}
