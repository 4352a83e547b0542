"""Planned prefill and decode, and data parallel ranks, are what Ray's own builders make applications of."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import Any

import pytest
from ray.serve.llm import LLMConfig, build_dp_openai_app, build_pd_openai_app
from vllm.config.kv_transfer import KVTransferConfig

from generator.facts.disaggregation import disaggregation
from generator.formats.environment import Environment
from generator.plan.plan import Plan, make_plan
from generator.project.library import library
from generator.values import family_values
from tests.contract.rendered import deployment_names

L4 = {"gpu": "L4-24GB", "gpusPerNode": 2, "nodes": 8, "memoryPerNode": "96Gi"}
CPUS = {"nodes": 2, "cpusPerNode": 4, "memoryPerNode": "64Gi"}


def planned(family: str, model: str, entry: dict[str, Any], pool: dict[str, Any]) -> tuple[Plan, dict[str, Any]]:
    """The plan, and the model's values."""
    serve = {family: {"models": {model: {"context": 4096, "sequences": 8, **entry}}}}
    environment = Environment.model_validate({"namespace": "ai", "ray": "2.60.0", "pools": {"p": pool}, "serve": serve})
    plan = make_plan("test", environment, library(), where="test.yaml")
    return plan, family_values(plan, family)["models"][model]


def named(config: dict[str, Any], model: str) -> dict[str, Any]:
    """As the chart completes it."""
    return {**config, "model_loading_config": {**config["model_loading_config"], "model_id": model}}


def test_ray_builds_prefill_and_decode_of_the_plan() -> None:
    model = "llama-3.2-1b-instruct"
    for pool in (L4, CPUS):
        entry = {"prefill": {"replicas": {"min": 2, "max": 2}}, "decode": {"replicas": {"min": 1, "max": 1}}}
        _, values = planned("llama-3", model, entry, pool)
        halves = {half: named(values[half]["llmConfig"], model) for half in ("prefill", "decode")}
        application = build_pd_openai_app({f"{half}_config": config for half, config in halves.items()})
        assert deployment_names(application) >= {"Prefill:llama-3_2-1b-instruct", "Decode:llama-3_2-1b-instruct"}
        for half, config in halves.items():
            transfer = KVTransferConfig(**LLMConfig(**config).engine_kwargs["kv_transfer_config"])
            assert transfer.is_kv_producer == (half == "prefill")
            assert transfer.is_kv_consumer == (half == "decode")
            assert transfer.kv_buffer_device == ("cpu" if pool is CPUS else KVTransferConfig().kv_buffer_device)


def test_ray_makes_groups_of_the_planned_ranks() -> None:
    from ray.llm._internal.serve.serving_patterns.data_parallel.dp_server import DPServer

    words = {"engine_kwargs": {"data_parallel_size": 4, "enable_expert_parallel": True}}
    plan, values = planned("gpt-oss", "gpt-oss-20b", {"llmConfig": words, "replicas": {"min": 1, "max": 2}}, L4)
    config = named(values["llmConfig"], "gpt-oss-20b")
    assert "DPServer:gpt-oss-20b" in deployment_names(build_dp_openai_app({"llm_config": config}))
    options = DPServer.get_deployment_options(LLMConfig(**config))
    scaling, group = options["autoscaling_config"], options["gang_scheduling_config"]
    assert group.gang_size == 4
    assert (scaling["min_replicas"], scaling["max_replicas"]) == (4, 8)
    gpus = sum(bundle["GPU"] for bundle in options["placement_group_bundles"]) * group.gang_size
    assert gpus == plan.models["gpt-oss-20b"].gpus


@pytest.mark.parametrize("said", [{}, {"NIXL_SIDE_CHANNEL_PORT_BASE": 25000}])
@pytest.mark.parametrize("half", ["prefill", "decode"])
def test_a_half_listens_from_the_port_that_is_known_or_said(
    monkeypatch: pytest.MonkeyPatch, half: str, said: dict[str, int]
) -> None:
    from ray.llm._internal.serve.engines.vllm.kv_transfer.nixl import NixlConnectorBackend
    from ray.llm._internal.serve.serving_patterns.prefill_decode.builder import PDServingArgs

    monkeypatch.setenv("VLLM_NIXL_SIDE_CHANNEL_PORT", "")  # restored at the end
    monkeypatch.delenv("VLLM_NIXL_SIDE_CHANNEL_PORT")
    channel = disaggregation().side_channel
    transfer = {"kv_connector": disaggregation().connector, "kv_role": "kv_both"}
    config = {
        "model_loading_config": {"model_id": "m", "model_source": "a/b"},
        "engine_kwargs": {"kv_transfer_config": transfer, "data_parallel_rank": 1},
        "experimental_configs": said,
    }
    arguments = PDServingArgs.model_validate({"prefill_config": config, "decode_config": config})
    NixlConnectorBackend(getattr(arguments, f"{half}_config"))._set_side_channel_port()
    first = said.get(channel.option, channel.first[half])
    assert os.environ["VLLM_NIXL_SIDE_CHANNEL_PORT"] == str(first + 1)


def test_no_variable_is_needed_for_a_network_without_rdma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UCX, which NIXL brings, may use every transport that is there, so TCP where there is nothing else."""
    from nixl._api import nixl_agent

    monkeypatch.delenv("UCX_TLS", raising=False)
    agent = nixl_agent("asked")
    assert agent.backends.keys() == {"UCX"}
    loaded = re.search(r"/\S+/libucp[^/\s]*", Path("/proc/self/maps").read_text(encoding="utf-8"))
    assert loaded
    ucx, libc = ctypes.CDLL(loaded[0]), ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    config, written = ctypes.c_void_p(), tmp_path / "ucx.conf"

    assert ucx.ucp_config_read(None, None, ctypes.byref(config)) == 0
    file = ctypes.c_void_p(libc.fopen(str(written).encode(), b"w"))
    ucx.ucp_config_print(config, file, b"UCX", 1)  # the values alone
    libc.fclose(file)

    assert "UCX_TLS=all" in written.read_text(encoding="utf-8").splitlines()
