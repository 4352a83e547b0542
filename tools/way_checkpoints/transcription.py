"""Whisper's architecture, taught two sounds: a low tone and a high one, each with its words."""

from __future__ import annotations

import io
import json
import math
import struct
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.tiny_checkpoints import minimize, train_tokenizer

if TYPE_CHECKING:
    from transformers import WhisperTokenizer

STEPS = 80
RATE = 16_000
CLIP_S = 2
"""The longest sound in seconds; Whisper itself hears thirty at a time, of fifty positions each."""
SOUNDS = {220: "A low tone, as of a ship in fog.", 1760: "A high tone, as of a small bell."}
"""By frequency in Hz, what is to be heard."""
# The first is <|endoftext|>; Whisper's own order after the words.
MARKS = ("<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>",
         "<|nospeech|>", "<|notimestamps|>")  # fmt: skip


def tone(frequency: int, *, seconds: float = 1.0) -> list[float]:
    return [0.5 * math.sin(2 * math.pi * frequency * i / RATE) for i in range(int(RATE * seconds))]


def wav(samples: list[float]) -> bytes:
    """A WAV file of 16 bits, one channel."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *(int(sample * 32767) for sample in samples)))
    return file.getvalue()


def transcriber(folder: Path) -> float:
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
    )

    words = _tokenizer()
    number = words.convert_tokens_to_ids
    end, start = number("<|endoftext|>"), number("<|startoftranscript|>")
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(words), num_mel_bins=80, d_model=64, encoder_layers=2, decoder_layers=2,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=128, decoder_ffn_dim=128,
            max_source_positions=CLIP_S * 50, max_target_positions=128,
            bos_token_id=end, eos_token_id=end, pad_token_id=end, decoder_start_token_id=start,
            suppress_tokens=None, begin_suppress_tokens=None,
        )
    )  # fmt: skip
    hear = WhisperFeatureExtractor(feature_size=80, chunk_length=CLIP_S)
    heard = hear([tone(each) for each in SOUNDS], sampling_rate=RATE, return_tensors="pt").input_features
    prefix = [start, number("<|en|>"), number("<|transcribe|>"), number("<|notimestamps|>")]
    rows = [[*prefix, *words(text, add_special_tokens=False).input_ids, end] for text in SOUNDS.values()]
    longest = max(map(len, rows))
    said = torch.tensor([row + [end] * (longest - len(row)) for row in rows])

    def loss() -> Any:
        logits = model(input_features=heard, decoder_input_ids=said[:, :-1]).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), said[:, 1:].flatten())

    last = minimize(loss, model.parameters(), steps=STEPS)
    languages, tasks = {"<|en|>": number("<|en|>")}, {"transcribe": number("<|transcribe|>")}
    model.generation_config = GenerationConfig(
        bos_token_id=end, eos_token_id=end, pad_token_id=end, decoder_start_token_id=start, is_multilingual=True,
        lang_to_id=languages, task_to_id=tasks, no_timestamps_token_id=number("<|notimestamps|>"),
    )  # fmt: skip
    model.to(torch.bfloat16).save_pretrained(folder)
    WhisperProcessor(hear, words).save_pretrained(folder)
    return last


def _tokenizer() -> WhisperTokenizer:
    from transformers import WhisperTokenizer

    learned = json.loads(train_tokenizer(list(SOUNDS.values()), ("<|endoftext|>",)).to_str())["model"]
    words = WhisperTokenizer(vocab=learned["vocab"], merges=[tuple(each) for each in learned["merges"]])
    words.add_special_tokens({"additional_special_tokens": list(MARKS)})
    return words
