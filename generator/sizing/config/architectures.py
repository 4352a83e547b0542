"""Which vLLM has a model architecture of its own, and what it does with it: `data/architectures.json` and
`data/interfaces.json`, looked up."""

from __future__ import annotations

from functools import cache

from generator.errors import UserError
from generator.facts.files import read_data, version, within
from generator.sizing.config.config import ModelConfig

# Where vLLM has not that very class it adapts another one, and to what is said by how the name ends.
# Source: vllm/config/model.py::_SUFFIX_TO_DEFAULTS, 0.29.0
_GENERATING = ("ForCausalLM", "ForConditionalGeneration", "ChatModel", "LMHeadModel")
_POOLING = (
    "ForTextEncoding", "EmbeddingModel", "ForSequenceClassification", "ForTokenClassification",
    "ForAudioClassification", "ForImageClassification", "ForVideoClassification", "ClassificationModel",
    "ForRewardModeling", "RewardModel", "Model",
)  # fmt: skip
_NAMED_OTHERWISE = ("ChatGLMModel",)
"""Generates text, for all its name."""


def makes_vectors(config: ModelConfig) -> bool:
    """Whether vLLM makes an embedding, a class or a reward of a request, and loads no output head for it."""
    name = config.named
    return name.endswith(_POOLING) and not name.endswith(_GENERATING) and name not in _NAMED_OTHERWISE


def missing_in(vllm: str, config: ModelConfig) -> str:
    """What to know of a model that vLLM `vllm` has no code for; empty where it has, or where nothing is known of it."""
    try:
        name = config.architecture
    except UserError:
        return ""
    return _missing_in(vllm, name)


def serves_adapters(vllm: str, config: ModelConfig) -> bool:
    """Whether vLLM `vllm` serves LoRA adapters beside the model, as far as is known."""
    return not _is_without("withoutLora", vllm, config)


def has_pipeline_stages(vllm: str, config: ModelConfig) -> bool:
    """Whether vLLM `vllm` divides the model's layers over pipeline stages, as far as is known."""
    return not _is_without("withoutPipeline", vllm, config)


def _is_without(interface: str, vllm: str, config: ModelConfig) -> bool:
    """By the last vLLM that was asked and is not newer."""
    try:
        name = config.architecture
    except UserError:
        return False
    asked = read_data("interfaces.json")[interface]
    known = [names for since, names in asked.items() if version(since) <= version(vllm)]
    return bool(known) and name in known[-1]


@cache
def _missing_in(vllm: str, name: str) -> str:
    spans, now = read_data("architectures.json")["spans"].get(name, []), version(vllm)
    if not spans or any(_is_in(vllm, known) for known in (name, *_adapted(name))):
        return ""
    came = next((span[0] for span in spans if now < version(span[0])), None)
    when = f"came in {came}" if came else f"was taken out in {spans[-1][-1]}"
    return f"vLLM {vllm} has no {name} of its own, which {when}: transformers would have to run it"


def _is_in(vllm: str, name: str) -> bool:
    """Whether that vLLM has the class. One that all versions have is not among the spans, but its caches are known."""
    spans = read_data("architectures.json")["spans"].get(name)
    return name in _known() if spans is None else any(within(span, vllm) for span in spans)


@cache
def _known() -> frozenset[str]:
    rules = read_data("cache_layers.yaml").values()
    return frozenset(name for rule in rules for name in rule.get("architectures", ()))


def _adapted(name: str) -> list[str]:
    """The classes that vLLM would adapt for this one (`model_executor/models/registry.py::_normalize_arch`)."""
    ends = (*_GENERATING, *_POOLING)
    end = next((end for end in ends if name.endswith(end)), None)
    return [name.removesuffix(end) + other for other in ends] if end else []
