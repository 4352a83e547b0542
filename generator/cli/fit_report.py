"""What `fit` says: the arithmetic of one GPU in lines, a table of many, and both as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from generator.facts.gpus import Device
from generator.facts.vllm_memory import Range
from generator.sizing.cache.layout import CacheLayout
from generator.sizing.fit import MemoryFit
from generator.sizing.model import Model
from generator.sizing.suggestions import Change
from generator.sizing.weights.divisions import Split
from generator.units import GIB

if TYPE_CHECKING:
    from generator.formats.output import FitCase, Span

Ends = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One GPU type and split, and what was predicted for it."""

    device: Device
    split: Split
    memory: MemoryFit
    positions: int
    """Tokens that the model can take; 0 where it does not say."""

    @classmethod
    def of(cls, model: Model, device: Device, split: Split, memory: MemoryFit) -> Case:
        return cls(device=device, split=split, memory=memory, positions=model.positions)

    def longest(self, kv_gib: float, layout: CacheLayout | None = None) -> int:
        """The longest context that a cache of `kv_gib` holds, and the model can take; `layout`: were it the model's."""
        most = self.positions or self.memory.context
        return (layout or self.memory.layout).longest_context(max(0.0, kv_gib) * GIB, most)

    def tokens(self, kv_gib: float, layout: CacheLayout | None = None) -> int:
        return (layout or self.memory.layout).tokens(max(0.0, kv_gib) * GIB, self.memory.context)

    def concurrency(self, kv_gib: float, layout: CacheLayout | None = None) -> float | None:
        """Requests of full context at once; None where a request keeps nothing."""
        requests = (layout or self.memory.layout).concurrency(max(0.0, kv_gib) * GIB, self.memory.context)
        return None if math.isinf(requests) else requests

    def between(self, figure: Callable[[float, CacheLayout], float | None], value: float | None) -> Ends:
        """A figure of the cache at the unfavourable and at the favourable end, and so that `value` is between them.

        None at the favourable end: without a limit.
        """
        cache = self.memory.ranges["kv_cache"]
        values = [value, *(figure(gib, layout) for gib in (cache.low, cache.high) for layout in self.memory.layouts)]
        known = [value for value in values if value is not None]
        endless = None in values or any(layout.keeps_nothing for layout in self.memory.layouts[1:])
        return min(known, default=None), None if endless else max(known)

    @property
    def token_bytes_between(self) -> Ends | None:
        """`token_bytes` of the least and of the most; None where the cache is known."""
        sizes = [self.token_bytes(layout) for layout in self.memory.layouts]
        return (min(sizes), max(sizes)) if len(sizes) > 1 else None

    def token_bytes(self, layout: CacheLayout | None = None) -> int:
        """Bytes of a GPU for each token that the cache holds, as vLLM prints tokens.

        Where all layers keep all tokens, what one more takes; of windows and states, their part in a request of full
        context. `layout`: were it the model's.
        """
        layout = layout or self.memory.layout
        if len(layout.groups) <= 1 and layout.token_bytes:
            return layout.token_bytes
        tokens = layout.tokens(1024 * GIB, self.memory.context)
        return round(1024 * GIB / tokens) if tokens else 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of the figures."""
        ranks = f"tokens and requests are of each of {self.split.data} ranks" if self.split.data > 1 else ""
        return (*self.memory.notes, *filter(None, [self.device.note, ranks]))

    @property
    def why(self) -> str:
        """Why it fits or not, in one sentence."""
        memory, cache = self.memory, self.memory.ranges["kv_cache"]
        if memory.refusal:
            return memory.refusal
        need = memory.layout.needed_bytes(memory.context) / GIB
        spare = memory.kv_gib
        if memory.fits:
            sure = "" if memory.surely_fits else "; at the unfavourable end of the range it would not"
            request = f"one request of {memory.context:,} tokens ({need:.2f} GiB)"
            return f"{cache.estimate:.2f} GiB for the cache hold {request}{sure}"
        if spare <= 0:
            over = memory.weights_gib + memory.other_gib - memory.usable_gib
            return f"weights and overhead are {over:.2f} GiB more than the {memory.usable_gib:.2f} GiB usable"
        return (
            f"one request of {memory.context:,} tokens needs {need:.2f} GiB of cache, {spare:.2f} GiB are left "
            f"(with {memory.margin_gib:g} GiB kept as margin)"
        )


def case_json(case: Case, changes: Iterable[Change] = ()) -> FitCase:
    """One case as JSON: GiB as floats, tokens as integers. `<key>_range` is beside what is not exact."""
    memory, ranges, shape = case.memory, case.memory.ranges, case.memory.shape
    estimate = memory.expected_kv_gib
    document: dict[str, Any] = {
        "gpu": case.device.name,
        "tp": case.split.tensor,
        "pp": case.split.pipeline,
        "dp": case.split.data,
        "usable_gib": round(memory.usable_gib, 4),
    }
    for key in ("weights", "activation", "non_torch", "cuda_graph", "kv_cache"):
        document[f"{key}_gib"] = round(ranges[key].estimate, 4)
        document[f"{key}_gib_range"] = _range(ranges[key], 4)
    document["kv_bytes_per_token"] = case.token_bytes()
    if case.token_bytes_between is not None:
        document["kv_bytes_per_token_range"] = dict(zip(("low", "high"), case.token_bytes_between, strict=True))
    for key, figure in (
        ("kv_cache_tokens", case.tokens),
        ("max_concurrency", case.concurrency),
        ("max_model_len_that_fits", case.longest),
    ):
        value = figure(estimate if key != "max_model_len_that_fits" else memory.kv_gib)
        document[key] = _rounded(value)
        low, high = case.between(figure, value)
        document[f"{key}_range"] = {"low": _rounded(low), "high": _rounded(high)}
    document["fits"] = memory.fits
    document["fits_range"] = {
        "low": memory.surely_fits,
        "high": memory.may_fit,
    }
    document["why"] = case.why
    document["changes"] = [change.words for change in changes]
    document["notes"] = list(case.notes)
    document["parameters"] = memory.parameters
    document["engine"] = {
        "max_model_len": shape.context,
        "max_num_seqs": shape.sequences,
        "max_num_batched_tokens": shape.batched_tokens,
        "gpu_memory_utilization": shape.utilization,
        "dtype": shape.dtype,
        "kv_cache_dtype": shape.kv_cache_dtype,
        "enforce_eager": shape.eager,
    }
    return cast("FitCase", document)


def _range(value: Range, digits: int) -> Span:
    return {"low": _finite(value.low, digits), "high": _finite(value.high, digits)}


def _finite(value: float, digits: int) -> float | None:
    """JSON has no infinity: what has no bound is null."""
    return round(value, digits) if math.isfinite(value) else None


def _rounded(value: float | int | None) -> float | int | None:
    return _finite(value, 2) if isinstance(value, float) else value


def case_lines(case: Case, changes: list[Change], *, source: str) -> Iterator[str]:
    """The arithmetic of one GPU, line by line."""
    memory, ranges, shape = case.memory, case.memory.ranges, case.memory.shape
    gpus = f"{case.split.gpus} x {case.device.name}" if case.split.gpus > 1 else case.device.name
    split = f", {_divided(case.split)}" if case.split.gpus > 1 else ""
    if memory.refusal:
        yield f"{gpus}{split}: vLLM would not start: {memory.refusal}."
    else:
        yield f"{gpus}{split}: {'fits' if memory.fits else 'does not fit'}. {case.why[:1].upper()}{case.why[1:]}."
    yield ""
    yield f"  {'GiB of each GPU':28}{'estimate':>12}{'range':>24}"
    cache_is_asked_for = memory.margin_gib == 0
    how = "as the cache is asked for" if cache_is_asked_for else f"{memory.total_gib:g} x {shape.utilization:g}"
    yield _line("usable", Range.exactly(memory.usable_gib), how)
    yield _line("- weights", ranges["weights"], f"{memory.parameters / 1e9:.2f} B parameters, {source}")
    step = f"{shape.sequences:,} sequences, {shape.batched_tokens:,} tokens in a step"
    yield _line("- activation peak", ranges["activation"], step)
    yield _line("- non-torch", ranges["non_torch"], "CUDA context, NCCL")
    graphs = "none with --eager" if shape.eager else "captured outside the budget" if not memory.cuda_graph_gib else ""
    yield _line("- CUDA graphs", ranges["cuda_graph"], graphs)
    kept = "asked for" if cache_is_asked_for else f"{memory.margin_gib:g} kept as margin before it is said to fit"
    yield _line("= KV cache", ranges["kv_cache"], kept)
    yield ""
    cache = ranges["kv_cache"]
    figures: list[tuple[str, float | None, Ends | None]] = [
        ("KV bytes per token", case.token_bytes(), case.token_bytes_between)
    ]
    for name, figure, gib in (
        ("KV tokens", case.tokens, cache.estimate),
        (f"requests of {memory.context:,} tokens", case.concurrency, cache.estimate),
        ("longest context that fits", case.longest, memory.kv_gib),
    ):
        value = figure(gib)
        figures.append((name, value, case.between(figure, value)))
    for name, value, between in figures:
        shown = "" if between is None or value is None else f"{_number(between[0])} to {_number(between[1])}"
        yield f"  {name:28}{_number(value):>12}  {shown:>22}".rstrip()
    for note in case.notes:
        yield f"  note: {note}"
    if not memory.fits:
        yield ""
        yield from _change_lines(changes)


def _divided(split: Split) -> str:
    ranks = f" x data {split.data}" if split.data > 1 else ""
    return f"tensor {split.tensor} x pipeline {split.pipeline}{ranks}"


def _change_lines(changes: list[Change]) -> Iterator[str]:
    if not changes:
        yield "  No single change makes it fit here: give it larger GPUs, more of them, or a smaller model."
        return
    yield "  Any of these makes it fit:"
    for change in changes:
        yield f"    {change.words:34} (KV cache {change.fit.expected_kv_gib:.2f} GiB)"


def _line(name: str, value: Range, how: str) -> str:
    shown = "" if value.low == value.high else f"{value.low:.2f} to {value.high:.2f}"
    return f"  {name:28}{value.estimate:>12.2f}{shown:>24}  {how}".rstrip()


def _number(value: float | int | None) -> str:
    if value is None:
        return "any"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


_COLUMNS: tuple[tuple[str, Callable[[Case], str]], ...] = (
    ("gpu", lambda c: c.device.name),
    ("tp", lambda c: str(c.split.tensor)),
    ("pp", lambda c: str(c.split.pipeline)),
    ("dp", lambda c: str(c.split.data)),
    ("fits", lambda c: "yes" if c.memory.fits else "no"),
    ("weights", lambda c: f"{c.memory.weights_gib:.2f}"),
    ("other", lambda c: f"{c.memory.other_gib:.2f}"),
    ("kv cache", lambda c: f"{max(0.0, c.memory.expected_kv_gib):.2f}"),
    ("tokens", lambda c: _number(c.tokens(c.memory.expected_kv_gib))),
    ("requests", lambda c: _number(c.concurrency(c.memory.expected_kv_gib))),
    ("longest", lambda c: _number(c.longest(c.memory.kv_gib))),
)


def table_lines(cases: list[Case]) -> Iterator[str]:
    """A row for each GPU type and split; GiB are of each GPU, requests of full context. `dp`: where there are ranks."""
    columns = [column for column in _COLUMNS if column[0] != "dp" or any(case.split.data > 1 for case in cases)]
    rows = [[name for name, _ in columns], *([show(case) for _, show in columns] for case in cases)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()
