"""Prefill and decode of several models, and of ranks, in pods where each engine needs a port of its own."""

from __future__ import annotations

from typing import Any

import pytest

from generator.errors import UserError
from generator.formats.catalog import Catalog
from generator.plan.plan import Plan, make_plan
from generator.values import family_values
from tests.support.builders import catalog, environment, llama, model

POOL = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": 64}
APART: dict[str, Any] = {"prefill": {}, "decode": {}, "replicas": {"min": 1, "max": 1}}
TWO = {"min": 1, "max": 2}


def plan(family: str, models: dict[str, Any], known: Catalog) -> Plan:
    served = environment({"p": POOL}, serve={family: {"models": models}})
    return make_plan("test", served, known, where="test.yaml")


def several(models: dict[str, Any]) -> Plan:
    return plan("family", models, catalog(family={name: model() for name in models}))


def ranks(*, beside: bool, **entry: Any) -> Plan:
    """Of a mixture, in pods of two GPUs, or in larger ones for the model `beside`."""
    experts = model(
        llama(
            name="Qwen3MoeForCausalLM",
            intermediate_size=2048,
            num_experts=8,
            num_experts_per_tok=2,
            moe_intermediate_size=2048,
        )
    )
    models = {"mixture": {**APART, **engine(data_parallel_size=2), **entry}}
    models |= {"wide": engine(tensor_parallel_size=4)} if beside else {}
    return plan("family", models, catalog(family={"mixture": experts, "wide": model()}))


def engine(**arguments: int) -> dict[str, Any]:
    return {"llmConfig": {"engine_kwargs": arguments}}


def test_each_model_with_halves_has_ports_of_its_own() -> None:
    written = family_values(several({"a": APART, "whole": {}, "b": APART}), "family")["models"]
    assert "experimental_configs" not in written["whole"]["llmConfig"]
    ports = [
        [written[name][half]["llmConfig"].get("experimental_configs") for half in ("prefill", "decode")]
        for name in "ab"
    ]
    first = [None, None]  # Ray's own: 20000 and 22000
    assert ports == [first, [{"NIXL_SIDE_CHANNEL_PORT_BASE": port} for port in (20200, 22200)]]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({f"m{n}": APART for n in range(11)}, "11 models have prefill and decode, and there are ports for 10"),
        (
            {"a": APART, "b": {**APART, "decode": {"replicas": {"min": 1, "max": 101}}}},
            r"model 'b \(decode\)': 101 replicas of 1 GPUs need more than the 200 ports",
        ),
    ],
)
def test_models_for_whose_engines_there_are_no_ports_are_refused(models: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        several(models)


def test_groups_of_ranks_that_meet_in_a_pod_are_refused() -> None:
    with pytest.raises(UserError, match=r"'mixture \(prefill\)': two of its groups of ranks may come to one pod"):
        ranks(beside=True, prefill={"replicas": TWO})
    assert ranks(beside=True).models
    assert ranks(beside=False, replicas=TWO).models  # each fills a pod
