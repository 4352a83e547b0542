"""One matrix of a model, by the name that its checkpoint has for it, and how tensor parallelism divides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Share = Literal["tensor", "key_value", "expert", "vocabulary", "whole"]
"""What tensor parallelism does with a module: divide it, divide it by key-value heads, by experts, or repeat it."""


# The ends of the names of matrices whose inputs are divided.
_ROW_PARALLEL = ("o_proj", "out_proj", "down_proj", "wo_b")


@dataclass(frozen=True, kw_only=True)
class Module:
    name: str
    rows: int
    """Outputs."""
    columns: int
    """Inputs."""
    share: Share = "tensor"
    count: int = 1
    """Of experts."""
    heads: int = 0
    """Key-value heads, where `share` is key_value."""
    linear: bool = True
    """False: no linear layer, which quantization leaves as it is."""
    merged: int = 1
    """Matrices that vLLM keeps in this one, each with slots for adapters of its own."""
    width: int | None = None
    """Bytes of an entry where the type is fixed."""

    @property
    def is_row_parallel(self) -> bool:
        """Whether tensor parallelism divides its inputs, and so every GPU has all of its outputs."""
        return self.name.endswith(_ROW_PARALLEL)

    @property
    def parameters(self) -> int:
        return self.rows * self.columns * self.count
