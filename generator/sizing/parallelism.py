"""Which decoder layers each pipeline stage holds."""

from __future__ import annotations


def stages(layers: int, pipeline_parallel: int) -> list[range]:
    """Divide `layers` as vLLM does: what is left over goes to the stages before the last, one each, from the back.

    Source: vLLM `distributed/utils.py::get_pp_indices`, 0.10.0 to 0.33.0.
    """
    counts = [layers // pipeline_parallel] * pipeline_parallel
    for i in range(2, layers % pipeline_parallel + 2):
        counts[-i] += 1
    starts = [sum(counts[:i]) for i in range(pipeline_parallel)]
    return [range(start, start + count) for start, count in zip(starts, counts, strict=True)]
