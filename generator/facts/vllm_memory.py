"""What one vLLM version takes besides weights and cache: `data/memory.yaml`, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from generator.facts.files import as_of, read_data


@dataclass(frozen=True, kw_only=True)
class Range:
    """An estimate with the range in which the truth lies."""

    estimate: float
    low: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Range:
        return cls(estimate=value, low=value, high=value)

    @classmethod
    def about(cls, value: float, spread: float) -> Range:
        """`value`, and `spread` to either side, not below 0."""
        return cls(estimate=value, low=max(0.0, value - spread), high=value + spread)

    def __add__(self, other: Range) -> Range:
        return Range(estimate=self.estimate + other.estimate, low=self.low + other.low, high=self.high + other.high)

    def map(self, change: Any) -> Range:
        """Each of the three, changed by a function that grows with its argument."""
        return Range(estimate=change(self.estimate), low=change(self.low), high=change(self.high))


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What vLLM takes where nothing is asked for."""

    batched_tokens: int
    sequences: int


@dataclass(frozen=True, kw_only=True)
class MemoryBehaviour:
    """The fields are the data file's words, which says what they mean and what each rests on."""

    utilization: float
    sampler_bytes: Range
    non_torch: dict[str, dict[int, float]]
    expert_buffers_stay: bool
    graphs_subtracted: bool
    whole_prompts: bool
    tokens_of_use: bool
    defaults: tuple[dict[str, Any], ...]

    def non_torch_gib(self, gpus: int, *, nvlink: bool) -> Range:
        """Memory outside PyTorch on one of `gpus` GPUs of a replica (GiB)."""
        table = self.non_torch["nvlink" if nvlink else "pcie"]
        nearest = max(n for n in table if n <= gpus)
        return Range.about(table[nearest], self.non_torch["spread"][nearest])

    def defaults_on(self, gpu_gib: float, gpu_name: str) -> Defaults:
        """max_num_batched_tokens and max_num_seqs of an API server on a GPU with `gpu_gib`."""
        for row in self.defaults:
            if gpu_gib >= row["gib"] and not (row.get("notA100") and "A100" in gpu_name.upper()):
                return Defaults(batched_tokens=row["tokens"], sequences=row["sequences"])
        raise AssertionError("the last row of `defaults` holds for every GPU")


@cache
def memory_behaviour(vllm: str) -> MemoryBehaviour:
    """What vLLM `vllm` takes."""
    row = as_of(vllm, read_data("memory.yaml")["versions"])
    return MemoryBehaviour(
        utilization=row["utilization"],
        sampler_bytes=Range(**row["samplerBytes"]),
        non_torch=row["nonTorch"],
        expert_buffers_stay=row["expertBuffersStay"],
        graphs_subtracted=row["graphsSubtracted"],
        whole_prompts=row["wholePrompts"],
        tokens_of_use=row["tokensOfUse"],
        defaults=tuple(row["defaults"]),
    )
