"""What `fit` predicts for a row, and how far it is from what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from generator.facts.gpus import Device
from generator.sizing.fit import MemoryFit, fit
from generator.sizing.weights.feed_forward import experts_of
from generator.units import GIB

from .rows import Row, logged_rows

_ROUNDED = 0.006
"""Logs tell hundredths of a GiB."""


@dataclass(frozen=True)
class Prediction:
    row: Row
    memory: MemoryFit
    device_known: bool

    @property
    def budget_known(self) -> bool:
        """Whether the row tells the memory that vLLM was given."""
        return self.device_known and self.row.number("gpu_memory_utilization") is not None

    @cached_property
    def figures(self) -> dict[str, float]:
        """What is predicted, by the names of `Row.measured`; only what the row tells enough for."""
        figures = {"weights": self.memory.weights_gib}
        measured, layout, context = self.row.measured, self.memory.layout, self.memory.context
        if self.budget_known:
            kv = max(0.0, self.memory.expected_kv_gib) * GIB
            figures |= {"kv cache": self.memory.expected_kv_gib, "tokens": layout.tokens(kv, context)}
            figures["concurrency"] = layout.concurrency(kv, context)
        if (cache := measured["kv cache"]) and cache > 0:
            figures["tokens by measured cache"] = layout.tokens(cache * GIB, context)
        return figures

    def error(self, figure: str, value: float | None = None) -> float | None:
        """Relative error of a figure (of `value` in its place, where given); None where it was not measured."""
        measured = self.row.measured.get(figure.removesuffix(" by measured cache"))
        predicted = self.figures.get(figure) if value is None else value
        if not measured or measured <= 0 or predicted is None:
            return None
        return predicted / measured - 1

    def inside(self, figure: str) -> bool | None:
        """Whether the measured figure lies in the range that `fit` prints; None where it was not measured."""
        measured = self.row.measured[figure]
        if not measured or measured <= 0 or (figure == "kv cache" and not self.budget_known):
            return None
        printed = self.memory.ranges[figure.replace(" ", "_")]
        return printed.low - _ROUNDED <= measured <= printed.high + _ROUNDED

    def kaito(self) -> float:
        """The cache that KAITO's rule leaves. Source: kaito-project/kaito pkg/workspace/estimator/budget.go."""
        weights = self.memory.weights_gib
        return self.memory.usable_gib - 1.02 * weights - 2.3 - 0.05 * weights

    def llm_d(self) -> float:
        """The cache that llm-d's constants leave (llm-d-incubation/llm-d-planner src/planner/capacity_planner.py)."""
        activation = 8.0 if experts_of(self.row.model.config) else 5.5
        by_architecture = {"LlamaForCausalLM": 4.8, "Qwen2ForCausalLM": 5.6, "Qwen3ForCausalLM": 5.6}
        by_architecture |= {"PixtralForConditionalGeneration": 2.5, "Mistral3ForConditionalGeneration": 2.5}
        activation = by_architecture.get(self.row.model.config.architecture, activation)
        return (
            self.memory.usable_gib - self.memory.weights_gib - activation - (0.15 if self.row.split.gpus == 1 else 0.6)
        )


def predictions() -> list[Prediction]:
    """Every row whose model's configuration is there, predicted."""
    predicted = []
    for row in logged_rows():
        device = row.device
        stand_in = device or Device(name=row.gpu, memory_gib=1024.0)
        memory = fit(row.model, device=stand_in, split=row.split, engine=row.engine)
        predicted.append(Prediction(row, memory, device is not None))
    return predicted
