"""What vLLM takes besides weights and cache, by version (`generator/data/memory.yaml`)."""

from __future__ import annotations

import pytest

from generator.facts.vllm_memory import Defaults, memory_behaviour


@pytest.mark.parametrize(
    ("vllm", "gib", "gpu", "tokens", "sequences"),
    [
        ("0.28.0", 178, "B200", 8192, 1024),
        ("0.29.0", 178, "B200", 16_384, 1024),
        ("0.33.0", 178, "B200", 16_384, 1024),
        ("0.33.0", 139.8, "H200", 8192, 1024),
        ("0.33.0", 79.25, "A100-80GB", 2048, 256),
        ("0.33.0", 44.4, "L40S-48GB", 2048, 256),
    ],
)
def test_tokens_and_sequences_follow_the_gpu(vllm: str, gib: float, gpu: str, tokens: int, sequences: int) -> None:
    assert memory_behaviour(vllm).defaults_on(gib, gpu) == Defaults(batched_tokens=tokens, sequences=sequences)


def test_the_sampler_is_profiled_with_every_parameter_since_0_33() -> None:
    """Logits in 2 and 4 bytes, those of the top k and their probabilities; from 0.29 to 0.32 perhaps the first only."""
    at = {vllm: memory_behaviour(vllm).sampler_bytes for vllm in ("0.28.0", "0.29.0", "0.32.0", "0.33.0")}
    assert [found.estimate for found in at.values()] == [9.5, 9.5, 9.5, 14.0]
    assert [found.low for found in at.values()] == [8.0, 2.0, 2.0, 6.0]


def test_versions_up_to_0_33_keep_what_nothing_says_has_changed() -> None:
    old, new = memory_behaviour("0.29.0"), memory_behaviour("0.33.0")
    assert (new.utilization, new.graphs_subtracted, new.expert_buffers_stay) == (0.92, True, True)
    assert (new.non_torch, new.defaults) == (old.non_torch, old.defaults)
