"""A sound is transcribed, and the picture of a chat is seen: another one, another answer."""

from __future__ import annotations

import base64
import io

import openai
import pytest

from tools.way_checkpoints.transcription import SOUNDS, tone, wav
from tools.way_checkpoints.vision import COLOURS, QUESTION, picture

CHECKPOINTS = ("transcriber", "viewer")
MODELS = ("transcriber", "viewer")


@pytest.mark.parametrize("frequency", SOUNDS)
def test_a_sound_is_transcribed(clients: dict[str, openai.OpenAI], frequency: int) -> None:
    said = clients["transcriber"].audio.transcriptions.create(
        model="transcriber", file=("tone.wav", wav(tone(frequency))), language="en", temperature=0
    )

    assert said.text.strip() == SOUNDS[frequency]


@pytest.mark.parametrize("colour", COLOURS)
def test_the_picture_of_a_chat_is_seen(clients: dict[str, openai.OpenAI], colour: tuple[int, int, int]) -> None:
    file = io.BytesIO()
    picture(colour).save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": QUESTION}]

    said = clients["viewer"].chat.completions.create(
        model="viewer", messages=[{"role": "user", "content": parts}], max_tokens=32, temperature=0
    )

    assert said.choices[0].message.content == COLOURS[colour]
