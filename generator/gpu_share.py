"""The gpu_memory_utilization of an engine that has a GPU in part, so that all of one GPU fit beside each other."""

from __future__ import annotations

from math import floor

from generator.facts.releases import process_context_gib


def share_utilization(share: float, *, of: float, gpu_gib: float) -> float:
    """The utilization of an engine with `share` of a GPU, where one with all of it would have `of`.

    Engines that fill a GPU take as much of it, contexts included, as one engine would: with c the context's part of
    the GPU, `n` engines of 1/n take n * (u + c) = of + c, so u = share * (of + c) - c. Thousandths, rounded down.
    """
    if share == 1:
        return of
    context = process_context_gib() / gpu_gib
    return max(0.0, floor(1000 * (share * (of + context) - context)) / 1000)
