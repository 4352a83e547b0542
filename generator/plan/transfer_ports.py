"""Where the engines of prefill and decode listen for each other: no two in one pod at one port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from generator.documents.merge import JsonObject
from generator.errors import UserError
from generator.facts.disaggregation import disaggregation
from generator.plan.plans import ModelPlan, PoolPlan


def first_port(model: ModelPlan, models: Iterable[ModelPlan]) -> JsonObject:
    """Ray's option of a half: the first port of its replicas. The first model has Ray's own, and none is said."""
    if model.half is None:
        return {}
    channel = disaggregation().side_channel
    number = [other.model_id for other in models if other.half == "prefill"].index(model.model_id)
    return {channel.option: channel.first[model.half] + number * channel.ports} if number else {}


def port_faults(
    pairs: Sequence[tuple[ModelPlan, ModelPlan]], pools: Mapping[str, PoolPlan], *, where: str
) -> Iterator[UserError]:
    """Engines that would wait for ever, because another one of their pod has their port."""
    channel = disaggregation().side_channel
    if len(pairs) > channel.most_models:
        yield UserError(
            f"{len(pairs)} models have prefill and decode, and there are ports for {channel.most_models}",
            where=f"{where}: serve",
            fix="Serve some of them in another environment.",
        )
    for half in (half for pair in pairs for half in pair):
        place = f"{where}: serve.{half.family}.{half.model_id}"
        # While replicas are replaced there are up to twice as many.
        if len(pairs) > 1 and 2 * half.replicas.max * half.gpus > channel.ports:
            yield UserError(
                f"model '{half.name}': {half.replicas.max} replicas of {half.gpus} GPUs need more than the "
                f"{channel.ports} ports that each half has where several models have prefill and decode",
                where=place,
                fix="Serve it in another environment, or with fewer replicas.",
            )
        if half.placement.split.data > 1 and half.replicas.max > 1 and _meet(half, pools):
            yield UserError(
                f"model '{half.name}': two of its groups of ranks may come to one pod, where ranks of one number "
                "listen at one port",
                where=place,
                fix="Say `replicas: {min: 1, max: 1}` of this half, or take data_parallel_size out.",
            )


def _meet(half: ModelPlan, pools: Mapping[str, PoolPlan]) -> bool:
    """Whether a pod has room for parts of two of its replicas."""
    return any(
        pools[home.node_pool.name].slots_per_worker * home.node_pool.units // home.piece > 1 for home in half.homes
    )
