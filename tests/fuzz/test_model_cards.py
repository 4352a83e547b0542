"""The front matter of a model's README.md: `add` goes on whatever it holds, with a short license or none."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from generator.checkpoint.checkpoint import read_checkpoint
from tests.support.fuzzing import Record, fuzz
from tests.support.mutations import damaged, mutated
from tests.support.paths import CONFIGS
from tests.support.stored import QWEN

CARD = {
    "license": "other",
    "license_name": "falcon-llm-license",
    "language": ["en", "fr"],
    "base_model": "tiiuae/Falcon3-7B-Base",
    "model-index": [{"name": "x", "results": [{"task": {"type": "text-generation"}}]}],
}


def license_of(folder: Path, front: str) -> str | None:
    (folder / "README.md").write_bytes(f"---\n{front}\n---\n# A model\n".encode(errors="surrogatepass"))
    found = read_checkpoint(str(folder)).license
    assert found is None or 0 < len(found) <= 200
    return found


def test_a_card_never_ends_add(tmp_path: Path, record_property: Record) -> None:
    shutil.copy(CONFIGS / f"{QWEN}.json", tmp_path / "config.json")
    fronts = mutated([CARD]).map(lambda card: yaml.dump(card)) | damaged([yaml.dump(CARD)])

    def target(front: str) -> str:
        license_of(tmp_path, front)
        return ""

    fuzz(fronts, target, record=record_property, examples=100)
