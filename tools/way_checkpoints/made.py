"""The checkpoints by name, made once in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from tools import tiny_checkpoints
from tools.way_checkpoints import adapters, pooling, text, transcription, vision

# Adapters lie beside the base that they are learned on, which comes before them.
MAKERS: Mapping[str, Callable[[Path], float]] = {
    "chat": text.chat,
    "draft": text.draft,
    "mixture": text.mixture,
    "pirate": partial(adapters.adapter, name="pirate"),
    "poet": partial(adapters.adapter, name="poet"),
    "embedder": pooling.embedder,
    "reranker": pooling.reranker,
    "transcriber": transcription.transcriber,
    "viewer": vision.viewer,
}
SOURCES = (Path(tiny_checkpoints.__file__), *sorted(Path(__file__).parent.glob("*.py")))


def make(output: Path, names: Sequence[str]) -> Iterator[str]:
    """Make what is missing, or older than what makes it, under `output`; yields a progress line for every step."""
    stamp = hashlib.sha256(b"".join(file.read_bytes() for file in SOURCES)).hexdigest() + "\n"
    for name in names:
        yield from tiny_checkpoints.made_once(output / name, stamp, MAKERS[name])
