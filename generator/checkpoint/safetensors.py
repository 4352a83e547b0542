"""The tensors of a safetensors file, by name, with their types and sizes. Takes the path; weights stay unread.

Such a file begins with the length of its header and the header itself, which names every tensor: a few kilobytes tell
parameters and bytes to the last one.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.errors import UserError

SAFETENSORS_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
"""What a safetensors header calls the types that models are made in."""

_DTYPE = re.compile(r"[A-Z][A-Z0-9_]*")
_MOST = 2**63 - 1
_MAX_HEADER = 100_000_000  # bytes; the format's own limit
_AGAIN = "Copy or download the file again."


@dataclass(frozen=True, kw_only=True)
class Tensor:
    dtype: str
    """In the header's words, such as BF16."""
    elements: int
    bytes: int

    @classmethod
    def of(cls, dtype: Any, shape: Any, data_offsets: Any) -> Tensor:
        """Return the tensor that a header describes. Raises ValueError where it describes none."""
        if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
            raise ValueError("dtype")
        if not (_are_sizes(shape) and _are_sizes(data_offsets) and len(data_offsets) == 2):
            raise ValueError("sizes")
        start, end = data_offsets
        if end < start:
            raise ValueError("data_offsets")
        return cls(dtype=dtype, elements=_product(shape), bytes=end - start)


def _are_sizes(numbers: Any) -> bool:
    """Whole numbers, and none that is beyond any file."""
    return isinstance(numbers, (list, tuple)) and all(type(n) is int and 0 <= n <= _MOST for n in numbers)


def _product(shape: Sequence[int]) -> int:
    """Elements of a tensor. Stops where they are beyond any file: a header of 1 kB could fill the memory otherwise."""
    elements = 0 if 0 in shape else 1
    for size in shape:
        elements *= size
        if elements > _MOST:
            raise ValueError("shape")
    return elements


def read_header(path: Path) -> dict[str, Tensor]:
    """Return a local file's tensors. Raises UserError where the file is no safetensors file, or not whole."""
    header, begin, size = _header(path)
    where = str(path)
    try:
        header.pop("__metadata__", None)
        tensors = {key: Tensor.of(item["dtype"], item["shape"], item["data_offsets"]) for key, item in header.items()}
        end = begin + max((item["data_offsets"][1] for item in header.values()), default=0)
    except (AttributeError, KeyError, TypeError, ValueError):
        what = "no safetensors file: its header does not say the dtype, shape and offsets of every tensor"
        raise UserError(what, where=where, fix=_AGAIN) from None
    if end > size:
        raise UserError(f"cut off: {size:,} of {end:,} bytes are there", where=where, fix=_AGAIN)
    return tensors


def _header(path: Path) -> tuple[Any, int, int]:
    """The header as JSON, where the tensors begin, and the file's size (bytes)."""
    where = str(path)
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # opening a pipe would wait for its other end
            raise UserError("is no file", where=where, fix=_AGAIN)
        size = about.st_size
        with path.open("rb") as file:
            start = file.read(8)
            if start == b"version ":
                raise UserError("a Git LFS pointer, not the weights", where=where, fix="Run: git lfs pull")
            length = int.from_bytes(start, "little")
            if length > min(size - 8, _MAX_HEADER):
                raise UserError("cut off: its safetensors header is not whole", where=where, fix=_AGAIN)
            return json.loads(file.read(length)), 8 + length, size
    except OSError as error:
        fix = "Check that it is there and that you may read it."
        raise UserError(f"cannot be read: {error.strerror}", where=where, fix=fix) from None
    except (ValueError, RecursionError):
        raise UserError("no safetensors file: its header is not JSON", where=where, fix=_AGAIN) from None


def bytes_by_dtype(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the bytes of each dtype, most first."""
    bytes_by_dtype: dict[str, int] = {}
    for tensor in tensors.values():
        bytes_by_dtype[tensor.dtype] = bytes_by_dtype.get(tensor.dtype, 0) + tensor.bytes
    return {dtype: size for dtype, size in sorted(bytes_by_dtype.items(), key=lambda item: (-item[1], item[0])) if size}
