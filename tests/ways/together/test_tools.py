"""Tool calls and reasoning arrive parsed. The model recites a thought in DeepSeek's form and a call in Hermes'."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tools.way_checkpoints.text import CONCLUSION, REASONING, RIDDLE, WEATHER

CHECKPOINTS = ("chat",)
MODELS = ("caller",)
GET_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def chat(client: openai.OpenAI, question: str, **more: Any) -> Any:
    messages = [{"role": "user", "content": question}]
    return client.chat.completions.create(model="caller", messages=messages, temperature=0, max_tokens=64, **more)


def test_a_tool_call_arrives_parsed(clients: dict[str, openai.OpenAI]) -> None:
    choice = chat(clients["caller"], WEATHER, tools=[GET_WEATHER]).choices[0]

    (call,) = choice.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    assert choice.finish_reason == "tool_calls"
    assert not (choice.message.content or "").strip()


def test_a_streamed_tool_call_arrives_in_pieces_of_the_same(clients: dict[str, openai.OpenAI]) -> None:
    pieces = chat(clients["caller"], WEATHER, tools=[GET_WEATHER], stream=True)

    calls = [call for piece in pieces for choice in piece.choices for call in choice.delta.tool_calls or []]
    names = [call.function.name for call in calls if call.function.name]
    arguments = "".join(call.function.arguments or "" for call in calls)
    assert (names, json.loads(arguments)) == (["get_weather"], {"city": "Paris"})


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_is_apart_from_the_answer(clients: dict[str, openai.OpenAI], stream: bool) -> None:
    answer = chat(clients["caller"], RIDDLE, stream=stream)

    said = [choice.delta for piece in answer for choice in piece.choices] if stream else [answer.choices[0].message]
    assert "".join(getattr(each, "reasoning", None) or "" for each in said) == REASONING
    assert "".join(each.content or "" for each in said) == CONCLUSION
