"""Where a model can run that names several pools: alike on all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from generator.errors import UserError
from generator.facts.releases import RayRelease
from generator.plan.placement import Placement, Search, batched_tokens
from generator.plan.pools import NodePool
from generator.plan.requirements import ModelRequirements
from generator.plan.splits import on_one_node
from generator.sizing.weights.divisions import Split


def on_all(
    requirements: ModelRequirements, pools: Sequence[NodePool], release: RayRelease, *, where: str
) -> list[list[Placement]]:
    """Ways to run the model alike on every pool: for each the placements, pool by pool. The smallest comes first.

    A deployment has one set of engine arguments, so split, sequences and batched tokens are what all pools hold.
    Raises UserError where there is none.
    """
    who = f"model '{requirements.name}' names the pools {', '.join(pool.name for pool in pools)}"
    _refuse(who, requirements, pools, release, where=where)
    tokens = requirements.engine.batched_tokens or min(batched_tokens(requirements, pool.gpu) for pool in pools)
    alike = replace(requirements, engine=requirements.engine._replace(batched_tokens=tokens))
    search = Search(alike, release)
    tried: list[list[Placement]] = []
    found = []
    for part in _parts(alike, pools):
        tried.append([search.at(pool, *part) for pool in pools])
        if all(placement.enough for placement in tried[-1]):
            found.append(_alike(tried[-1], below=tried[-2:-1]))
            if not requirements.has_latency_target:
                break
    if not found:
        raise _never_alike(who, tried, requirements, where=where)
    return found


def _refuse(
    who: str, requirements: ModelRequirements, pools: Sequence[NodePool], release: RayRelease, *, where: str
) -> None:
    """Raise UserError for a pool that cannot run the model whatever its memory, and for CPUs beside GPUs."""
    if len({pool.gpu is None for pool in pools}) > 1:
        raise UserError(
            f"{who}, of which some have GPUs and some have none: a replica asks Ray for the one or for the other",
            where=where,
            fix="Name pools of GPUs alone, or of CPUs alone.",
        )
    search = Search(requirements, release)
    for pool in pools:
        if refusal := search.refusal(pool):
            raise UserError(
                f"{who}, and {pool.name} cannot run it: {refusal}",
                where=where,
                fix=f"Take {pool.name} out of `pool`, or change what it says.",
            )


def _parts(requirements: ModelRequirements, pools: Sequence[NodePool]) -> Iterator[tuple[Split, float]]:
    """Splits and shares of a GPU that all pools have, the smallest first.

    On one node, since the stages of a pipeline could come to lie on two pools. Parts of a GPU are taken of one type
    alone: of another the same bytes are another part.
    """
    first, *others = [list(on_one_node(requirements, pool)) for pool in pools]
    one_type = len({pool.gpu for pool in pools}) == 1
    for part in first:
        if all(part in other for other in others) and (part[1] == 1 or one_type):
            yield part


def _alike(placements: Sequence[Placement], *, below: Sequence[Sequence[Placement]]) -> list[Placement]:
    """The same with the sequences that all of them hold; `below` is what was tried with fewer GPUs, or nothing."""
    sequences = min(placement.sequences for placement in placements)
    narrower = [place.memory for place in below[0]] if below else [None] * len(placements)
    return [
        placement._replace(sequences=sequences, narrower=memory)
        for placement, memory in zip(placements, narrower, strict=True)
    ]


def _beside(placement: Placement, requirements: ModelRequirements) -> str:
    """Why the memory beside its GPUs is too little; nothing where it is not."""
    return requirements.host.refusal(placement.node_pool, placement.split.tensor * placement.gpu_share)


def _never_alike(
    who: str, tried: Sequence[Sequence[Placement]], requirements: ModelRequirements, *, where: str
) -> UserError:
    what = f"{who}, and does not run alike on all of them"
    if tried:
        tightest = min(tried[-1], key=lambda placement: placement.memory.kv_gib)
        memory, pool = tightest.memory, tightest.node_pool
        lacks = (
            memory.refusal
            or next((why for place in tried[-1] if (why := _beside(place, requirements))), "")
            or f"it lacks {memory.missing_gib:.1f} GiB for one request of {memory.shape.context:,} tokens"
        )
        what += f": with {tightest.split.gpus} x {pool.label} of {pool.name} {lacks}"
    else:
        what += ": no number of GPUs divides it on each of them, on one node"
    return UserError(
        what,
        where=where,
        fix="Its engine arguments are the same wherever its replicas go. Name pools that hold it with as many GPUs "
        "each, or give it a second id in the catalog and serve that from the other pool.",
    )
