"""Prefill and decode of a model in two deployments: what cannot be served so, and what the halves must have alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from generator.documents.merge import JsonObject
from generator.errors import UserError, cut
from generator.facts.disaggregation import disaggregation
from generator.facts.releases import RayRelease
from generator.formats.environment import Environment
from generator.plan.plans import ModelPlan, PlanWarning
from generator.plan.requirements import ModelRequirements, at
from generator.sizing.cache.specs import AttentionSpec, MambaSpec, MlaSpec, PackedMlaSpec
from generator.sizing.config.architectures import makes_vectors
from generator.sizing.model import Model


def check_half(requirements: ModelRequirements, release: RayRelease, *, where: str) -> None:
    """Raise UserError where the model, or the release, has no prefill and decode of its own."""
    if requirements.half is None:
        return
    who, model = f"model '{requirements.model_id}'", requirements.sized
    if not release.prefill_decode:
        raise UserError(
            f"{who} has prefill and decode, and for Ray {release.ray} none can be written that work",
            where=where,
            fix="Take a later Ray release, or serve it without `prefill` and `decode`.",
        )
    if makes_vectors(model.config) or model.takes_whole_prompts:
        raise UserError(
            f"{who} has prefill and decode, and {model.config.named} does not answer token by token: there is nothing "
            "to decode",
            where=where,
            fix="Serve it without `prefill` and `decode`.",
        )
    if requirements.host.offload_gib:
        raise UserError(
            f"{who} has kvOffload, and prefill and decode: each names the one connector of an engine",
            where=where,
            fix="Keep one of them.",
        )
    if (requirements.pipeline_parallel or 1) > 1:
        raise UserError(
            f"model '{requirements.name}': {disaggregation().connector} hands over no cache of pipeline stages",
            where=where,
            fix="Take pipeline_parallel_size out, or serve the model without `prefill` and `decode`.",
        )


def halves_faults(halves: Sequence[ModelPlan], sized: Model, *, where: str) -> Iterator[UserError]:
    """Why decode could not take the cache that prefill makes, as vLLM's NixlConnector checks it."""
    prefill, decode = halves
    if any(_connector(half) != disaggregation().connector for half in halves):
        return  # people who say another one know what that one asks
    place, who = f"{where}: serve.{prefill.family}.{prefill.model_id}", f"model '{prefill.model_id}'"
    for what, fix in (*_different_arguments(prefill, decode), *_different_devices(prefill, decode, sized)):
        yield UserError(f"{who}: {what}", where=place, fix=fix)
    if refused := _tensor_refusal(prefill.placement.split.tensor, decode.placement.split.tensor, sized):
        yield UserError(
            f"{who}: {refused}",
            where=place,
            fix="Say llmConfig.engine_kwargs.tensor_parallel_size of one half as the other has it.",
        )


def _connector(half: ModelPlan) -> str:
    stated = at(half.llm_config, "engine_kwargs.kv_transfer_config.kv_connector")
    return str(stated or disaggregation().connector)


def _different_arguments(prefill: ModelPlan, decode: ModelPlan) -> Iterator[tuple[str, str]]:
    for argument, because in disaggregation().alike.items():
        said = [at(half.llm_config, f"engine_kwargs.{argument}") for half in (prefill, decode)]
        if said[0] != said[1]:
            words = " and ".join(
                f"{_said(value)} of {half.half}" for value, half in zip(said, (prefill, decode), strict=True)
            )
            yield (
                f"{argument} is {words}, and {because}",
                "Say it once, in the model's own llmConfig, or alike in both halves.",
            )
    sources = [at(half.llm_config, "model_loading_config.model_source") or half.source for half in (prefill, decode)]
    if sources[0] != sources[1]:
        yield "its halves have two sources", "Say `source` once, for the model: both load the same checkpoint."


def _said(value: Any) -> str:
    return "not said" if value is None else cut(str(value))


def _different_devices(prefill: ModelPlan, decode: ModelPlan, sized: Model) -> Iterator[tuple[str, str]]:
    """Cache layouts that differ by the hardware: GPUs and CPUs, two makers, or two attention backends."""
    places = [place for half in (prefill, decode) for place in half.placements]
    gpus = [place.node_pool.gpu for place in places]
    names = (
        f"{prefill.node_pool.label} ({prefill.node_pool.name}) and {decode.node_pool.label} ({decode.node_pool.name})"
    )
    if len({gpu and gpu.amd for gpu in gpus}) > 1 or len({gpu is None for gpu in gpus}) > 1:
        yield (
            f"prefill and decode are on {names}, whose caches are laid out differently",
            ("Name pools of one kind for both halves."),
        )
        return
    if len({place.shape.kv_cache_dtype for place in places}) > 1:
        yield f"entries of the cache are of another type on {names}", "Say kv_cache_dtype in the model's own llmConfig."
    if at(prefill.llm_config, "engine_kwargs.attention_backend"):
        return
    latents = any(isinstance(cache, (MlaSpec, PackedMlaSpec)) for cache in sized.caches.caches)
    backends = {
        disaggregation().backend(gpu.compute_capability, latents=latents): gpu.name for gpu in gpus if gpu is not None
    }
    if len(backends) > 1:
        found = ", ".join(f"{backend} on {gpu}" for backend, gpu in backends.items())
        yield (
            f"vLLM takes another attention backend for each half ({found}), and their caches are laid out differently",
            "Say one that both GPU types have, as attention_backend in the model's own llmConfig.engine_kwargs, or "
            "name pools of one generation.",
        )


def _tensor_refusal(prefill: int, decode: int, sized: Model) -> str:
    """vllm/distributed/kv_transfer/kv_connector/utils.py:481-498, v1/nixl/base_worker.py:1873-1879 (0.29.0)."""
    if max(prefill, decode) % min(prefill, decode):
        return f"prefill is divided over {prefill} GPUs and decode over {decode}; one must be a multiple of the other"
    heads = [cache.heads for cache in sized.caches.caches if isinstance(cache, AttentionSpec)]
    if prefill > decode and heads and sized.caches.state is None and prefill > min(heads):
        return (
            f"prefill repeats its {min(heads)} key-value heads over {prefill} GPUs, and decode, on {decode}, cannot "
            "take them together"
        )
    return ""


def halves_warnings(halves: Sequence[ModelPlan], environment: Environment) -> Iterator[PlanWarning]:
    """What the image must have, where it is not Ray's own for NVIDIA's GPUs."""
    for half in halves:
        pools = [home.node_pool for home in half.homes]
        own_image = _has_own_image(environment.chart) or any(pool.pool.workerGroup.get("image") for pool in pools)
        if own_image or any(pool.gpu is None or pool.gpu.amd for pool in pools):
            amd = any(pool.gpu and pool.gpu.amd for pool in pools)
            packages = "nixl_rocm" if amd else " and ".join(disaggregation().packages)
            yield half.warning(f"the image of its workers must have {packages}, by which the cache is handed over")


def _has_own_image(chart: JsonObject) -> bool:
    return bool(at(chart, "image") or at(chart, "pods.image"))


def kv_transfer_config(model: ModelPlan) -> JsonObject:
    """vLLM's argument of a half."""
    assert model.half is not None
    facts = disaggregation()
    buffer = {} if model.node_pool.gpu else {"kv_buffer_device": facts.cpu_buffer}
    return {"kv_connector": facts.connector, "kv_role": facts.roles[model.half], **buffer}


def transfer_variables(model: ModelPlan) -> Mapping[str, str]:
    """Variables of a half's engine without which its cache is not handed over."""
    states = any(isinstance(group.cache, MambaSpec) for group in model.placement.memory.layout.groups)
    return disaggregation().state_layout if model.half and states else {}
