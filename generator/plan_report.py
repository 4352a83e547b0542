"""A plan in words for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .app_plan import AppPlan
from .model_plan import ModelPlan
from .plan import Plan
from .pool_plan import PoolPlan

Style = dict[str, Any]


def plan_lines(plan: Plan) -> Iterator[tuple[str, Style]]:
    """Lines with their click style."""
    release, namespace = plan.release, plan.environment.namespace
    title = f"{plan.environment_name}  (Ray {release.ray}, vLLM {release.vllm}, namespace {namespace})"
    yield title, {"bold": True}
    width = max(map(len, (*plan.models, *plan.apps)))
    for model in plan.models.values():
        yield f"  {model.model_id.ljust(width)}  {model_line(model)}", {}
    for app in plan.apps.values():
        yield f"  {app.name.ljust(width)}  {app_line(app)}", {}
    for pool in plan.pools.values():
        style = {"fg": "yellow"} if pool.peak_workers > pool.most_workers else {}
        yield f"  {pool_line(pool)}", style
    for warning in plan.warnings:
        yield f"  note: {warning}", {"fg": "yellow"}


def model_line(model: ModelPlan) -> str:
    """`1 x L4-24GB  weights 13.9 + other 1.9 + KV 5.1 of 20.3 GiB usable; 47,104 tokens = 5.7 x 8,192; …`."""
    place, memory = model.place, model.place.memory
    split = f" (tensor {place.split.tensor}, pipeline {place.split.pipeline})" if place.split.gpus > 1 else ""
    each = " each" if place.split.gpus > 1 else ""
    return (
        f"{place.split.gpus} x {place.hardware.label}{split} on {place.hardware.name}  "
        f"weights {memory.weights_gib:.1f} + other {memory.other_gib:.1f} + KV {memory.kv_gib:.1f} "
        f"of {memory.usable_gib:.1f} GiB usable{each}; {memory.kv_tokens:,} tokens = "
        f"{memory.concurrency:.1f} x {place.shape.context:,}; {model.sequences} sequences; "
        f"replicas {model.replicas.min} to {model.replicas.max}"
    )


def app_line(app: AppPlan) -> str:
    """`app, 1 x L4-24GB on small-model-workers; 64 sequences; replicas 1 to 1`."""
    return (
        f"app, {app.gpus} x {app.hardware.label} on {app.hardware.name}; {app.app.sequences} sequences; "
        f"replicas {app.replicas.min} to {app.replicas.max}"
    )


def pool_line(pool: PoolPlan) -> str:
    hardware = pool.hardware
    unit = f"{pool.slots_per_worker} x {hardware.label}" if hardware.gpu else f"{pool.slots_per_worker} CPU replicas"
    return (
        f"pool {pool.name}: {hardware.pool.nodes} nodes, worker pods of {unit}; at the least "
        f"{pool.least_workers}, at peak {pool.peak_workers} of {pool.most_workers}"
    )


def plan_json(plan: Plan) -> dict[str, Any]:
    """GiB as floats, tokens as integers."""
    return {
        "ray": plan.release.ray,
        "vllm": plan.release.vllm,
        "namespace": plan.environment.namespace,
        "models": {model_id: _model_json(model) for model_id, model in plan.models.items()},
        "apps": {name: _app_json(app) for name, app in plan.apps.items()},
        "pools": {name: _pool_json(pool) for name, pool in plan.pools.items()},
        "warnings": plan.warnings,
    }


def _model_json(model: ModelPlan) -> dict[str, Any]:
    place, memory = model.place, model.place.memory
    return {
        "family": model.family,
        "source": model.source,
        "pool": place.hardware.name,
        "gpu": place.hardware.gpu.name if place.hardware.gpu else None,
        "gpus": place.split.gpus if place.hardware.gpu else 0,
        "tensor_parallel_size": place.split.tensor,
        "pipeline_parallel_size": place.split.pipeline,
        "dtype": place.shape.dtype,
        "max_model_len": place.shape.context,
        "max_num_seqs": model.sequences,
        "max_num_batched_tokens": place.shape.batched_tokens,
        "min_replicas": model.replicas.min,
        "max_replicas": model.replicas.max,
        "surge": model.surge,
        "memory_per_gpu": {
            "usable_gib": round(memory.usable_gib, 3),
            "weights_gib": round(memory.weights_gib, 3),
            "activation_gib": round(memory.activation_gib, 3),
            "non_torch_gib": round(memory.non_torch_gib, 3),
            "cuda_graph_gib": round(memory.cuda_graph_gib, 3),
            "margin_gib": round(memory.margin_gib, 3),
            "kv_cache_gib": round(memory.kv_gib, 3),
        },
        "kv_cache_tokens": memory.kv_tokens,
        "max_concurrency": round(memory.concurrency, 2),
        "max_model_len_that_fits": memory.longest_context,
        "cache_layout_exact": memory.layout.exact,
    }


def _app_json(app: AppPlan) -> dict[str, Any]:
    return {
        "pool": app.hardware.name,
        "gpu": app.hardware.gpu.name if app.hardware.gpu else None,
        "gpus": app.gpus if app.hardware.gpu else 0,
        "max_num_seqs": app.app.sequences,
        "min_replicas": app.replicas.min,
        "max_replicas": app.replicas.max,
        "surge": app.surge,
    }


def _pool_json(pool: PoolPlan) -> dict[str, Any]:
    hardware = pool.hardware
    return {
        "gpu": hardware.gpu.name if hardware.gpu else None,
        "nodes": hardware.pool.nodes,
        "per_node": hardware.slots_per_node,
        "per_worker": pool.slots_per_worker,
        "workers_at_the_least": pool.least_workers,
        "workers_at_peak": pool.peak_workers,
        "workers_at_most": pool.most_workers,
    }
