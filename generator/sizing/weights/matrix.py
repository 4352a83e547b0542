"""One matrix of a model, by the name that its checkpoint has for it, and how tensor parallelism divides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sharding = Literal["column", "row", "qkv", "expert", "vocab", "replicated"]
"""What tensor parallelism does with a matrix, as vLLM's layer classes are named (`model_executor/layers/linear.py`).

column: its outputs are divided (ColumnParallelLinear; also what is divided and is no linear layer, such as a tower).
row: its inputs are divided (RowParallelLinear). qkv: divided by key-value heads, or by groups, and repeated where there
are too few (keys and values of QKVParallelLinear; its queries are `column`). expert: by an expert's width, or by whole
experts (FusedMoE). vocab: by rows of the padded vocabulary (VocabParallelEmbedding). replicated: whole on every GPU
(ReplicatedLinear).
"""


@dataclass(frozen=True, kw_only=True)
class Matrix:
    name: str
    rows: int
    """Outputs."""
    columns: int
    """Inputs."""
    sharding: Sharding = "column"
    count: int = 1
    """Of experts."""
    heads: int = 0
    """Key-value heads, where `sharding` is qkv."""
    linear: bool = True
    """False: no linear layer, which quantization leaves as it is."""
    merged: int = 1
    """Matrices that vLLM keeps in this one, each with slots for adapters of its own."""
    width: int | None = None
    """Bytes of an entry where the type is fixed."""

    @property
    def is_row_parallel(self) -> bool:
        """Whether tensor parallelism divides its inputs, and so every GPU has all of its outputs."""
        return self.sharding == "row" or (self.sharding == "expert" and self.name.endswith("down_proj"))

    @property
    def parameters(self) -> int:
        return self.rows * self.columns * self.count
