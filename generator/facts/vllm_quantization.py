"""vLLM's quantization methods: which version has them, and what they ask for. `data/quantization.yaml`, looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from generator.facts.files import read_data, version, within

Made = Literal["layers", "experts"]
_Value = TypeVar("_Value")
_HALVES = ("bfloat16", "float16")
# A checkpoint's words for methods that vLLM calls otherwise.
_OTHER_WORDS = {"compressed_tensors": "compressed-tensors", "auto_round": "auto-round"}


@dataclass(frozen=True, kw_only=True)
class Method:
    """The fields are the data file's words, which says what they mean and where each was read."""

    name: str
    since: str | None
    until: str | None
    deprecated: tuple[str, ...]
    makes: Made | None
    makes_from: str | None
    online: bool
    elsewhere: bool
    also: tuple[str, ...]
    any_word: bool
    whole: bool
    rocm: str | None
    _capability: Mapping[str, float]
    _dtypes: Mapping[str, Sequence[str]]
    _asked_dtypes: Mapping[str, Sequence[str]]

    def is_in(self, vllm: str) -> bool:
        """Whether vLLM `vllm` has it."""
        return within((self.since or "0", *([self.until] if self.until else [])), vllm)

    def is_deprecated(self, vllm: str) -> bool:
        return bool(self.deprecated) and within(self.deprecated, vllm)

    def is_on_rocm(self, vllm: str) -> bool:
        """Whether AMD's GPUs have it."""
        return self.rocm is not None and version(vllm) >= version(self.rocm)

    def quantizes_while_loading(self, vllm: str) -> bool:
        """Whether vLLM `vllm` makes it of weights that are not quantized."""
        return self.makes is not None and self.is_in(vllm) and within((self.makes_from or "0",), vllm)

    def least_capability(self, vllm: str) -> float:
        """The least compute capability of an NVIDIA GPU."""
        return _newest(self._capability, vllm)

    def dtypes(self, vllm: str, *, as_requested: bool = False) -> Sequence[str]:
        """Types of activations that it takes; `as_requested`: where the very word is asked for."""
        return _newest(self._asked_dtypes if as_requested else self._dtypes, vllm)

    def takes_word(self, requested: str) -> bool:
        """Whether weights of this method are read where `requested` is asked for."""
        return (self.any_word and requested != "humming") or requested in (self.name, *self.also)


@cache
def methods() -> dict[str, Method]:
    """Every known method by name."""
    return {name: _method(name, row) for name, row in read_data("quantization.yaml")["methods"].items()}


def _method(name: str, row: Mapping[str, Any]) -> Method:
    dtypes = row.get("dtypes", _HALVES)
    by_version = dtypes if isinstance(dtypes, dict) else {"0": dtypes}
    return Method(
        name=name,
        since=row.get("since"),
        until=row.get("until"),
        deprecated=tuple(row.get("deprecated", ())),
        makes=row.get("makes"),
        makes_from=row.get("makesFrom"),
        online=row.get("online", False),
        elsewhere=row.get("elsewhere", False),
        also=tuple(row.get("also", ())),
        any_word=row.get("anyWord", False),
        whole=row.get("whole", False),
        rocm=row.get("rocm"),
        _capability=row["capability"],
        _dtypes=by_version,
        _asked_dtypes=row.get("askedDtypes", by_version),
    )


def method_of(stated: str) -> Method | None:
    """The method that a checkpoint's `quant_method` or the engine's `quantization` names; None: it is not known."""
    return methods().get(_OTHER_WORDS.get(stated, stated))


@cache
def engine_capability(vllm: str) -> float:
    """The compute capability below which vLLM `vllm` has no kernels."""
    by_version: Mapping[str, float] = read_data("quantization.yaml")["engineCapability"]
    return _newest(by_version, vllm)


@cache
def scheme_capability(scheme: str, vllm: str) -> float:
    """The least compute capability for a scheme of compressed-tensors; 0 where it asks for none."""
    rows: Mapping[str, Mapping[str, float]] = read_data("quantization.yaml")["schemes"]
    return _newest(rows[scheme], vllm) if scheme in rows else 0.0


def only_capability(scheme: str) -> float | None:
    """The one compute capability that a scheme of compressed-tensors runs on."""
    only: Mapping[str, float] = read_data("quantization.yaml")["onlyCapability"]
    return only.get(scheme)


@cache
def computes_in_float16(model_type: str, vllm: str) -> bool:
    """Whether vLLM `vllm` computes models of this type in float16."""
    span = read_data("quantization.yaml")["notInFloat16"].get(model_type)
    return span is None or not within(span, vllm)


@dataclass(frozen=True, kw_only=True)
class Fp8Blocks:
    """How blocks of fp8 weights may be divided."""

    merged_divide: bool
    """Whether matrices that vLLM merges must be whole blocks on each GPU."""
    least_rows: int | None
    """Rows down to which experts' blocks are made smaller; None where they are not."""
    capability: float
    """The compute capability without which they are not."""


@cache
def fp8_blocks(vllm: str) -> Fp8Blocks:
    row, now = read_data("quantization.yaml")["fp8Blocks"], version(vllm)
    return Fp8Blocks(
        merged_divide=now < version(row["merged"]),
        least_rows=row["leastRows"] if now >= version(row["experts"]) else None,
        capability=row["capability"],
    )


def _newest(by_version: Mapping[str, _Value], vllm: str) -> _Value:
    """The newest entry that is not newer than `vllm`; the oldest for older versions."""
    numbers = sorted(by_version, key=version)
    reached = [number for number in numbers if version(number) <= version(vllm)]
    return by_version[reached[-1] if reached else numbers[0]]
