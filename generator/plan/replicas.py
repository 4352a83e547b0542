"""Replicas from load: what one serves within the latency that is asked for, and how many that takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf

from generator.facts.roofline import roofline_factors
from generator.formats.environment import Expectation, HalfName, Replicas
from generator.plan.placement import Placement
from generator.plan.requirements import ModelRequirements
from generator.plan.roofline import Speed, speed


@dataclass(frozen=True, kw_only=True)
class ExpectedLoad:
    """What one replica does of the load, and what that makes of the fleet's."""

    expectation: Expectation
    requests_at_once: int
    """In the engine, when it serves all it may."""
    requests_per_second: float
    """Of one replica at these, without a pause."""
    ttft_s: float
    """Planned: reading the prompt, and waiting for those before it; of decode, a first step."""
    tpot_s: float
    """Planned: of each further token; none is prefill's."""
    in_time: bool
    """Whether that is what was asked for."""
    half: HalfName | None = None

    @property
    def planned_per_second(self) -> float:
        """Requests that a replica is planned to serve: less than it could, so that few wait."""
        return self.requests_per_second * roofline_factors().busy_share

    @property
    def replicas(self) -> Replicas:
        least, most = self.expectation.requestsPerSecond, self.expectation.peak
        return Replicas(min=ceil(least / self.planned_per_second), max=ceil(most / self.planned_per_second))

    @property
    def target_ongoing_requests(self) -> int:
        """Ray's word for how many requests a replica has on average before another is wanted."""
        return max(1, int(self.requests_at_once * roofline_factors().busy_share))

    @property
    def latency(self) -> str:
        """What a request waits for, in words."""
        if self.half == "prefill":
            return f"a prompt read in {self.ttft_s:.2g} s"
        if self.half == "decode":
            return f"each token in {self.tpot_s:.2g} s"
        return f"first token in {self.ttft_s:.2g} s, then {self.tpot_s:.2g} s each"

    @property
    def tokens_per_second(self) -> float:
        """Tokens of prompts and answers whose requests a replica is planned to serve: prices of two halves add up."""
        return self.planned_per_second * (self.expectation.promptTokens + self.expectation.outputTokens)


def usual_tokens(requirements: ModelRequirements) -> float:
    """Tokens of a request: what the environment expects, or half the context where it expects nothing (decision 58)."""
    expect = requirements.expect
    return _longest(expect, requirements.half) if expect else requirements.context / 2


def _longest(expectation: Expectation, half: HalfName | None) -> int:
    """Tokens that the cache holds of a request; prefill hands them over when it has read the prompt."""
    return expectation.promptTokens + (expectation.outputTokens if half != "prefill" else 0)


def requests_at_once(placement: Placement, requirements: ModelRequirements) -> int:
    """Requests of usual length that the cache holds, at most as many as there are sequences; at least one."""
    memory = placement.memory
    if not memory.kv_tokens:
        return placement.sequences  # nothing is kept of a request
    held = memory.layout.concurrency(memory.kv_bytes, ceil(usual_tokens(requirements)))
    return max(1, int(min(placement.sequences, held)))


def expected_load(
    placement: Placement, requirements: ModelRequirements, expectation: Expectation, sequences: int
) -> ExpectedLoad | None:
    """The most requests at once that cache, `sequences` and latency allow. None where the GPU's speed is not known.

    With r requests a second, each is read in p seconds and decoded in o steps of s(b) seconds, b at a time: while one
    is read the others wait, so b = r x (o x s(b) + b x p), and a token takes b / (r x o) = s(b) + b x p / o. Decode has
    no p. Prefill has p alone, and reads one prompt after another.
    """
    fast, half = speed(placement, requirements), requirements.half
    if fast is None:
        return None
    most = max(1, min(sequences, int(placement.memory.kv_tokens / _longest(expectation, half))))
    prefill, idle = fast.prefill(expectation.promptTokens), 1 - roofline_factors().busy_share
    first = prefill / idle
    soon = first <= (expectation.firstTokenSeconds or inf)
    if half == "prefill":
        return ExpectedLoad(
            expectation=expectation,
            requests_at_once=min(most, round(1 / idle)),  # of a queue that is so busy, with random arrivals
            requests_per_second=1 / prefill,
            ttft_s=first,
            tpot_s=0,
            in_time=soon,
            half=half,
        )
    reading = 0 if half else prefill
    # A token takes longer the more requests there are, so the largest number in time is found by halving.
    low, high = 1, most
    limit = expectation.secondsPerToken or inf
    while low < high:
        middle = (low + high + 1) // 2
        in_time = _per_token(fast, expectation, middle, reading) <= limit
        low, high = (middle, high) if in_time else (low, middle - 1)
    per_token = _per_token(fast, expectation, low, reading)
    return ExpectedLoad(
        expectation=expectation,
        requests_at_once=low,
        requests_per_second=low / (per_token * expectation.outputTokens),
        ttft_s=per_token if half else first,
        tpot_s=per_token,
        in_time=per_token <= limit and (soon or half is not None),
        half=half,
    )


def _per_token(fast: Speed, expectation: Expectation, requests: int, reading: float) -> float:
    """`reading` is what a prompt takes of the same replica."""
    # On average a request is half way through its answer.
    context = expectation.promptTokens + expectation.outputTokens / 2
    return fast.step(requests, context) + requests * reading / expectation.outputTokens
