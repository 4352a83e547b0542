"""Headers of weight files, as `add` and `fit` read them."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from generator.checkpoint.safetensors import bytes_by_dtype, read_header
from tests.support.fuzzing import Record, fuzz, refusal_of, refused_by_command
from tests.support.mutations import VALUES, damaged, mutated
from tests.support.paths import CONFIGS, ROOT
from tests.support.stored import QWEN

HEADER: Mapping[str, Any] = {
    "__metadata__": {"format": "pt"},
    "model.embed_tokens.weight": {"dtype": "BF16", "shape": [32, 8], "data_offsets": [0, 512]},
    "model.norm.weight": {"dtype": "F32", "shape": [8], "data_offsets": [512, 544]},
    "model.layers.0.mlp.up_proj.qweight": {"dtype": "I32", "shape": [4, 4], "data_offsets": [544, 608]},
}


def refusal(folder: Path, header: bytes, length: int | None = None) -> str:
    """Of a file with this header, and the bytes that the unchanged one asks for."""
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + bytes(608))
    return refusal_of(lambda: bytes_by_dtype(read_header(path)))


def test_a_header_is_taken_or_refused(tmp_path: Path, record_property: Record) -> None:
    inputs = mutated([HEADER])
    fuzz(inputs, lambda header: refusal(tmp_path, json.dumps(header).encode()), record=record_property)


def test_a_header_with_one_odd_field_is_taken_or_refused(tmp_path: Path, record_property: Record) -> None:
    """All else is right, so that each check of a field is reached."""
    odd = VALUES | st.lists(VALUES, max_size=3)
    fields = st.sampled_from(["dtype", "shape", "data_offsets"])
    inputs = st.builds(lambda field, value: {"a": {**HEADER["model.norm.weight"], field: value}}, fields, odd)
    fuzz(inputs, lambda header: refusal(tmp_path, json.dumps(header).encode()), record=record_property)


def test_a_header_of_other_bytes_is_taken_or_refused(tmp_path: Path, record_property: Record) -> None:
    lengths = st.none() | st.sampled_from([0, 1, 7, 10**8, 10**8 + 1, 2**63, 2**64 - 1]) | st.integers(0, 1000)
    inputs = st.tuples(damaged([json.dumps(HEADER)]).map(lambda text: text.encode(errors="surrogatepass")), lengths)
    fuzz(inputs, lambda given: refusal(tmp_path, *given), record=record_property)


@pytest.mark.parametrize(
    "changed",
    [
        {"dtype": "bf16"},
        {"dtype": 5},
        {"dtype": ""},
        {"dtype": "BF16\n"},
        {"shape": [1.5, 2]},
        {"shape": [-8, 8]},
        {"shape": [True]},
        {"shape": ["a" * 1000, 100_000_000]},
        {"shape": [[1] * 1000, 10**9]},
        {"shape": [10**4000] * 200},
        {"shape": [2**40] * 10_000},
        {"shape": 8},
        {"data_offsets": [128, 0]},
        {"data_offsets": [0, 127.5]},
        {"data_offsets": [0, 1, 2]},
        {"data_offsets": [0, float("nan")]},
    ],
)
def test_what_describes_no_tensor_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    tensor = {**HEADER["model.norm.weight"], **changed}
    assert "does not say the dtype, shape and offsets" in refusal(tmp_path, json.dumps({"a": tensor}).encode())


def test_a_folder_with_such_a_file_is_refused(tmp_path: Path) -> None:
    shutil.copy(CONFIGS / f"{QWEN}.json", tmp_path / "config.json")
    refusal(tmp_path, json.dumps({"a": {"dtype": "BF16", "shape": [10**400], "data_offsets": [0, 8]}}).encode())
    for command in ("fit", "add"):
        assert "model.safetensors: no safetensors file" in refused_by_command(command, tmp_path, folder=ROOT)
