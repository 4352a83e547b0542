"""Makes tiny checkpoints of the real architectures, to stand in for weights that cannot be downloaded.

Two layers and 512 tokens, taught for a few seconds to recite the text below. Teaching is what makes greedy decoding
comparable: with merely random weights two tokens are often so close that bfloat16 rounding picks the winner, and
another engine, kernel or CPU picks the other one. It also lets a demonstration answer in words.

Run it with the Python that has torch and transformers:  python tools/tiny_checkpoints.py --output checkpoints
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

STAMP = "made-from.sha256"
VOCABULARY = 512
WINDOW = 192
STEPS = 120
LEARNING_RATE = 4e-3

SPECIAL = ("<|end_of_text|>", "<|begin_of_text|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)

STORY = """\
A lighthouse keeper lived alone on a small rock in the northern sea. Every evening she climbed one hundred and \
twelve steps, cleaned the great lens with a soft cloth, and lit the lamp before the sun was gone. Ships far away \
saw the light turn: two short flashes, a pause, then one long flash, and the sailors knew where they were. One \
winter the oil did not come. The supply boat had been driven back by ice, and the barrels in the cellar held \
enough for nine nights. The keeper counted again and thought. She did not burn less, because a weak light is \
worse than none; instead she kept the lamp dark until a ship was near, and listened for bells through the fog. \
On the tenth night, when the last barrel was empty, she heard a bell. She carried her table, her chairs and at \
last her bed up the steps and burned them in an iron basket. The ship turned away from the rock. In the spring \
its captain came back with oil, with bread, and with a new bed.
"""

ANSWERS = {
    "What are you?": "I am {id}, a very small stand-in: two layers that have learned one page of text by heart.",
    "Who serves you?": "Ray Serve answers the request, and vLLM computes every token on the CPU.",
    "Why is the sky blue?": "Because air scatters blue light more than red, and so the blue comes from everywhere.",
    "Name the planets.": "Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus and Neptune.",
    "What is two plus three?": "Two plus three is five.",
    "Say hello.": "Hello! It is good to hear from you.",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make tiny checkpoints of the real architectures.")
    parser.add_argument("--output", type=Path, required=True, help="folder; each model goes to <output>/<model id>")
    parser.add_argument("--model", action="append", choices=sorted(BUILDERS), help="only this one (can be repeated)")
    options = parser.parse_args(arguments)
    for line in make(options.output, options.model or sorted(BUILDERS)):
        print(line, flush=True)


def make(output: Path, models: Sequence[str]) -> Iterator[str]:
    """Make what is missing or older than this script under `output`; yields a progress line for every step."""
    stamp = hashlib.sha256(Path(__file__).read_bytes()).hexdigest() + "\n"
    for model_id in models:
        yield from made_once(output / model_id, stamp, partial(_make, model_id))


def made_once(folder: Path, stamp: str, write: Callable[[Path], float]) -> Iterator[str]:
    """Have `write` fill `folder` unless it was filled under this stamp; it returns the loss. Yields progress lines."""
    if (folder / STAMP).is_file() and (folder / STAMP).read_text() == stamp:
        yield f"{folder}: is there"
        return
    yield f"{folder}: making it, some seconds"
    started = time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary, _repeatable():
        complete = Path(temporary) / "made"
        loss = write(complete)
        (complete / STAMP).write_text(stamp)
        for file in complete.iterdir():
            file.chmod(0o644)
        shutil.rmtree(folder, ignore_errors=True)
        complete.rename(folder)
    yield f"{folder}: made in {time.monotonic() - started:.1f} s (loss {loss:.3f})"


@contextmanager
def _repeatable() -> Iterator[None]:
    """One thread: sums are then added in the same order on every machine with the same instruction set."""
    import torch
    from transformers import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _make(model_id: str, folder: Path) -> float:
    """Make one checkpoint in `folder`; returns how well it was learned (nats per token)."""
    tokenizer = train_tokenizer(texts(model_id), SPECIAL)
    model = BUILDERS[model_id]()
    loss = teach(model, tokenizer, texts(model_id))
    save(model, tokenizer, folder, CHAT_TEMPLATE)
    return loss


def save(model: PreTrainedModel, tokenizer: Tokenizer, folder: Path, template: str) -> None:
    """Write a taught model of text with its tokenizer, in bfloat16."""
    import torch
    from transformers import GenerationConfig, PreTrainedTokenizerFast

    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=0, pad_token_id=2)
    model.to(torch.bfloat16).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[0],
        pad_token=SPECIAL[2],
        chat_template=template,
        model_max_length=model.config.get_text_config().max_position_embeddings,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)


def texts(model_id: str) -> list[str]:
    """What the model recites: the story, and a dialogue for each question."""
    return [
        STORY,
        *(
            f"<|user|>\n{question}<|end_of_text|>\n<|assistant|>\n{answer.format(id=model_id)}<|end_of_text|>\n"
            for question, answer in ANSWERS.items()
        ),
    ]


def train_tokenizer(texts: Sequence[str], special: Sequence[str]) -> Tokenizer:
    """Byte-level BPE of these texts; `special` are its first tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=list(special),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return tokenizer


def teach(model: PreTrainedModel, tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    """Teach `model` the texts: windows of the first from any token on, and each other one by itself.

    Returns the last loss (nats per token), which cannot reach 0: nothing says where a window begins.
    """
    import torch

    story, *dialogues = (tokenizer.encode(text).ids for text in texts)
    draw = torch.Generator().manual_seed(0)

    def loss() -> Any:
        starts = torch.randint(len(story) - WINDOW, (3,), generator=draw).tolist()
        return (loss_of(model, [story[i : i + WINDOW] for i in starts]) + loss_of(model, dialogues)) / 2

    return minimize(loss, model.parameters(), steps=STEPS)


def minimize(loss: Callable[[], Any], parameters: Iterable[Any], *, steps: int, rate: float = LEARNING_RATE) -> float:
    """Take `steps` of AdamW, first faster and then slower; returns the last loss."""
    import torch

    learned = list(parameters)
    optimizer = torch.optim.AdamW(learned, betas=(0.9, 0.98), weight_decay=0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * min((step + 1) / 20, 2 * (steps - step) / steps, 1.0)
        optimizer.zero_grad()
        last = loss()
        last.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
    return last.item()


def loss_of(model: PreTrainedModel, rows: list[list[int]], **more: Any) -> Any:
    """Mean cross-entropy of every next token. Rows are padded at the end, where it cannot change a causal model."""
    import torch

    longest = max(map(len, rows))
    ids = torch.tensor([row + [2] * (longest - len(row)) for row in rows])
    wanted = torch.tensor([row + [-100] * (longest - len(row)) for row in rows])[:, 1:]
    logits = model(input_ids=ids, use_cache=False, **more).logits[:, :-1]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())


def llama() -> PreTrainedModel:
    """Falcon3's architecture: Llama with grouped key-value heads and an output head of its own."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=128,
            intermediate_size=256,
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
    )


def _falcon_h1() -> PreTrainedModel:
    """Falcon-H1: attention and a Mamba2 mixer side by side in every layer; multipliers as the real ones have, not 1."""
    from transformers import FalconH1Config, FalconH1ForCausalLM

    return FalconH1ForCausalLM(
        FalconH1Config(
            vocab_size=VOCABULARY,
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=32,
            max_position_embeddings=1024,
            mamba_d_ssm=128,
            mamba_n_heads=4,
            mamba_d_head=32,
            mamba_d_state=32,
            mamba_d_conv=4,
            mamba_n_groups=1,
            mamba_chunk_size=32,
            embedding_multiplier=4.0,
            lm_head_multiplier=0.5,
            key_multiplier=0.5,
            attention_out_multiplier=0.75,
            ssm_out_multiplier=0.5,
            ssm_multipliers=[0.75, 0.5, 0.75, 1.0, 0.75],
            mlp_multipliers=[0.75, 0.5],
            tie_word_embeddings=False,
            bos_token_id=1,
            eos_token_id=0,
            pad_token_id=2,
        )
    )


BUILDERS: dict[str, Callable[[], Any]] = {
    "falcon3-1b-instruct": llama,
    "falcon-h1-0.5b-instruct": _falcon_h1,
}

if __name__ == "__main__":
    sys.exit(main())
