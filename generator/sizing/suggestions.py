"""What would make a model fit that does not: one argument changed at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from generator.facts.gpus import Device
from generator.sizing.engine.engine import Engine
from generator.sizing.fit import MemoryFit, fit
from generator.sizing.model import Model
from generator.sizing.weights.divisions import Split


@dataclass(frozen=True, kw_only=True)
class Change:
    """An argument that would make a model fit, and the fit it leads to."""

    words: str
    fit: MemoryFit


def changes(model: Model, *, device: Device, split: Split, engine: Engine) -> list[Change]:
    """What would make a model fit that does not, one change at a time; the least intrusive first."""
    now = fit(model, device=device, split=split, engine=engine)
    attempts = [(words, changed, split) for words, changed in _engines(model, now, device, engine, split)]
    wider, narrower = (n for n in (2, 4, 8, 16) if n > split.tensor), (n for n in (8, 4, 2, 1) if n < split.tensor)
    for tensor in (*wider, *(narrower if now.refusal else ())):
        attempts.append((f"--tp {tensor}", engine, replace(split, tensor=tensor)))
    by_option: dict[str, Change] = {}
    for words, changed, divided in attempts:
        option = words.split()[0]
        if option not in by_option:
            changed_fit = fit(model, device=device, split=divided, engine=changed)
            by_option |= {option: Change(words=words, fit=changed_fit)} if changed_fit.fits else {}
    return list(by_option.values())


def _engines(
    model: Model, now: MemoryFit, device: Device, engine: Engine, split: Split
) -> Iterator[tuple[str, Engine]]:
    """Arguments to try, in words and applied."""
    if now.refusal:
        yield from _allowed(model, now, engine, split)
    if 0 < now.longest_context < now.context:
        longest = now.longest_context
        yield f"--max-model-len {longest}", engine._replace(context=longest)
    for sequences in (256, 64, 16):
        if (engine.sequences or 1024) > sequences:
            yield f"--max-num-seqs {sequences}", engine._replace(sequences=sequences)
    if engine.kv_cache_dtype == "auto" and device.compute_capability >= 8.9:
        yield "--kv-cache-dtype fp8", engine._replace(kv_cache_dtype="fp8")
    if (engine.utilization or 0) < 0.95:
        yield "--gpu-memory-utilization 0.95", engine._replace(utilization=0.95)
    if not engine.eager and now.cuda_graph_gib:
        yield "--eager", engine._replace(eager=True)
    if model.scheme(engine.quantization) is None:
        yield "--quantization fp8", engine._replace(quantization="fp8")


def _allowed(model: Model, now: MemoryFit, engine: Engine, split: Split) -> Iterator[tuple[str, Engine]]:
    """Arguments instead of those that vLLM refuses."""
    most = model.positions
    if 0 < most < now.context:
        yield f"--max-model-len {most}", engine._replace(context=most)
    least = max(now.shape.sequences, now.context if engine.takes_whole_prompts(model) else 0)
    if least > now.shape.batched_tokens:
        tokens = least
        yield f"--max-num-batched-tokens {tokens}", engine._replace(batched_tokens=tokens)
    if engine.cache_bytes or engine.cache_blocks:
        yield "no size of the cache", engine._replace(cache_bytes=None, cache_blocks=None)
    if engine.dtype != "auto":
        yield "--dtype auto", engine._replace(dtype="auto")
    if engine.quantization is not None:
        yield "no --quantization", engine._replace(quantization=None)
    if split.tensor * split.data > 1 and not engine.expert_parallel:
        yield "--enable-expert-parallel", engine._replace(expert_parallel=True)
