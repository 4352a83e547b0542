"""A plan in words for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from generator.facts.prices import prices
from generator.facts.roofline import roofline_factors
from generator.plan.apps import AppPlan
from generator.plan.cost import pool_cost, price_per_gpu_hour, price_per_million_tokens, price_per_replica_hour
from generator.plan.placement import Placement
from generator.plan.plan import Plan
from generator.plan.plans import Home, ModelPlan, PoolPlan
from generator.plan.pools import own_price
from generator.plan.replicas import ExpectedLoad
from generator.program import program
from generator.sizing.weights.divisions import Split
from generator.units import GIB

if TYPE_CHECKING:
    from generator.formats.output import (
        CostPerHour,
        PlannedApp,
        PlannedEnvironment,
        PlannedHalves,
        PlannedHome,
        PlannedLoad,
        PlannedModel,
        PlannedPool,
        PlanOutput,
    )

Style = dict[str, Any]


def plan_lines(plan: Plan) -> Iterator[tuple[str, Style]]:
    """Lines with their click style."""
    release, namespace = plan.release, plan.environment.namespace
    title = f"{plan.environment_name}  (Ray {release.ray}, vLLM {release.vllm}, namespace {namespace})"
    yield title, {"bold": True}
    if not plan.models and not plan.apps:
        environment = plan.environment_name
        yield f"  serves nothing yet: {program()} add NAME --environment {environment}", {}
        return
    width = max(map(len, (*plan.models, *plan.apps)))
    for model in plan.models.values():
        yield f"  {model.name.ljust(width)}  {model_line(model)}", {}
        yield f"  {' ' * width}  {model.why}", {"dim": True}
        if len(model.homes) > 1:
            yield f"  {' ' * width}  {homes_line(model)}", {}
        if model.load:
            yield f"  {' ' * width}  {load_line(model.placement, model.load)}", {}
    for app in plan.apps.values():
        yield f"  {app.name.ljust(width)}  {app_line(app)}", {}
    for pool in plan.pools.values():
        style = {"fg": "yellow"} if pool.workers_peak > pool.workers_max else {}
        yield f"  {pool_line(pool)}", style
    for line in (*_quality_lines(plan), *_cost_lines(plan), *_assumption_lines(plan)):
        yield f"  {line}", {}
    for warning in plan.warnings:
        yield f"  note: {warning}", {"fg": "yellow"}


def model_line(model: ModelPlan) -> str:
    """`1 x L4-24GB  weights 13.9 + other 1.9 + KV 5.1 of 20.3 GiB usable; 47,104 tokens = 5.7 x 8,192; …`."""
    placement, memory = model.placement, model.placement.memory
    split = f" ({_split_in_words(placement.split)})" if placement.split.gpus > 1 else ""
    each = " each" if placement.split.gpus > 1 else ""
    count = (
        f"1/{round(1 / placement.gpu_share)} of {_article(placement.node_pool.label)}"
        if placement.gpu_share < 1
        else f"{placement.split.gpus} x"
    )
    cache, tokens = f" + KV {memory.kv_gib:.1f}", f"{memory.kv_tokens:,} tokens = {memory.concurrency:.1f} x"
    if not memory.kv_tokens:  # an encoder reads a text at once and keeps nothing
        cache, tokens = "", "no cache, texts up to"
    return (
        f"{count} {placement.node_pool.label}{split} on {', else '.join(model.pool_names)}  "
        f"weights {memory.weights_gib:.1f} + other {memory.other_gib:.1f}{cache} "
        f"of {memory.usable_gib:.1f} GiB usable{each}; {tokens} {placement.shape.context:,}; "
        f"{model.sequences} sequences{' each' if placement.split.data > 1 else ''}; "
        f"replicas {model.replicas.min} to {model.replicas.max}{_scaling(model)}"
    )


def _split_in_words(split: Split) -> str:
    ranks = f", data {split.data}" if split.data > 1 else ""
    return f"tensor {split.tensor}, pipeline {split.pipeline}{ranks}"


def _scaling(model: ModelPlan) -> str:
    """`, at least 3 by its schedule`, where something else than requests decides."""
    scaling = model.scaling
    if scaling is None:
        return ""
    if scaling.schedule:
        return f", at least {scaling.schedule.most} by its schedule"
    return f", by {scaling.policy.function}" if scaling.policy else ", set from outside"


def homes_line(model: ModelPlan) -> str:
    """`spot: 1 to 2 replicas (room for 2, 0.35 USD an hour each); on-demand: 0 to 3 replicas (…)`."""
    parts = []
    for home, placement in zip(model.homes, model.placements, strict=True):
        price = price_per_replica_hour(placement)
        cost = f", {price:.2f} {prices().currency} an hour each" if price is not None else ""
        parts.append(f"{home.node_pool.name}: {home.least} to {home.most} replicas (room for {home.room}{cost})")
    return "; ".join(parts)


def _article(name: str) -> str:
    """`an` before letters that are spoken with a vowel first (L4, A100, H100, RTX), as GPU types are named."""
    return "an" if name[:1] in "AEFHILMNORSX" else "a"


def load_line(placement: Placement, load: ExpectedLoad) -> str:
    """`a replica serves 3.1 requests/s, 51 at once; first token in 0.4 s, then 0.021 s each; …`."""
    price = price_per_million_tokens(placement, load)
    cost = f"; {price:.2f} {prices().currency} per million tokens" if price is not None else ""
    return (
        f"a replica serves {load.planned_per_second:.3g} requests/s, {load.requests_at_once} at once; "
        f"{load.latency}{cost}"
    )


def _quality_lines(plan: Plan) -> Iterator[str]:
    """How near the best the assignment is."""
    cost, bound = plan.assignment.cost, plan.assignment.bound
    if not cost:
        return
    unit = prices().currency if plan.is_priced else "GB of GPUs"
    if cost == bound:
        yield f"placement: {cost / 1000:,.6g} {unit} at minimum, and no plan of these models takes less"
    else:
        yield (
            f"placement: {cost / 1000:,.6g} {unit} at minimum, at most {(cost - bound) / cost:.1%} above the best "
            f"(none takes less than {bound / 1000:,.6g})"
        )


def _cost_lines(plan: Plan) -> Iterator[str]:
    """What it costs; nothing where a pool in use has no price."""
    total = plan_cost(plan)
    if total is None:
        return
    priced = [pool.name for pool in plan.pools.values() if own_price(pool.node_pool.pool) is not None]
    listed = any(pool.workers_peak and pool.node_pool.gpu and pool.name not in priced for pool in plan.pools.values())
    whose = " and ".join(
        [*(["your prices"] if priced else []), *([f"list prices ({prices().list})"] if listed else [])]
    )
    yield f"cost per hour: {total[0]:,.2f} {prices().currency} at minimum, {total[1]:,.2f} at peak; {whose}"


def plan_cost(plan: Plan) -> tuple[float, float] | None:
    """Of one hour of all GPU pools, at minimum and at peak. None where one in use has no price, or there is none."""
    used = [pool for pool in plan.pools.values() if pool.node_pool.gpu and pool.workers_peak]
    costs = [pool_cost(pool) for pool in used]
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs):
        return None
    return sum(cost[0] for cost in known), sum(cost[1] for cost in known)


def _assumption_lines(plan: Plan) -> Iterator[str]:
    if any(model.load for model in plan.models.values()):
        assumed = roofline_factors()
        yield (
            f"assumed of every GPU: {assumed.bandwidth_share:.0%} of its bandwidth when decoding, "
            f"{assumed.compute_share:.0%} of its dense operations when reading prompts, "
            f"{assumed.step_seconds * 1e3:g} ms and {assumed.seconds_per_layer * 1e6:g} us for each layer of a step, "
            f"replicas {assumed.busy_share:.0%} busy; nothing was measured"
        )


def app_line(app: AppPlan) -> str:
    """`app, 1 x L4-24GB on small-model-workers; 64 sequences; replicas 1 to 1`."""
    return (
        f"app, {app.gpus} x {app.node_pool.label} on {app.node_pool.name}; {app.app.sequences} sequences; "
        f"replicas {app.replicas.min} to {app.replicas.max}"
    )


def pool_line(pool: PoolPlan) -> str:
    node_pool = pool.node_pool
    unit = f"{pool.slots_per_worker} x {node_pool.label}" if node_pool.gpu else f"{pool.slots_per_worker} CPU replicas"
    disk = f" and {pool.disk_gib_per_worker} GiB of disk" if pool.disk_gib_per_worker else ""
    return (
        f"pool {pool.name}: {node_pool.pool.nodes} nodes, worker pods of {unit}{disk}; "
        f"{pool.workers_min} at minimum, {pool.workers_peak} at peak, of {pool.workers_max}{_price(pool)}"
    )


def _price(pool: PoolPlan) -> str:
    price = price_per_gpu_hour(pool.node_pool)
    return f"; {price:g} {prices().currency} a GPU-hour" if price is not None else ""


def plans_json(plans: Iterable[Plan]) -> PlanOutput:
    return {"version": 1, "environments": {plan.environment_name: plan_json(plan) for plan in plans}}


def plan_json(plan: Plan) -> PlannedEnvironment:
    return {
        "ray": plan.release.ray,
        "vllm": plan.release.vllm,
        "namespace": plan.environment.namespace,
        "placement": {
            "cost": plan.assignment.cost / 1000,
            "lower_bound": plan.assignment.bound / 1000,
            "unit": prices().currency if plan.is_priced else "GB",
        },
        "cost_per_hour": _cost_json(plan),
        "models": {model_id: _served_json(parts) for model_id, parts in plan.by_id.items()},
        "apps": {name: _app_json(app) for name, app in plan.apps.items()},
        "pools": {name: _pool_json(pool) for name, pool in plan.pools.items()},
        "warnings": [
            {"kind": warning.kind, "subject": warning.subject, "text": warning.text} for warning in plan.warnings
        ],
    }


def _cost_json(plan: Plan) -> CostPerHour | None:
    total = plan_cost(plan)
    if total is None:
        return None
    return {"currency": prices().currency, "minimum": round(total[0], 4), "peak": round(total[1], 4)}


def _load_json(placement: Placement, load: ExpectedLoad) -> PlannedLoad:
    price = price_per_million_tokens(placement, load)
    return {
        "requests_per_second": round(load.planned_per_second, 4),
        "requests_at_once": load.requests_at_once,
        "target_ongoing_requests": load.target_ongoing_requests,
        "ttft_s": round(load.ttft_s, 4),
        "tpot_s": round(load.tpot_s, 5),
        "in_time": load.in_time,
        "price_per_million_tokens": None if price is None else round(price, 4),
    }


def _served_json(parts: Sequence[ModelPlan]) -> PlannedModel | PlannedHalves:
    """The model, or its prefill and decode."""
    if parts[0].half is None:
        return _model_json(parts[0])
    prefill, decode = map(_model_json, parts)
    return {"family": parts[0].family, "source": parts[0].source, "prefill": prefill, "decode": decode}


def _model_json(model: ModelPlan) -> PlannedModel:
    placement, memory = model.placement, model.placement.memory
    return {
        "family": model.family,
        "source": model.source,
        "served_model_name": model.served_name,
        "pool": placement.node_pool.name,
        "pools": [_home_json(home, place) for home, place in zip(model.homes, model.placements, strict=True)],
        "gpu": placement.node_pool.gpu.name if placement.node_pool.gpu else None,
        "gpus": placement.split.gpus if placement.node_pool.gpu else 0,
        "gpu_share": placement.gpu_share,
        "why": model.why,
        "tensor_parallel_size": placement.split.tensor,
        "pipeline_parallel_size": placement.split.pipeline,
        "data_parallel_size": placement.split.data,
        "dtype": placement.shape.dtype,
        "max_model_len": placement.shape.context,
        "max_num_seqs": model.sequences,
        "max_num_batched_tokens": placement.shape.batched_tokens,
        "min_replicas": model.replicas.min,
        "max_replicas": model.replicas.max,
        "scheduled_min_replicas": model.scaling.schedule.most if model.scaling and model.scaling.schedule else None,
        "surge": model.surge,
        "load": _load_json(placement, model.load) if model.load else None,
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
        "max_concurrency": round(memory.concurrency, 2) if memory.kv_tokens else None,
        "max_model_len_that_fits": memory.longest_context,
        "cache_layout_exact": memory.layout.exact,
        "download_gib": round(sum(one.bytes for one in model.downloads) / GIB, 3),
    }


def _home_json(home: Home, placement: Placement) -> PlannedHome:
    price = price_per_replica_hour(placement)
    return {
        "pool": home.node_pool.name,
        "gpu": home.node_pool.gpu.name if home.node_pool.gpu else None,
        "room": home.room,
        "min_replicas": home.least,
        "max_replicas": home.most,
        "price_per_replica_hour": None if price is None else round(price, 4),
    }


def _app_json(app: AppPlan) -> PlannedApp:
    return {
        "pool": app.node_pool.name,
        "gpu": app.node_pool.gpu.name if app.node_pool.gpu else None,
        "gpus": app.gpus if app.node_pool.gpu else 0,
        "max_num_seqs": app.app.sequences,
        "min_replicas": app.replicas.min,
        "max_replicas": app.replicas.max,
        "surge": app.surge,
    }


def _pool_json(pool: PoolPlan) -> PlannedPool:
    node_pool = pool.node_pool
    return {
        "gpu": node_pool.gpu.name if node_pool.gpu else None,
        "nodes": node_pool.pool.nodes,
        "slots_per_node": node_pool.slots_per_node,
        "slots_per_worker": pool.slots_per_worker,
        "workers_min": pool.workers_min,
        "workers_any_order": pool.workers_any_order,
        "workers_peak": pool.workers_peak,
        "workers_max": pool.workers_max,
        "disk_gib_per_worker": pool.disk_gib_per_worker,
        "price_per_gpu_hour": price_per_gpu_hour(node_pool),
    }
