"""An environment's own words of serving, in Ray's: the part of an LLMConfig that they mean."""

from __future__ import annotations

from collections.abc import Iterator

from generator.documents.merge import JsonObject, merged
from generator.errors import UserError
from generator.facts.disk import disk_facts
from generator.facts.files import read_data
from generator.facts.releases import RayRelease
from generator.formats.environment import ModelService
from generator.formats.serving_words import Adapters, KvOffload
from generator.units import quantity_gib

USUAL_ADAPTERS_AT_ONCE = 4
"""A slot is memory of every GPU, and a step with many adapters is slower for all."""


def in_rays_words(model_id: str, stated: ModelService, release: RayRelease, *, standard: str, where: str) -> JsonObject:
    """What `adapters`, `router` and `kvOffload` of a model mean. Raises UserError where it cannot be had.

    `standard` is what keeps the environment on the standard path, empty on the throughput path.
    """
    parts: list[JsonObject] = []
    if stated.router is not None:
        parts.append(_router(stated.router, release, standard=standard, where=where))
    if stated.adapters is not None:
        parts.append(_adapters(model_id, stated.adapters, release, standard=standard, where=where))
    if stated.kvOffload is not None:
        parts.append(_kv_offload(stated.kvOffload, stated.llmConfig, release, where=where))
    return merged(*parts)


def _router(name: str, release: RayRelease, *, standard: str, where: str) -> JsonObject:
    if name not in release.request_routers:
        raise UserError(
            f"Ray {release.ray} has no router '{name}'",
            where=where,
            fix=f"It has {', '.join(release.request_routers)}. Or take a later Ray release.",
        )
    path = release.path_of_routers.get(name)
    if path == "throughput" and standard:
        raise UserError(
            f"router '{name}' is of the throughput path, and the environment is on the standard path by {standard}",
            where=where,
            fix="Take that out, or another router.",
        )
    if path == "standard" and not standard:
        others = [each for each in release.request_routers if each not in release.path_of_routers]
        raise UserError(
            f"router '{name}' is of the standard path: on the throughput path HAProxy sends the requests, and the "
            "router is told of none",
            where=where,
            fix=f"Say `chart: {{serving: {{path: standard}}}}`, or take {' or '.join(others)}.",
        )
    router = {"request_router_class": release.request_routers[name]}
    return {"deployment_config": {"request_router_config": router}}


def _adapters(model_id: str, adapters: Adapters, release: RayRelease, *, standard: str, where: str) -> JsonObject:
    where = f"{where}.adapters"
    at_once = adapters.maxAtOnce or min(len(adapters.sources or ()) or USUAL_ADAPTERS_AT_ONCE, USUAL_ADAPTERS_AT_ONCE)
    engine: JsonObject = {
        "enable_lora": True,
        "max_loras": at_once,
        "max_lora_rank": _slot_rank(adapters.maxRank, where=where),
    }
    if adapters.bucket is not None:
        _check_bucket(adapters.bucket, release, where=where)
        # As many in the host's memory as Ray has on the disk, so that none is read twice.
        kept = max(at_once, disk_facts().adapters_of_a_replica)
        lora = {"dynamic_lora_loading_path": adapters.bucket, "max_num_adapters_per_replica": kept}
        return {"lora_config": lora, "engine_kwargs": {**engine, "max_cpu_loras": kept}}
    if standard:
        raise UserError(
            f"model '{model_id}': adapters from `sources` are served on the throughput path alone, because the "
            f"standard path's ingress looks them up in a bucket; the environment is on the standard path by {standard}",
            where=where,
            fix="Take that out, or put the adapters into a bucket and say `bucket`.",
        )
    modules = list(_modules(model_id, adapters.sources or {}, where=where))
    return {"engine_kwargs": {**engine, "max_cpu_loras": max(at_once, len(modules)), "lora_modules": modules}}


def _modules(model_id: str, sources: dict[str, str], *, where: str) -> Iterator[JsonObject]:
    for name, source in sources.items():
        if "://" in source:
            raise UserError(
                f"adapter '{name}' is at {source}, and an engine loads adapters from a folder or from the hub",
                where=f"{where}.sources",
                fix="Say the folder above it as `bucket`, or give the path of a volume or a hub id.",
            )
        yield {"name": f"{model_id}:{name}", "path": source, "base_model_name": model_id}


def _slot_rank(largest: int, *, where: str) -> int:
    """The next rank that vLLM has slots of."""
    ranks: list[int] = read_data("memory.yaml")["loraRanks"]
    if largest > ranks[-1]:
        raise UserError(
            f"maxRank {largest} is more than vLLM's largest, {ranks[-1]}",
            where=where,
            fix=f"Give {ranks[-1]} or less: the largest rank (`r`) in the adapters' adapter_config.json.",
        )
    return next(rank for rank in ranks if rank >= largest)


def _check_bucket(bucket: str, release: RayRelease, *, where: str) -> None:
    if not bucket.startswith(tuple(release.bucket_schemes)):
        raise UserError(
            f"bucket '{bucket}' is none that Ray {release.ray} reads",
            where=where,
            fix=f"It begins with one of {', '.join(release.bucket_schemes)}. What lies in the image or a volume is "
            "said as `sources`.",
        )


def _kv_offload(offload: KvOffload, stated: JsonObject, release: RayRelease, *, where: str) -> JsonObject:
    """The engine's part; how much of the memory each process of LMCache has follows from the GPUs of a replica."""
    where = f"{where}.kvOffload"
    if (stated.get("engine_kwargs") or {}).get("kv_transfer_config"):
        raise UserError(
            "kvOffload and kv_transfer_config in llmConfig.engine_kwargs each name the one connector of an engine",
            where=where,
            fix="Keep one of them.",
        )
    if offload.backend == "lmcache":
        connector = {"kv_connector": "LMCacheConnectorV1", "kv_role": "kv_both"}
        return {"engine_kwargs": {"kv_transfer_config": connector, "disable_hybrid_kv_cache_manager": True}}
    if "kv_offloading_size" not in release.engine_arguments():
        raise UserError(
            f"vLLM {release.vllm} has no KV offload of its own",
            where=where,
            fix="Say `backend: lmcache` with an image that has LMCache, or take a later Ray release.",
        )
    gib = quantity_gib(offload.memory)
    return {"engine_kwargs": {"kv_offloading_size": int(gib) if gib.is_integer() else gib}}
