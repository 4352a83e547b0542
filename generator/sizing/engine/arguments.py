"""vLLM's engine arguments, by vLLM's names, as far as memory depends on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from generator.errors import UserError
from generator.facts.files import read_data, version
from generator.facts.vllm_quantization import method_of, methods
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.engine import Engine
from generator.sizing.model import Model
from generator.sizing.weights.decoder import draft_layers
from generator.sizing.weights.eagle import Generation, as_head
from generator.sizing.weights.rank import DTYPE_ALIASES, LoraSlots

_PLAIN = {
    "max_model_len": "context",
    "max_num_seqs": "sequences",
    "max_num_batched_tokens": "batched_tokens",
    "gpu_memory_utilization": "utilization",
    "block_size": "block_tokens",
    "kv_cache_memory_bytes": "cache_bytes",
    "num_gpu_blocks_override": "cache_blocks",
    "enable_prefix_caching": "prefix_caching",
}
"""Arguments that are taken as they are, and the names that sizing has for them."""
_SWITCHES = {
    "enforce_eager": "eager",
    "enable_expert_parallel": "expert_parallel",
    "language_model_only": "text_only",
    "allow_deprecated_quantization": "allow_deprecated",
    "disable_hybrid_kv_cache_manager": "windows_keep_all",
}
_EAGLES: Mapping[str, Generation] = {"eagle": 1, "eagle3": 3}
_LORA = {"max_loras": 1, "max_lora_rank": 16}
"""vLLM's own values where nothing is said (`vllm/config/lora.py`)."""
_OVERRIDES = (
    '{"rope_parameters": {"rope_type": "yarn", "rope_theta": 1000000, "factor": 4.0, '
    '"original_max_position_embeddings": 32768}}'
)
_WITHOUT_WEIGHTS = ("ngram", "ngram_gpu", "suffix")
"""Speculative methods that look the draft up in what was said, and load nothing."""


def engine_of(
    arguments: Mapping[str, Any],
    config: ModelConfig,
    *,
    vllm: str,
    where: str,
    draft: Callable[[str], Model],
) -> Engine:
    """The engine that vLLM `vllm` makes of a model with these arguments; what memory does not depend on is left out.

    `draft` gives the model that `speculative_config` names. Raises UserError where a value is nothing to count with,
    and what `draft` raises.
    """
    fields = {ours: arguments[name] for name, ours in _PLAIN.items() if arguments.get(name) is not None}
    fields |= {ours: bool(arguments.get(name)) for name, ours in _SWITCHES.items()}
    fields["whole_prompts"] = arguments.get("enable_chunked_prefill") is False
    dtype = arguments.get("dtype") or "auto"
    fields["dtype"] = DTYPE_ALIASES.get(dtype, dtype)
    fields["kv_cache_dtype"] = _cache_dtype(arguments.get("kv_cache_dtype"), where=where)
    fields["quantization"] = _quantization(arguments.get("quantization"), where=where)
    fields["state_dtype"] = _state_dtype(arguments)
    if arguments.get("enable_lora"):
        adapters, rank = (count_of(arguments, name, usual, where=where) for name, usual in _LORA.items())
        if rank not in (ranks := read_data("memory.yaml")["loraRanks"]):
            raise UserError(
                f"max_lora_rank {rank} is not a rank of vLLM's",
                where=where,
                fix=f"Give one of {', '.join(map(str, ranks))}: the next that is not less than your adapters'.",
            )
        experts = version(vllm) >= version(read_data("memory.yaml")["loraOnExperts"])
        fields["lora"] = LoraSlots(adapters=adapters, rank=rank, experts=experts)
    for name in ("kv_cache_memory_bytes", "num_gpu_blocks_override", "block_size"):
        count_of(arguments, name, 0, where=where)
    fields["uncounted"] = tuple(name for name in read_data("memory.yaml")["notCounted"] if arguments.get(name))
    return Engine(vllm=vllm, **fields, **_speculation(arguments.get("speculative_config"), config, draft, where=where))


def _quantization(said: Any, *, where: str) -> str | None:
    """The method that is asked for; None where it is left to the checkpoint."""
    word = str(said).lower()
    if said is None or word in ("none", "auto"):
        return None
    if method_of(word) is None:
        raise UserError.unknown("quantization method", said, methods(), where=f"{where}: quantization")
    return word


def _cache_dtype(said: Any, *, where: str) -> str:
    """The type of the cache; `auto` where nothing is asked for."""
    data, chosen = read_data("kv_cache.yaml"), str(said or "auto")
    if chosen in data["uncountedCacheDtypes"]:
        counted = ", ".join(data["cacheDtypes"])
        raise UserError(
            f"kv_cache_dtype {chosen} is vLLM's, and its memory is not known here",
            where=where,
            fix=f"Counted: {counted}.",
        )
    if chosen not in data["cacheDtypes"]:
        raise UserError.unknown("type of cache", chosen, data["cacheDtypes"], where=f"{where}: kv_cache_dtype")
    return chosen


def _state_dtype(arguments: Mapping[str, Any]) -> str | None:
    """The type of Mamba state: its own argument, else that of the whole Mamba cache."""
    said = (arguments.get(name) or "auto" for name in ("mamba_ssm_cache_dtype", "mamba_cache_dtype"))
    chosen = next((name for name in said if name != "auto"), None)
    return DTYPE_ALIASES.get(chosen, chosen) if chosen else None


def _speculation(
    said: Any, config: ModelConfig, draft: Callable[[str], Model], *, where: str
) -> dict[str, Model | int | None]:
    """What speculative decoding loads beside the model: a draft model, or the model's own layers (MTP)."""
    if said is None:
        return {}
    said = _json(said, "speculative_config", '{"method": "mtp", "num_speculative_tokens": 1}', where=where)
    where = f"{where}: speculative_config"
    tokens = count_of(said, "num_speculative_tokens", 1, where=where)
    method = str(said.get("method") or "")
    if method in _WITHOUT_WEIGHTS:
        return {"speculative_tokens": tokens}
    if said.get("model") is not None:
        found = draft(str(said["model"]))
        if generation := _EAGLES.get(method or _eagle_by_name(str(said["model"]))):
            # Of its file it may share a part with the model, so it is counted from its configuration.
            found = Model(as_head(found.config, generation))
        return {"speculative_tokens": tokens, "draft": found}
    if method.endswith("mtp"):
        layers = draft_layers(config)
        if not layers:
            raise UserError(
                "the model has no layers of multi-token prediction", where=where, fix="Name a draft `model`."
            )
        return {"speculative_tokens": tokens, "draft_layers": layers}
    raise UserError(
        f"method '{method}' needs a `model`" if method else "neither `model` nor `method`",
        where=where,
        fix='Such as {"model": "…", "num_speculative_tokens": 3}, or {"method": "mtp", "num_speculative_tokens": 1}.',
    )


def overrides_of(arguments: Mapping[str, Any], *, vllm: str, where: str) -> dict[str, Any]:
    """What the engine sets in the model's config.json before it reads it. Raises UserError where that is no object.

    Until 0.12 there were arguments for rotary positions too, which `vllm/config/model.py` puts among them.
    """
    found = dict(_json(arguments.get("hf_overrides") or {}, "hf_overrides", _OVERRIDES, where=where))
    if version(vllm) < (0, 12):
        if scaling := arguments.get("rope_scaling"):
            found["rope_scaling"] = dict(_json(scaling, "rope_scaling", _OVERRIDES, where=where))
        if (base := arguments.get("rope_theta")) is not None:
            found["rope_theta"] = base
    return found


def _eagle_by_name(model: str) -> str:
    """The method that vLLM takes where none is said (`vllm/config/speculative.py`)."""
    return next((method for word, method in (("eagle3", "eagle3"), ("eagle-", "eagle")) if word in model.lower()), "")


def _json(said: Any, name: str, example: str, *, where: str) -> Mapping[str, Any]:
    """An object, which a command line gives as JSON."""
    try:
        said = json.loads(said) if isinstance(said, str) else said
    except ValueError:
        said = None
    if not isinstance(said, Mapping):
        raise UserError(f"{name} is no JSON object", where=where, fix=f"Such as {example}.")
    return said


def count_of(arguments: Mapping[str, Any], name: str, usual: int, *, where: str) -> int:
    """The argument `name`, `usual` where it is not given. Raises UserError where it is no positive whole number."""
    value = arguments.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{name} {value!r} is nothing to count with", where=where, fix="Give a positive number.")
    return value
