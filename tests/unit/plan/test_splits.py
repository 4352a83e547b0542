"""How a pool can divide a model, and the words in which it refuses one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from generator.facts.releases import release
from generator.formats.environment import ModelService, Pool
from generator.plan.pools import NodePool, node_pools
from generator.plan.requirements import Asked, ModelRequirements, requirements_of
from generator.plan.splits import on_one_node, over_stages, pool_refusal
from tests.support.builders import catalog, model

NODE = {"gpu": "L4-24GB", "gpusPerNode": 4, "nodes": 2}
RAY = release("2.60.0", where="test")


def pool(**fields: Any) -> NodePool:
    return node_pools({"p": Pool(**{**NODE, **fields})}, chart={}, where="test")["p"]


def cpus() -> NodePool:
    return node_pools({"p": Pool(cpusPerNode=8, memoryPerNode="32Gi", nodes=1)}, chart={}, where="test")["p"]


def requirements(**fields: Any) -> ModelRequirements:
    """Of a model with 12 heads and 4 key-value heads, in 28 layers."""
    asked = requirements_of(
        Asked("family", "m", None, ModelService()), catalog(family={"m": model()}), vllm="0.29.0", where="test"
    )
    return replace(asked, **fields)


def test_a_pool_refuses_nothing_that_the_plan_may_decide():
    for node_pool in (pool(), pool(share=True), cpus()):
        assert pool_refusal(requirements(), node_pool, RAY) == ""


@pytest.mark.parametrize(
    ("asked", "node_pool", "words"),
    [
        ({"tensor_parallel": 2}, cpus(), "an engine on CPUs is one worker"),
        ({"pipeline_parallel": 2}, cpus(), "an engine on CPUs is one worker"),
        ({"gpu_share": 0.5}, pool(), "its models do not share GPUs"),
        ({"tensor_parallel": 2}, pool(share=True), "a model of several GPUs shares none"),
        ({"tensor_parallel": 8}, pool(), "tensor_parallel_size is 8, and a node has 4 GPUs"),
        ({"tensor_parallel": 3}, pool(), "on a node the model can be divided by 1, 2, 4"),
        ({"pipeline_parallel": 3}, pool(), "it can have 2 pipeline stages"),
    ],
)
def test_what_a_pool_cannot_do_is_refused_in_words(asked: dict[str, Any], node_pool: NodePool, words: str):
    assert words in pool_refusal(requirements(**asked), node_pool, RAY)


def test_on_one_node_the_narrowest_split_comes_first():
    assert [(split.tensor, share) for split, share in on_one_node(requirements(), pool())] == [
        (1, 1.0),
        (2, 1.0),
        (4, 1.0),
    ]


def test_a_shared_gpu_is_tried_from_its_smallest_share():
    assert [share for _, share in on_one_node(requirements(), pool(share=True))] == [0.125, 0.25, 0.5, 1.0]


def test_stages_are_as_wide_as_a_node_and_no_more_than_there_are_nodes():
    stages = [(split.tensor, split.pipeline) for split, _ in over_stages(requirements(), pool(nodes=3), RAY)]
    assert stages == [(4, 2), (4, 3)]


def test_a_release_that_cannot_name_the_pool_in_its_bundles_has_no_stages():
    assert not list(over_stages(requirements(), pool(), release("2.49.1", where="test")))
