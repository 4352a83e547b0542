"""The lines of the benchmark: every row, then by scope how far predictions are from what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .constants import left_out, missing
from .predictions import Prediction
from .rows import CURRENT, SCOPES


class Aim(NamedTuple):
    """Mean and worst relative error that the project wants to hold."""

    mean: float
    worst: float | None = None

    @property
    def text(self) -> str:
        return f"   aim: mean {self.mean:.1%}" + (f", worst {self.worst:.0%}" if self.worst else "")


AIMS = {"weights": Aim(0.01), "kv cache": Aim(0.03, 0.08), "tokens by measured cache": Aim(0.001)}
FIGURES = ("weights", "kv cache", "tokens by measured cache", "tokens", "concurrency")
RANGES = ("weights", "kv cache")

Placed = Mapping[int, Prediction]
"""Predictions by their place among all."""
Errors = Sequence[tuple[float, Prediction]]
"""Relative errors, each with whose it is."""


def rows_lines(all_of_them: Sequence[Prediction]) -> Iterator[str]:
    """Every row: predicted / measured."""
    head = f"{'model':44}{'gpu':18}{'tp':>3} {'vllm':12}"
    yield f"{head}{'weights GiB':>18}{'cache GiB':>18}{'error':>9}{'tokens':>24}  started"
    for p in all_of_them:
        measured, figures = p.row.measured, p.figures
        error = p.error("kv cache")
        yield (
            f"{p.row.name[-43:]:44}{p.row.gpu[:17]:18}{p.row.split.tensor:>3} {p.row.given['vllm_version'][:11]:12}"
            f"{_pair(figures.get('weights'), measured['weights'], '.2f'):>18}"
            f"{_pair(figures.get('kv cache'), measured['kv cache'], '.2f'):>18}"
            f"{'' if error is None else f'{error:+.1%}':>9}"
            f"{_pair(figures.get('tokens'), measured['tokens'], ',.0f'):>24}"
            f"  {'yes' if p.memory.fits else 'no'}/{ {True: 'yes', False: 'no', None: '-'}[p.row.started] }"
        )


def report(all_of_them: Sequence[Prediction]) -> Iterator[str]:
    refitted = left_out(all_of_them)
    for scope in SCOPES:
        rows = {place: p for place, p in enumerate(all_of_them) if p.row.scope == scope}
        yield f"{scope}: {len(rows)} rows"
        yield from _figures(list(rows.values()), aims=AIMS if scope == CURRENT else {})
        yield from _other_caches(rows, refitted)
        yield from _starts([p for p in rows.values() if p.budget_known])
        yield ""
    yield from missing(all_of_them)


def _figures(rows: Sequence[Prediction], *, aims: Mapping[str, Aim]) -> Iterator[str]:
    for figure in FIGURES:
        errors = [(error, p) for p in rows if (error := p.error(figure)) is not None]
        aim = aims.get(figure)
        yield f"  {figure:26}{_summary(errors)}{aim.text if aim else ''}"
    for figure in RANGES:
        inside = [held for p in rows if (held := p.inside(figure)) is not None]
        yield f"  {figure + ', in the range':26}{sum(inside)} of {len(inside)}"


def _other_caches(rows: Placed, refitted: Mapping[int, float]) -> Iterator[str]:
    """The cache as others predict it, and as `fit` does with constants that have not seen the model."""
    others: Mapping[str, Callable[[int, Prediction], float | None]] = {
        "kv cache, left out": lambda place, p: refitted.get(place),
        "kv cache, KAITO's rule": lambda place, p: p.kaito(),
        "kv cache, llm-d's constants": lambda place, p: p.llm_d(),
    }
    for name, predict in others.items():
        values = [(predict(place, p), p) for place, p in rows.items() if p.budget_known]
        errors = [(p.error("kv cache", value), p) for value, p in values if value is not None]
        yield f"  {name:28}{_summary([(error, p) for error, p in errors if error is not None])}"


def _starts(rows: Sequence[Prediction]) -> Iterator[str]:
    wrong = [p for p in rows if p.memory.fits and p.row.started is False]
    shy = [p for p in rows if not p.memory.fits and p.row.started]
    refused = sum(p.row.started is False for p in rows)
    yield f"  said to fit and refused by vLLM: {len(wrong)} of {refused}   said not to fit and started: {len(shy)}"
    for label, those in (("refused", wrong), ("started", shy)):
        for p in those:
            yield f"    {label}: {p.row.name} on {p.row.split.gpus} x {p.row.gpu}, {p.row.given['vllm_version']}"


def _summary(errors: Errors) -> str:
    if not errors:
        return "no row"
    sizes = [abs(error) for error, _ in errors]
    worst, whose = max(errors, key=lambda item: abs(item[0]))
    models = len({p.row.name for _, p in errors})
    return (
        f"{len(errors):3} rows of {models:2} models   mean {statistics.mean(sizes):7.2%}"
        f"   median {statistics.median(sizes):7.2%}"
        f"   worst {worst:+8.2%} ({whose.row.name}, {whose.row.given['vllm_version']})"
    )


def _pair(predicted: float | None, measured: float | None, how: str) -> str:
    return " / ".join("-" if value is None else format(value, how) for value in (predicted, measured))
