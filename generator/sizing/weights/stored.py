"""A model's matrices as its checkpoint stores them. Takes modules and the quantization, gives each with its format.

Layers that hold the same matrices in the same formats are one object: what is asked of them is computed once for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from generator.sizing.weights.decoder import ModelModules
from generator.sizing.weights.matrix import Module
from generator.sizing.weights.quantization import Format, Quantization

Stored = tuple[tuple[Module, Format | None], ...]
"""Modules with their formats; without one they are in the model's own type."""


class StoredModel:
    def __init__(self, model: ModelModules, scheme: Quantization | None) -> None:
        self.modules, self.scheme = model, scheme
        self.layers = list(self._layers())
        """By decoder layer, the same object for all that are alike."""
        self.first = self.stored(model.first, "model")
        self.embeddings = self.stored(model.embeddings, "model")
        self.last = self.stored(model.last, "model")

    def stored(self, modules: Iterable[Module], prefix: str) -> Stored:
        """The modules of a layer or part with the name `prefix` (such as model.layers.0)."""
        return tuple((module, self._format(module, prefix)) for module in modules)

    def _layers(self) -> Iterator[Stored]:
        by_layer = self.scheme is not None and self.scheme.by_layer
        of_modules: dict[int, Stored] = {}
        alike: dict[tuple[int, ...], Stored] = {}
        for index, modules in enumerate(self.modules.layers):
            if id(modules) not in of_modules or by_layer:
                layer = self.stored(modules, f"model.layers.{index}")
                formats = (id(stored) for _, stored in layer)
                of_modules[id(modules)] = alike.setdefault((id(modules), *formats), layer)
            yield of_modules[id(modules)]

    def _format(self, module: Module, prefix: str) -> Format | None:
        if self.scheme is None or not module.linear:
            return None
        return self.scheme.format_of(f"{prefix}.{module.name}" if module.name != "lm_head" else "lm_head")
