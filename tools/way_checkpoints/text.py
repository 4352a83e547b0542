"""Models of text: one that also calls a tool and reasons, a draft for it, and a mixture of experts. One tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tools.tiny_checkpoints import CHAT_TEMPLATE, SPECIAL, VOCABULARY, llama, save, teach, train_tokenizer
from tools.tiny_checkpoints import texts as tiny_texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

# Reasoning parsers look these up in the vocabulary.
MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>")

WEATHER = "What is the weather in Paris?"
WISH = "They want the weather, and I have a tool for it."
TOOL_CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'
"""As Hermes' models write one, and Qwen's. The model knows it by heart, as it does its other answers."""
RIDDLE = "What is six minus four?"
REASONING, CONCLUSION = "From six I take four, and two are left.", "It is two."


def dialogue(question: str, answer: str) -> str:
    return f"<|user|>\n{question}<|end_of_text|>\n<|assistant|>\n{answer}<|end_of_text|>\n"


def texts() -> list[str]:
    return [
        *tiny_texts("chat"),
        dialogue(WEATHER, f"<think>{WISH}</think>{TOOL_CALL}"),
        dialogue(RIDDLE, f"<think>{REASONING}</think>{CONCLUSION}"),
    ]


def tokenizer() -> Tokenizer:
    """The marks are part of the text, as in real models: parsers read them there, special tokens they never see."""
    from tokenizers import Tokenizer

    learned = json.loads(train_tokenizer(texts(), (*SPECIAL, *MARKS)).to_str())
    for token in learned["added_tokens"]:
        token["special"] = token["content"] not in MARKS
    return Tokenizer.from_str(json.dumps(learned))


def chat(folder: Path) -> float:
    """Llama's architecture: grouped key-value heads, four of attention, so that two processes can share them."""
    return _write(llama(), folder)


def draft(folder: Path) -> float:
    """The same with one layer of half the width: it guesses what `chat` would say."""
    from transformers import LlamaConfig, LlamaForCausalLM

    whole = llama().config
    half = LlamaConfig(**{**whole.to_dict(), "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1})
    return _write(LlamaForCausalLM(half), folder)


def mixture(folder: Path) -> float:
    """Qwen3's mixture: four experts in each layer, two for each token."""
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    config = Qwen3MoeConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        moe_intermediate_size=128,
        num_experts=4,
        num_experts_per_tok=2,
        norm_topk_prob=True,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=0,
        pad_token_id=2,
    )
    return _write(Qwen3MoeForCausalLM(config), folder)


def _write(model: PreTrainedModel, folder: Path) -> float:
    words = tokenizer()
    loss = teach(model, words, texts())
    save(model, words, folder, CHAT_TEMPLATE)
    return loss
