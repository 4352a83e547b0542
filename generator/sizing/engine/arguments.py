"""vLLM's engine arguments, by vLLM's names, as far as memory depends on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from generator.documents.json import parse_json
from generator.errors import UserError, cut
from generator.facts.files import read_data, version
from generator.facts.vllm_quantization import method_of, methods
from generator.sizing.config.config import ModelConfig
from generator.sizing.engine.engine import Engine
from generator.sizing.model import Model
from generator.sizing.weights.decoder import draft_layers
from generator.sizing.weights.eagle import Generation, as_head
from generator.sizing.weights.rank import DTYPE_ALIASES, LoraSlots

_EAGLES: Mapping[str, Generation] = {"eagle": 1, "eagle3": 3}
_LORA = {"max_loras": 1, "max_lora_rank": 16}
"""vLLM's own values where nothing is said (`vllm/config/lora.py`)."""
_OVERRIDES = (
    '{"rope_parameters": {"rope_type": "yarn", "rope_theta": 1000000, "factor": 4.0, '
    '"original_max_position_embeddings": 32768}}'
)
_SPECULATION = '{"method": "mtp", "num_speculative_tokens": 1}'
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
    dtype = arguments.get("dtype") or "auto"
    engine = Engine(
        vllm=vllm,
        dtype=DTYPE_ALIASES.get(dtype, dtype),
        runner=_runner(arguments),
        context=arguments.get("max_model_len"),
        sequences=arguments.get("max_num_seqs"),
        batched_tokens=arguments.get("max_num_batched_tokens"),
        utilization=arguments.get("gpu_memory_utilization"),
        kv_cache_dtype=_cache_dtype(arguments.get("kv_cache_dtype"), where=where),
        quantization=_quantization(arguments.get("quantization"), where=where),
        allow_deprecated=bool(arguments.get("allow_deprecated_quantization")),
        eager=bool(arguments.get("enforce_eager")),
        whole_prompts=arguments.get("enable_chunked_prefill") is False,
        expert_parallel=bool(arguments.get("enable_expert_parallel")),
        block_tokens=_count(arguments, "block_size", where=where),
        prefix_caching=arguments.get("enable_prefix_caching"),
        state_dtype=_state_dtype(arguments),
        text_only=bool(arguments.get("language_model_only")),
        lora=_lora(arguments, vllm, where=where),
        cache_bytes=_count(arguments, "kv_cache_memory_bytes", where=where),
        cache_blocks=_count(arguments, "num_gpu_blocks_override", where=where),
        windows_keep_all=bool(arguments.get("disable_hybrid_kv_cache_manager")),
        uncounted=tuple(name for name in read_data("memory.yaml")["notCounted"] if arguments.get(name)),
    )
    return _with_speculation(engine, arguments.get("speculative_config"), config, draft, where=where)


def _runner(arguments: Mapping[str, Any]) -> str:
    runner, convert = (str(arguments.get(word) or "auto") for word in ("runner", "convert"))
    return "pooling" if runner == "auto" and convert not in ("auto", "none") else runner


def _count(arguments: Mapping[str, Any], name: str, *, where: str) -> int | None:
    """The argument `name`, None where it is not given; checked as `count_of` does."""
    return count_of(arguments, name, 0, where=where) or None


def _lora(arguments: Mapping[str, Any], vllm: str, *, where: str) -> LoraSlots | None:
    """Slots for adapters, where they are enabled."""
    if not arguments.get("enable_lora"):
        return None
    adapters, rank = (count_of(arguments, name, usual, where=where) for name, usual in _LORA.items())
    if rank not in (ranks := read_data("memory.yaml")["loraRanks"]):
        raise UserError(
            f"max_lora_rank {rank} is not a rank of vLLM's",
            where=where,
            fix=f"Give one of {', '.join(map(str, ranks))}: the next that is not less than your adapters'.",
        )
    experts = version(vllm) >= version(read_data("memory.yaml")["loraOnExperts"])
    return LoraSlots(adapters=adapters, rank=rank, experts=experts)


def _quantization(requested: Any, *, where: str) -> str | None:
    """The method that is asked for; None where it is left to the checkpoint."""
    word = str(requested).lower()
    if requested is None or word in ("none", "auto"):
        return None
    if method_of(word) is None:
        raise UserError.unknown("quantization method", requested, methods(), where=f"{where}: quantization")
    return word


def _cache_dtype(requested: Any, *, where: str) -> str:
    """The type of the cache; `auto` where nothing is asked for."""
    data, chosen = read_data("kv_cache.yaml"), str(requested or "auto")
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
    requested = (arguments.get(name) or "auto" for name in ("mamba_ssm_cache_dtype", "mamba_cache_dtype"))
    chosen = next((name for name in requested if name != "auto"), None)
    return DTYPE_ALIASES.get(chosen, chosen) if chosen else None


def _with_speculation(
    engine: Engine, stated: Any, config: ModelConfig, draft: Callable[[str], Model], *, where: str
) -> Engine:
    """The engine with what speculative decoding loads beside the model: a draft model, or the model's own layers."""
    if stated is None:
        return engine
    speculation = _json(stated, "speculative_config", _SPECULATION, where=where)
    where = f"{where}: speculative_config"
    engine = engine._replace(speculative_tokens=count_of(speculation, "num_speculative_tokens", 1, where=where))
    method = str(speculation.get("method") or "")
    if method in _WITHOUT_WEIGHTS:
        return engine
    if speculation.get("model") is not None:
        return engine._replace(draft=_draft(str(speculation["model"]), method, draft))
    if method.endswith("mtp"):
        layers = draft_layers(config)
        if not layers:
            raise UserError(
                "the model has no layers of multi-token prediction", where=where, fix="Name a draft `model`."
            )
        return engine._replace(draft_layers=layers)
    raise UserError(
        f"method '{method}' needs a `model`" if method else "neither `model` nor `method`",
        where=where,
        fix='Such as {"model": "…", "num_speculative_tokens": 3}, or {"method": "mtp", "num_speculative_tokens": 1}.',
    )


def draft_of(arguments: Mapping[str, Any], *, where: str) -> str | None:
    """The draft model that `speculative_config` names, in its words; None where nothing else is loaded."""
    stated = arguments.get("speculative_config")
    if stated is None:
        return None
    speculation = _json(stated, "speculative_config", _SPECULATION, where=where)
    without = str(speculation.get("method") or "") in _WITHOUT_WEIGHTS
    return None if without or speculation.get("model") is None else str(speculation["model"])


def _draft(name: str, method: str, draft: Callable[[str], Model]) -> Model:
    """The draft model; of EAGLE's heads the part that they do not share with the model."""
    model = draft(name)
    generation = _EAGLES.get(method or _eagle_by_name(name))
    # Of its file it may share a part with the model, so it is counted from its configuration.
    return Model(as_head(model.config, generation)) if generation else model


def overrides_of(arguments: Mapping[str, Any], *, vllm: str, where: str) -> dict[str, Any]:
    """What the engine sets in the model's config.json before it reads it. Raises UserError where that is no object.

    Until 0.12 there were arguments for rotary positions too, which `vllm/config/model.py` puts among them.
    """
    overrides = dict(_json(arguments.get("hf_overrides") or {}, "hf_overrides", _OVERRIDES, where=where))
    if version(vllm) < (0, 12):
        if scaling := arguments.get("rope_scaling"):
            overrides["rope_scaling"] = dict(_json(scaling, "rope_scaling", _OVERRIDES, where=where))
        if (base := arguments.get("rope_theta")) is not None:
            overrides["rope_theta"] = base
    return overrides


def _eagle_by_name(model: str) -> str:
    """The method that vLLM takes where none is said (`vllm/config/speculative.py`)."""
    return next((method for word, method in (("eagle3", "eagle3"), ("eagle-", "eagle")) if word in model.lower()), "")


def _json(stated: Any, name: str, example: str, *, where: str) -> Mapping[str, Any]:
    """An object, which a command line gives as JSON."""
    try:
        value = parse_json(stated) if isinstance(stated, str) else stated
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, Mapping):
        raise UserError(f"{name} is no JSON object", where=where, fix=f"Such as {example}.")
    return value


def count_of(arguments: Mapping[str, Any], name: str, usual: int, *, where: str) -> int:
    """The argument `name`, `usual` where it is not given. Raises UserError where it is no positive whole number."""
    value = arguments.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(
            f"{name} {cut(repr(value))} is nothing to count with", where=where, fix="Give a positive number."
        )
    return value
