"""The constants of memory.yaml: refitted without a model's own rows, and which of them have few models behind them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from generator.facts.files import read_data, version
from generator.facts.vllm_memory import memory_behaviour
from generator.units import GIB

from .predictions import Prediction
from .rows import CURRENT

ENOUGH_MODELS = 3
TELLING = (CURRENT, "before 0.10")
"""Scopes whose rows tell the memory outside PyTorch."""


class NonTorch(NamedTuple):
    """Which constant of the memory outside PyTorch a row takes: by the table for NVLink, which has every entry."""

    nvlink: bool
    gpus: int
    gib: float

    @classmethod
    def of(cls, prediction: Prediction) -> NonTorch:
        table = memory_behaviour(prediction.row.vllm).non_torch["nvlink"]
        device = prediction.row.device
        gpus = max(count for count in table if count <= prediction.row.split.gpus)
        return cls(nvlink=bool(device and device.nvlink), gpus=gpus, gib=table[gpus])


def left_out(all_of_them: Sequence[Prediction]) -> dict[int, float]:
    """The cache of each row (GiB, by its place), the sampler's and non-torch constants refitted without its model."""
    places = {place: p for place, p in enumerate(all_of_them) if p.row.scope == CURRENT and p.budget_known}
    return {
        place: _cache_gib(p, [other for other in places.values() if other.row.name != p.row.name])
        for place, p in places.items()
    }


def _cache_gib(prediction: Prediction, others: Iterable[Prediction]) -> float:
    """The cache with constants from the logs of other models."""
    others = [p for p in others if _sampler(p) == _sampler(prediction)]
    shift = _median(_sampler_shift(p) for p in others)
    non_torch = NonTorch.of(prediction)
    rest = _median(
        (_rest_gib(p, shift) for p in others if NonTorch.of(p) == non_torch), prediction.memory.non_torch_gib
    )
    activation = shift * _sampled(prediction) / GIB
    return prediction.memory.expected_kv_gib + prediction.memory.non_torch_gib - rest - activation


def _sampler(prediction: Prediction) -> float:
    """The data file's entry that gives the row its sampler."""
    return memory_behaviour(prediction.row.vllm).sampler_bytes.estimate


def _sampled(prediction: Prediction) -> float:
    """How many entries the sampler's tensors have."""
    return prediction.memory.shape.sequences * prediction.row.model.config.needed("vocab_size")


def _sampler_shift(prediction: Prediction) -> float | None:
    """How many bytes more for each entry the row's own activation peak says; None where it tells none."""
    measured = prediction.row.number("activation_gib")
    if measured is None:
        return None
    return (measured - prediction.memory.activation_gib) * GIB / _sampled(prediction)


def _rest_gib(prediction: Prediction, shift: float) -> float | None:
    """What the row's budget leaves for memory outside PyTorch (GiB)."""
    stated = prediction.row.number("non_torch_gib")
    if stated is not None:
        return stated
    weights, cache = prediction.row.measured["weights"], prediction.row.measured["kv cache"]
    if weights is None or cache is None:
        return None
    memory = prediction.memory
    activation = memory.activation_gib + shift * _sampled(prediction) / GIB
    return memory.usable_gib - weights - cache - activation - memory.cuda_graph_gib


def _median(values: Iterable[float | None], default: float = 0.0) -> float:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else default


def missing(all_of_them: Sequence[Prediction]) -> Iterator[str]:
    """Which measurement the constants lack: entries of the data file with fewer than three models."""
    yield "Constants with fewer than three models behind them:"
    for models, text in (*_behind_non_torch(all_of_them), *_behind_samplers(all_of_them)):
        if models < ENOUGH_MODELS:
            yield f"  {text}"


def _behind_non_torch(all_of_them: Sequence[Prediction]) -> Iterator[tuple[int, str]]:
    """How many models are behind each constant of the memory outside PyTorch, and that in words."""
    telling = [p for p in all_of_them if p.row.scope in TELLING and p.budget_known and p.row.measured["kv cache"]]
    for number, entry in _entries().items():
        for topology in ("nvlink", "pcie"):
            for gpus, gib in entry.get("nonTorch", {}).get(topology, {}).items():
                constant = NonTorch(topology == "nvlink", gpus, gib)
                models = _models(p for p in telling if _takes(p, constant, number))
                yield models, f"non-torch {gib} GiB: {gpus} GPUs, {topology}, from {number} on: {models} models"


def _takes(prediction: Prediction, constant: NonTorch, number: str) -> bool:
    """Whether a row is behind a constant of the entry `number`. For NVLink it is behind all of the same value."""
    own = NonTorch.of(prediction)
    if constant.nvlink:
        return own == constant
    return own[:2] == constant[:2] and _entry(prediction) == number


def _behind_samplers(all_of_them: Sequence[Prediction]) -> Iterator[tuple[int, str]]:
    """The same for the sampler's constants."""
    telling = [p for p in all_of_them if p.row.number("activation_gib") is not None]
    for number in (number for number, entry in _entries().items() if "samplerBytes" in entry):
        models = _models(p for p in telling if _entry(p) == number)
        yield models, f"sampler, from {number} on: {models} models whose log tells the activation peak"


def _models(behind: Iterable[Prediction]) -> int:
    return len({p.row.name for p in behind})


def _entries() -> dict[str, dict[str, Any]]:
    """The entries of the data file, by the version that each begins with."""
    entries: dict[str, dict[str, Any]] = read_data("memory.yaml")["versions"]
    return entries


def _entry(prediction: Prediction) -> str:
    """The version whose entry the row's vLLM takes its non-torch constants from."""
    known = sorted((number for number, entry in _entries().items() if "nonTorch" in entry), key=version)
    upto = (number for number in known if version(number) <= version(prediction.row.vllm))
    return max(upto, key=version, default=known[0])
