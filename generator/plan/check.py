"""What is wrong with a plan, and what people should know of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from generator.documents.merge import JsonObject
from generator.errors import UserError
from generator.facts.disk import disk_facts
from generator.facts.releases import RayRelease
from generator.formats.access import is_open, why_open
from generator.plan.apps import AppPlan
from generator.plan.node_disk import KEEP_ELSEWHERE
from generator.plan.plans import ModelPlan, PlanWarning, PoolPlan, Served
from generator.plan.requirements import at
from generator.plan.spread_notes import spread_warnings
from generator.plan.upgrade import in_place, surge_percent, workers_at_once
from generator.units import GIB

TOKEN = (
    "the hub gives it only to accounts that accepted its license: make a Secret of such an account's token "
    "(kubectl create secret generic hf-token --from-file=token=FILE, in the release's namespace), and name it in the "
    "environment (`chart: {huggingFace: {existingSecret: hf-token}}`)"
)
"""What a gated model needs."""


def plan_faults(
    models: Iterable[ModelPlan], apps: Iterable[AppPlan], pools: Iterable[PoolPlan], *, where: str
) -> Iterator[UserError]:
    """What cannot run as planned."""
    models_on: dict[str, list[ModelPlan]] = defaultdict(list)
    apps_on: dict[str, list[AppPlan]] = defaultdict(list)
    for model in models:
        yield from _sequences_faults(model, where=where)
        for home in model.homes:
            models_on[home.node_pool.name].append(model)
    for app in apps:
        apps_on[app.node_pool.name].append(app)
    for pool in pools:
        yield from _cpu_faults(pool, models_on[pool.name], where=where)
        yield from _disk_faults(pool, models_on[pool.name], where=where)
        yield from _room_faults(pool, [*models_on[pool.name], *apps_on[pool.name]], where=where)


def name_faults(
    models: Iterable[ModelPlan], chart: JsonObject, release: RayRelease, *, where: str
) -> Iterator[UserError]:
    """Two models behind one route that Ray would give one deployment."""
    if at(chart, "serving.routing") != "unified":
        return
    known: dict[str, ModelPlan] = {}
    for model in models:
        other = known.setdefault(release.model_deployment(model.served_name), model)
        if other.model_id != model.model_id:
            yield UserError(
                f"models '{other.model_id}' and '{model.model_id}' are behind one route, and clients name them "
                f"'{other.served_name}' and '{model.served_name}', of which Ray makes one deployment's name",
                where=f"{where}: serve.{model.family}.{model.model_id}",
                fix="Give one of them another `servedModelName`, or each its own route (`serving.routing: perModel`).",
            )


def plan_warnings(
    models: Collection[ModelPlan],
    apps: Collection[AppPlan],
    pools: Mapping[str, PoolPlan],
    release: RayRelease,
    *,
    chart: JsonObject,
) -> Iterator[PlanWarning]:
    """What runs, and its users may feel."""
    rolls = in_place(chart)
    surge = surge_percent(at(chart, "upgradeStrategy") or {})
    yield from spread_warnings(models, apps, pools, release)
    for model in models:
        if rolls:
            yield from _surge_warnings(model)
        yield from _memory_warnings(model)
        yield from _load_warnings(model)
        yield from _image_needs(model, release)
    for app in apps:
        if rolls:
            yield from _surge_warnings(app)
    for pool in pools.values():
        yield from _pool_warnings(pool)
        yield from _disk_warnings(pool)
        if not rolls:
            yield from _second_cluster_warnings(pool, [*models, *apps], surge)
        if pool.node_pool.gpu and pool.node_pool.gpu.note:
            yield _of_pool(pool, pool.node_pool.gpu.note)


def access_warnings(name: str, chart: JsonObject, release: RayRelease) -> Iterator[PlanWarning]:
    """What an environment leaves open, because it says so."""
    if is_open(chart, release):
        yield PlanWarning(kind="environment", subject=name, text=why_open(release.ray))


def token_warnings(models: Iterable[ModelPlan], chart: JsonObject) -> Iterator[PlanWarning]:
    """Gated models that workers would ask the hub for without a token."""
    variables = at(chart, "pods.env") or {}
    if at(chart, "huggingFace.existingSecret") or {"HF_TOKEN", "HF_ENDPOINT"} & variables.keys():
        return
    for model in models:
        of_hub = any(download.name.startswith(f"{model.model.source}@") for download in model.downloads)
        if model.model.gated and of_hub:
            yield model.warning(TOKEN)


def _image_needs(model: ModelPlan, release: RayRelease) -> Iterator[PlanWarning]:
    """What of an image its words need that Ray's own does not promise."""
    router = at(model.llm_config, "deployment_config.request_router_config.request_router_class")
    connector = at(model.llm_config, "engine_kwargs.kv_transfer_config.kv_connector")
    if router and router == release.request_routers.get("kvAware"):
        yield model.warning("its router needs ai-dynamo in the image, and answers every request with 503 without it")
    if str(connector).startswith("LMCache"):
        yield model.warning("its engine needs LMCache in the image, and does not start without it")


def _of_pool(pool: PoolPlan, text: str) -> PlanWarning:
    return PlanWarning(kind="pool", subject=pool.name, text=text)


def _sequences_faults(model: ModelPlan, *, where: str) -> Iterator[UserError]:
    requested = at(model.llm_config, "engine_kwargs.max_num_seqs")
    if requested and requested > model.sequences:
        yield UserError(
            f"model '{model.name}': max_num_seqs {requested} is more than the {model.sequences} sequences whose "
            "shortest form the cache holds",
            where=f"{where}: serve.{model.family}.{model.model_id}",
            fix="Ask with `sequences`, which is lowered to what fits, or for a smaller number.",
        )


def _cpu_faults(pool: PoolPlan, models: Iterable[ModelPlan], *, where: str) -> Iterator[UserError]:
    pod_cpus = pool.node_pool.cpus_per_node * pool.slots_per_worker / pool.node_pool.slots_per_node
    for model in models:
        cpus = at(model.llm_config, "deployment_config.ray_actor_options.num_cpus")
        if cpus and cpus > pod_cpus:
            yield UserError(
                f"model '{model.name}': a replica of {cpus:g} CPUs fits no worker pod of pool '{pool.name}', "
                f"which has {pod_cpus:g}",
                where=f"{where}: pools.{pool.name}",
                fix="Ask for fewer (num_cpus), or raise the pool's cpusPerNode.",
            )


def _disk_faults(pool: PoolPlan, models: Iterable[ModelPlan], *, where: str) -> Iterator[UserError]:
    disk, each = pool.node_pool.disk.gib, pool.disk_gib_per_worker
    needed = min(max(1, pool.workers_min), pool.workers_max)
    if disk is not None and pool.workers_by_disk < needed:
        held = [f"{one.name} {sum(d.bytes for d in one.downloads) / GIB:.1f}" for one in models if one.downloads]
        yield UserError(
            f"pool '{pool.name}': {needed} worker pods are needed, and its nodes' disks of {disk:.4g} GiB hold "
            f"{pool.workers_by_disk}: each asks for {each} GiB, {disk_facts().allowance_gib} of them for logs and "
            f"kernels (GiB of files: {', '.join(held)})",
            where=f"{where}: pools.{pool.name}",
            fix=f"Give nodes a larger disk (`diskPerNode`), serve fewer models there, or {KEEP_ELSEWHERE}.",
        )


def _room_faults(pool: PoolPlan, on_pool: Iterable[Served], *, where: str) -> Iterator[UserError]:
    if pool.workers_min > pool.workers_max:
        unit = pool.node_pool.label if pool.node_pool.gpu else "CPU slots"
        here = [(m, home.least) for m in on_pool for home in m.homes if home.node_pool.name == pool.name]
        parts = ", ".join(f"{m.name} {least} x {m.gpus}" for m, least in here if least)
        yield UserError(
            f"pool '{pool.name}' cannot hold its models at minimum: {pool.workers_min} worker pods of "
            f"{pool.slots_per_worker} {unit} are needed and {pool.workers_max} can be ({parts})",
            where=f"{where}: pools.{pool.name}",
            fix="Add nodes or a pool, serve fewer models, or let some go to zero (`replicas: {min: 0, max: 1}`).",
        )


def _pool_warnings(pool: PoolPlan) -> Iterator[PlanWarning]:
    if pool.shape.slots_unsure:
        yield _of_pool(
            pool,
            "Ray spreads replicas, so that small ones may leave no pod whole for a wide one: in any "
            f"order its models find room in {pool.workers_any_order} worker pods, and {pool.workers_max} can be; "
            "start the widest first, or give them a pool of their own",
        )
    if pool.workers_peak > pool.workers_max:
        yield _of_pool(
            pool,
            f"at peak its models would take {pool.workers_peak} worker pods of {pool.workers_max}; "
            "they grow in the order of their load, the rest waits",
        )


def _disk_warnings(pool: PoolPlan) -> Iterator[PlanWarning]:
    disk, each = pool.node_pool.disk.gib, pool.disk_gib_per_worker
    if disk is None:
        return
    in_time = pool.node_pool.disk.request_gib(pool.files_in_time) * min(pool.workers_per_node, pool.workers_peak)
    if pool.workers_by_disk < min(pool.workers_max, pool.workers_peak):
        yield _of_pool(
            pool,
            f"its nodes' disks of {disk:.4g} GiB hold {pool.workers_by_disk} of {pool.workers_max} worker pods, "
            f"which ask for {each} GiB each; the rest waits",
        )
    elif pool.files_in_time > pool.files_at_once and in_time > disk:
        yield _of_pool(
            pool,
            "what a replica downloaded stays when it goes: if all models came to one node, their files and all else "
            f"would take {in_time} GiB of its disk, which has {disk:.4g}; a claim keeps them once (modelCache)",
        )


def _second_cluster_warnings(pool: PoolPlan, served: Iterable[Served], surge: int) -> Iterator[PlanWarning]:
    homes = [home for one in served for home in one.homes if home.node_pool.name == pool.name]
    short = workers_at_once(homes, pool.units_per_worker, surge) - pool.workers_max
    if surge and pool.workers_min and short > 0:
        unit = (
            f"{short * pool.slots_per_worker} {pool.node_pool.label}" if pool.node_pool.gpu else f"{short} worker pods"
        )
        how = "beside the old one" if surge == 100 else f"that takes over in steps of {surge} %"
        yield _of_pool(
            pool,
            f"a changed model makes a new cluster {how}, which takes {unit} more than the pool has, so it "
            "waits until some are free; `chart: {serving: {delivery: inline}}` changes models in place",
        )


def _surge_warnings(served: Served) -> Iterator[PlanWarning]:
    if served.replicas.min and not served.surge:
        pools = [home.node_pool.name for home in served.homes]
        full = f"pool {pools[0]} has no" if len(pools) == 1 else f"none of the pools {', '.join(pools)} has"
        text = f"{full} room for one more replica, so an in-place update stops a replica before its successor starts"
        yield served.warning(text)


def _memory_warnings(model: ModelPlan) -> Iterator[PlanWarning]:
    memory = model.placement.memory
    if not memory.layout.exact:
        yield model.warning(f"cache estimated ({memory.layout.why})")
    yield from (model.warning(note) for note in (*memory.weights_notes, *memory.model_notes))
    if memory.ranges and not memory.surely_fits:
        low = memory.ranges["kv_cache"].low
        yield model.warning(
            f"at the unfavourable end of what is known {low:.1f} GiB are left for the cache, too little for a request "
            f"of {memory.context:,} tokens, and vLLM would not start: ask for a shorter `context`, or a larger pool"
        )
    if model.at_once < model.sequences:
        length = "as expected" if model.expected else "half its context; `expect` says another length"
        yield model.warning(
            f"its cache holds {model.at_once} requests of {model.usual_tokens:,} tokens ({length}), fewer than its "
            f"{model.sequences} sequences, so a replica counts as full with them"
        )
    if model.sequences < model.placement.shape.sequences:
        yield model.warning(
            f"{model.placement.shape.sequences} sequences are asked for and the cache holds "
            f"{model.sequences} at once; the rest waits",
        )


def _load_warnings(model: ModelPlan) -> Iterator[PlanWarning]:
    load = model.load
    if load is None:
        if model.expected:
            why = f"nothing is known of the speed of {model.node_pool.label}"
            if model.placement.split.data > 1:
                why = "nothing is known of the speed of data parallel ranks"
            if not model.placement.memory.kv_tokens:
                why = "it keeps no cache, and the speed is known of models that generate"
            yield model.warning(f"{why}, so `expect` decides no replicas; say them")
        return
    if not load.in_time:
        yield model.warning(f"slower than `expect` asks on every pool: {load.latency}")
    wanted = load.replicas
    if model.replicas.min < wanted.min or model.replicas.max < wanted.max:
        yield model.warning(
            f"`expect` would take {wanted.min} to {wanted.max} replicas, and `replicas` says "
            f"{model.replicas.min} to {model.replicas.max}",
        )
