"""Predictions against logged start-ups of vLLM: what `make bench-sizing` prints stays what docs/sizing.md says."""

from __future__ import annotations

import statistics

import pytest

from tools.bench_sizing.constants import left_out
from tools.bench_sizing.predictions import Prediction, predictions


@pytest.fixture(scope="module")
def found() -> list[Prediction]:
    return [p for p in predictions() if p.row.scope == "NVIDIA, 0.10 on"]


def errors(found: list[Prediction], figure: str) -> list[float]:
    return [abs(e) for p in found if (e := p.error(figure)) is not None]


def test_weights_are_within_one_percent_on_average(found):
    assert len(errors(found, "weights")) > 90
    assert statistics.mean(errors(found, "weights")) < 0.01


def test_the_bytes_of_a_token_are_exact(found):
    assert statistics.mean(errors(found, "tokens by measured cache")) < 0.001


def test_the_cache_is_within_three_percent_on_average_also_for_models_that_no_constant_has_seen(found):
    assert statistics.mean(errors(found, "kv cache")) < 0.03
    refitted = [
        abs(e) for place, kv in left_out(found).items() if (e := found[place].error("kv cache", kv)) is not None
    ]
    assert statistics.mean(refitted) < 0.03


@pytest.mark.parametrize(("figure", "rows"), [("weights", 95), ("kv cache", 78)])
def test_ranges_hold_what_was_measured(found, figure, rows):
    inside = [held for p in found if (held := p.inside(figure)) is not None]
    assert len(inside) >= rows
    assert sum(inside) >= 0.98 * len(inside)


def test_ranges_of_amds_gpus_hold_what_their_padding_takes():
    inside = [held for p in predictions() if "MI3" in p.row.gpu and (held := p.inside("weights")) is not None]
    assert len(inside) >= 25
    assert all(inside)


def test_nothing_is_said_to_fit_that_vllm_refused(found):
    refused = [p for p in found if p.row.started is False and p.budget_known]
    assert len(refused) >= 4
    assert not [p.row.name for p in refused if p.memory.fits]


def test_it_is_nearer_than_two_rules_of_thumb(found):
    def mean(kv_gib) -> float:
        rows = (p for p in found if p.budget_known)
        return statistics.mean(abs(e) for p in rows if (e := p.error("kv cache", kv_gib(p))) is not None)

    assert mean(lambda p: p.memory.expected_kv_gib) < 0.5 * min(mean(Prediction.kaito), mean(Prediction.llm_d))
