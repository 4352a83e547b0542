"""LoRA adapters of `chat`, made by peft: each answers one question otherwise than the base."""

from __future__ import annotations

from pathlib import Path

from tools.tiny_checkpoints import loss_of, minimize
from tools.way_checkpoints.text import dialogue

RANK = 8
STEPS = 60
QUESTION = "Say hello."
ANSWERS = {"pirate": "Ahoy, matey! What brings you to these waters?", "poet": "Good day, dear soul, I greet the sun."}


def adapter(folder: Path, *, name: str) -> float:
    """Learned on the base that lies beside `folder`'s own parent; it begins where the base is."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = folder.parents[1] / "chat"
    words = AutoTokenizer.from_pretrained(base)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        LoraConfig(r=RANK, lora_alpha=4 * RANK, target_modules=["q_proj", "v_proj", "up_proj", "down_proj"]),
    )
    row = words(dialogue(QUESTION, ANSWERS[name])).input_ids
    learned = [each for each in model.parameters() if each.requires_grad]
    loss = minimize(lambda: loss_of(model, [row]), learned, steps=STEPS)
    model.save_pretrained(folder)
    return loss
