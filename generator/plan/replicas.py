"""Replicas from load: what one serves within the latency that is asked for, and how many that takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from generator.facts.roofline import roofline_factors
from generator.formats.environment import Expectation, Replicas
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
    """Planned: reading the prompt, and waiting for those before it."""
    tpot_s: float
    """Planned: of each further token."""
    in_time: bool
    """Whether that is what was asked for."""

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
    def tokens_per_second(self) -> float:
        """Tokens of prompts and answers that a replica is planned to serve."""
        return self.planned_per_second * (self.expectation.promptTokens + self.expectation.outputTokens)


def usual_tokens(requirements: ModelRequirements) -> float:
    """Tokens of a request: what the environment expects, or half the context where it expects nothing (decision 58)."""
    expect = requirements.expect
    return expect.promptTokens + expect.outputTokens if expect else requirements.context / 2


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
    is read the others wait, so b = r x (o x s(b) + b x p), and a token takes b / (r x o) = s(b) + b x p / o.
    """
    fast = speed(placement, requirements)
    if fast is None:
        return None
    longest = expectation.promptTokens + expectation.outputTokens
    most = max(1, min(sequences, int(placement.memory.kv_tokens / longest)))
    # A token takes longer the more requests there are, so the largest number in time is found by halving.
    low, high = 1, most
    limit = expectation.secondsPerToken or float("inf")
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _per_token(fast, expectation, middle) <= limit else (low, middle - 1)
    per_token = _per_token(fast, expectation, low)
    prefill = fast.prefill(expectation.promptTokens)
    busy = roofline_factors().busy_share
    first = prefill / (1 - busy)
    return ExpectedLoad(
        expectation=expectation,
        requests_at_once=low,
        requests_per_second=low / (per_token * expectation.outputTokens),
        ttft_s=first,
        tpot_s=per_token,
        in_time=per_token <= limit and first <= (expectation.firstTokenSeconds or float("inf")),
    )


def _per_token(fast: Speed, expectation: Expectation, requests: int) -> float:
    # On average a request is half way through its answer.
    context = expectation.promptTokens + expectation.outputTokens / 2
    reading = requests * fast.prefill(expectation.promptTokens) / expectation.outputTokens
    return fast.step(requests, context) + reading
