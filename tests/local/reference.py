"""What transformers itself decodes from a checkpoint: the truth that the served model is held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLEAR = 1.0
"""Least distance of the best token's logit from the second best's. bfloat16 moves these logits by about 0.1, so that
two right implementations agree on every token that is so clear; below it they may differ, and both be right."""


@dataclass(frozen=True)
class Reference:
    network: Any
    tokenizer: Any

    @classmethod
    def load(cls, folder: Path) -> Reference:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        return cls(
            network=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16),
            tokenizer=AutoTokenizer.from_pretrained(folder),
        )

    def greedy(self, prompt: list[int], tokens: int) -> list[int]:
        """The token ids that follow, the end of text included. Fails where a choice was not clear."""
        import torch

        out = self.network.generate(
            torch.tensor([prompt]),
            max_new_tokens=tokens,
            do_sample=False,
            output_scores=True,
            return_dict_in_generate=True,
        )
        best = torch.stack([step[0].float().topk(2).values for step in out.scores])
        margin = (best[:, 0] - best[:, 1]).min().item()
        assert margin > CLEAR, f"this prompt decides nothing: two tokens are {margin:.2f} apart"
        return out.sequences[0][len(prompt) :].tolist()

    def chat_prompt(self, question: str) -> list[int]:
        return self.tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, return_dict=False
        )

    def text(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=True)
