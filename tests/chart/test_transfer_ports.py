"""Engines that hand their cache over by NIXL: no two in one pod listen at one port, whoever wrote the values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import GROUP, Render, Values, model

OPTION, VARIABLE = "NIXL_SIDE_CHANNEL_PORT_BASE", "VLLM_NIXL_SIDE_CHANNEL_PORT"
ROLES = {"prefill": "kv_producer", "decode": "kv_consumer"}
SEVERAL = {"deployment_config": {"autoscaling_config": {"max_replicas": 3, "target_ongoing_requests": 8}}}


def nixl(role: str = "kv_both", *, port: int | None = None, engine: Values | None = None, **more: Any) -> Values:
    transfer = {"kv_connector": "NixlConnector", "kv_role": role}
    ports = {"experimental_configs": {OPTION: port}} if port else {}
    return model(engine_kwargs={"kv_transfer_config": transfer, **(engine or {})}, **ports, **more)


def pair(**ports: int) -> Values:
    halves = {half: {"llmConfig": nixl(role, port=ports.get(half))["llmConfig"]} for half, role in ROLES.items()}
    return {"family": "falcon3", **halves}


def among(*connectors: Any) -> Values:
    """NIXL as one of several connectors."""
    several = {"kv_connector": "MultiConnector", "kv_role": "kv_both"}
    return model(
        engine_kwargs={"kv_transfer_config": {**several, "kv_connector_extra_config": {"connectors": [*connectors]}}}
    )


def fleet(gpus: int = 2, /, **models: Values) -> Values:
    """These models, on workers of so many GPUs."""
    return {"models": models, "workerGroups": {GROUP: {"gpusPerWorker": gpus, "maxReplicas": 9}}}


def variable(value: Any) -> Values:
    return {"pods": {"env": {VARIABLE: value}}}


def meets(name: str, other: str, port: int) -> str:
    return (
        f"models.{name}.llmConfig.experimental_configs.{OPTION}: an engine of it and one of models.{other} may come to "
        f"one pod, and both would listen at port {port}, where the second would wait for ever."
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            [fleet(a=pair(), b=pair())],
            [
                f"{meets('b.prefill', 'a.prefill', 20000)} Set it to 22200, or give them other worker groups.",
                f"{meets('b.decode', 'a.decode', 22000)} Set it to 22400",
            ],
        ),
        ([fleet(a=pair(prefill=25000, decode=25000))], [meets("a.decode", "a.prefill", 25000)]),
        ([fleet(a=nixl(**SEVERAL), b=nixl(port=20002))], [meets("b", "a", 20002)]),  # the third replica of a
        ([fleet(4, a=nixl(engine={"data_parallel_size": 2}), b=nixl(port=20002))], [meets("b", "a", 20002)]),
        ([fleet(a=nixl(), b=among({"kv_connector": "NixlConnector"}))], [meets("b", "a", 20000)]),
        ([fleet(a=nixl(runtime_env={"env_vars": {VARIABLE: "20000"}}), b=nixl())], [meets("b", "a", 20000)]),
        (
            [fleet(a=nixl(**SEVERAL)), variable("5600")],
            [
                f"pods.env.{VARIABLE}: every replica would listen at port 5600, and two of them may come to one pod, "
                "where the second would wait for ever. Remove the variable: Ray gives each replica a port of its own, "
                f"from experimental_configs.{OPTION} on."
            ],
        ),
    ],
)
def test_engines_that_would_wait_for_a_port_are_refused(
    render_error: Callable[..., str], values: list[Values], told: list[str]
) -> None:
    message = render_error(values[1:], base=values[0])
    assert [line for line in told if line not in message] == []
    assert message.count("would wait for ever") == len(told)


def test_ports_that_differ_or_never_meet_in_a_pod_render(render: Render) -> None:
    wide = {"tensor_parallel_size": 2}
    other = {"bundle_per_worker": {"GPU": 1, "others": 1}}
    for values in (
        [fleet(a=pair(), b=pair(prefill=20200, decode=22200))],
        [fleet(1, a=pair(), b=pair())],  # one engine fills a pod
        [fleet(a=nixl(engine=wide), b=nixl(engine=wide))],
        [fleet(a=nixl(engine={"data_parallel_size": 2}), b=nixl(engine={"data_parallel_size": 2}))],
        [fleet(a=nixl(engine={"data_parallel_size": 4}), b=nixl(engine={"data_parallel_size": 4}))],
        [
            fleet(a=nixl(), b=nixl(placement_group_config=other)),
            {"workerGroups": {"others": {"gpusPerWorker": 2, "maxReplicas": 1}}},
        ],
        [fleet(a=nixl(**SEVERAL), b=nixl(port=20003))],
        [fleet(a=nixl(), b=model()), variable("5600")],
        [fleet(a=nixl(), b=among("NixlConnector", {"kv_connector": "OffloadingConnector"}))],
        [fleet(a=nixl(**SEVERAL)), variable({"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})],
    ):
        render(list(values))
