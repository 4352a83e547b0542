"""vLLM's own front end reads what is said to be its alone, Ray's calls read nothing of `vllm serve`'s server, and vLLM
0.29.0 has them all."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from ray.serve.llm import build_openai_app
from vllm import envs
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import FrontendArgs, make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser

from generator.facts.releases import releases
from tests.contract.ray_2_60_0.replica import MODEL, ON_CPU, Replica, checkpoint

NAMES = releases()["2.60.0"].frontend_arguments
FIELDS = {field.name for field in dataclasses.fields(FrontendArgs)}
STREAM = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "stream": True}
# What the engine takes is no word of the front end alone.
OF_THE_ENGINE = {field.name for field in dataclasses.fields(AsyncEngineArgs)}


@dataclasses.dataclass
class Reads:
    """What was taken of the arguments and of the environment, on each path."""

    standard: set[str]
    throughput: set[str]


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Reads:
    """Ray's two calls of vLLM's front end, and a request to what it serves on the throughput path."""
    replica = Replica(checkpoint(tmp_path_factory.mktemp("checkpoint")))
    replica.configuration(ON_CPU)
    replica.engine()
    with noted() as (standard, arguments):
        replica.front_end(arguments)
    with noted() as (throughput, arguments):
        replica.args.__class__ = arguments
        client = TestClient(replica.application(), raise_server_exceptions=False)
        client.post("/v1/chat/completions", json=STREAM)
    assert "__dict__" not in standard | throughput  # which would be all of them
    return Reads(standard, throughput)


@contextmanager
def noted() -> Iterator[tuple[set[str], type[argparse.Namespace]]]:
    """What is read here: of arguments of the class that is given beside it, and of vLLM's variables."""
    found: set[str] = set()

    class Noted(argparse.Namespace):
        def __getattribute__(self, name: str) -> Any:
            found.add(name)
            return super().__getattribute__(name)

    def noting(name: str, read: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: (found.add(name), read())[1]

    with pytest.MonkeyPatch.context() as patch:
        for name, read in envs.environment_variables.items():
            patch.setitem(envs.environment_variables, name, noting(name, read))
        yield found, Noted


@pytest.mark.parametrize("kind", ["app", "server"])
def test_vllms_server_has_each_argument(kind: str) -> None:
    flags = {action.dest for action in make_arg_parser(FlexibleArgumentParser())._actions}

    assert set(NAMES[kind]) <= FIELDS & flags
    assert not set(NAMES[kind]) & OF_THE_ENGINE


def test_what_vllms_own_front_end_alone_reads_is_known(reads: Reads) -> None:
    assert set(NAMES["app"]) == (reads.throughput - reads.standard) & FIELDS - OF_THE_ENGINE


def test_variables_of_vllms_own_front_end_are_read_by_it_alone(reads: Reads) -> None:
    assert set(NAMES["variables"]) <= reads.throughput - reads.standard


def test_what_is_of_a_server_that_ray_does_not_start_is_read_by_neither(reads: Reads) -> None:
    assert not set(NAMES["server"]) & (reads.throughput | reads.standard)


@pytest.mark.parametrize(("direct", "answers"), [(False, "OpenAiIngress"), (True, f"LLMServer:{MODEL}")])
def test_rays_own_ingress_is_told_nothing_of_vllms_front_end(
    monkeypatch: pytest.MonkeyPatch, direct: bool, answers: str
) -> None:
    switch = "ray.llm._internal.serve.core.ingress.builder.RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING"
    monkeypatch.setattr(switch, direct)
    source = {"model_loading_config": {"model_id": MODEL, "model_source": "some-team/m"}}
    config = {**source, "engine_kwargs": {"api_key": ["very-secret"]}}

    ingress = build_openai_app({"llm_configs": [config]})._bound_deployment

    assert ingress.name == answers
    assert ("very-secret" in repr((ingress.init_args, ingress.init_kwargs))) == direct
