"""What would make a model fit that does not: one argument changed at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .engine import Device, Engine
from .fit import MemoryFit, fit
from .model import Model
from .split import Split


@dataclass(frozen=True, kw_only=True)
class Change:
    """An argument that would make a model fit, and the fit it leads to."""

    words: str
    fit: MemoryFit


def changes(model: Model, *, device: Device, split: Split, engine: Engine) -> list[Change]:
    """What would make a model fit that does not, one change at a time; the least intrusive first."""
    now = fit(model, device=device, split=split, engine=engine)
    attempts: list[tuple[str, Engine, Split]] = []
    if not now.refusal:
        attempts += [(words, changed, split) for words, changed in _engines(model, now, device, engine)]
    for tensor in (2, 4, 8, 16):
        if tensor > split.tensor and not model.obstacle(tensor):
            attempts.append((f"--tp {tensor}", engine, replace(split, tensor=tensor)))
    found: dict[str, Change] = {}
    for words, changed, divided in attempts:
        option = words.split()[0]
        if option not in found:
            one = fit(model, device=device, split=divided, engine=changed)
            found |= {option: Change(words=words, fit=one)} if one.fits else {}
    return list(found.values())


def _engines(model: Model, now: MemoryFit, device: Device, engine: Engine) -> Iterator[tuple[str, Engine]]:
    """Arguments to try, in words and applied."""
    if 0 < now.longest_context < now.context:
        longest = now.longest_context
        yield f"--max-model-len {longest}", replace(engine, context=longest)
    for sequences in (256, 64, 16):
        if (engine.sequences or 1024) > sequences:
            yield f"--max-num-seqs {sequences}", replace(engine, sequences=sequences)
    if engine.kv_cache_dtype == "auto" and device.compute_capability >= 8.9:
        yield "--kv-cache-dtype fp8", replace(engine, kv_cache_dtype="fp8")
    if (engine.utilization or 0) < 0.95:
        yield "--gpu-memory-utilization 0.95", replace(engine, utilization=0.95)
    if not engine.eager and now.cuda_graph_gib:
        yield "--eager", replace(engine, eager=True)
    if model.scheme(engine.quantization) is None:
        yield "--quantization fp8", replace(engine, quantization="fp8")
