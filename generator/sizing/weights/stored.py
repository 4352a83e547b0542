"""A model's matrices as its checkpoint stores them. Takes them and the quantization, gives each with its format.

Layers that hold the same matrices in the same formats are one object: what is asked of them is computed once for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from generator.sizing.weights.decoder import ModelMatrices
from generator.sizing.weights.matrix import Matrix
from generator.sizing.weights.quantization import Format, Quantization

Stored = tuple[tuple[Matrix, Format | None], ...]
"""Matrices with their formats; without one they are in the model's own type."""


class StoredModel:
    def __init__(self, model: ModelMatrices, scheme: Quantization | None) -> None:
        self.matrices, self.scheme = model, scheme
        self.layers = list(self._layers())
        """By decoder layer, the same object for all that are alike."""
        self.first = self.stored(model.first, "model")
        self.embeddings = self.stored(model.embeddings, "model")
        self.last = self.stored(model.last, "model")

    def stored(self, matrices: Iterable[Matrix], prefix: str) -> Stored:
        """The matrices of a layer or part with the name `prefix` (such as model.layers.0)."""
        return tuple((matrix, self._format(matrix, prefix)) for matrix in matrices)

    def _layers(self) -> Iterator[Stored]:
        by_layer = self.scheme is not None and self.scheme.by_layer
        of_matrices: dict[int, Stored] = {}
        alike: dict[tuple[int, ...], Stored] = {}
        for index, matrices in enumerate(self.matrices.layers):
            if id(matrices) not in of_matrices or by_layer:
                layer = self.stored(matrices, f"model.layers.{index}")
                formats = (id(stored) for _, stored in layer)
                of_matrices[id(matrices)] = alike.setdefault((id(matrices), *formats), layer)
            yield of_matrices[id(matrices)]

    def _format(self, matrix: Matrix, prefix: str) -> Format | None:
        if self.scheme is None or not matrix.linear:
            return None
        return self.scheme.format_of(f"{prefix}.{matrix.name}" if matrix.name != "lm_head" else "lm_head")
