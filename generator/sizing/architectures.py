"""Which vLLM has a model architecture of its own: `data/architectures.json`, looked up."""

from __future__ import annotations

from functools import cache

from ..errors import UserError
from .config import ModelConfig
from .data import read_data, version


def missing_in(vllm: str, config: ModelConfig) -> str:
    """What to know of a model that vLLM `vllm` has no code for; empty where it has, or where nothing is known of it."""
    try:
        name = config.architecture
    except UserError:
        return ""
    return _missing_in(vllm, name)


@cache
def _missing_in(vllm: str, name: str) -> str:
    spans, now = read_data("architectures.json")["spans"].get(name, []), version(vllm)
    if not spans or any(version(span[0]) <= now and (len(span) == 1 or now < version(span[1])) for span in spans):
        return ""
    came = next((span[0] for span in spans if now < version(span[0])), None)
    when = f"came in {came}" if came else f"was taken out in {spans[-1][-1]}"
    return f"vLLM {vllm} has no {name} of its own, which {when}: transformers would have to run it"
