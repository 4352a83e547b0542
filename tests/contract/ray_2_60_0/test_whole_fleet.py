"""Ray 2.60.0 and vLLM 0.29.0 take what is generated of every model that is known, down to the last key."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ray.serve.config import AutoscalingConfig
from ray.serve.llm import LLMConfig, build_openai_app
from ray.serve.schema import ServeDeploySchema
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import FrontendArgs

from tests.contract.rendered import Case, Rendered, deployment_names, ignored_keys, render_case
from tests.support.whole_fleet import SERVED_IDS, whole_fleet


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    values = tuple(whole_fleet(tmp_path_factory.mktemp("fleet")).values)
    return render_case(Case("every model", values, {}), tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def configs(rendered: Rendered) -> dict[str, dict[str, Any]]:
    return {config["model_loading_config"]["model_id"]: config for config in rendered.llm_configs()}


@pytest.fixture(scope="module")
def applications(rendered: Rendered) -> dict[str, dict[str, Any]]:
    return {application["name"]: application for application in rendered.serve_config["applications"]}


def test_ray_serve_reads_every_key_of_the_applications(rendered: Rendered) -> None:
    ServeDeploySchema.model_validate(rendered.serve_config)

    assert ignored_keys(rendered.serve_config, ServeDeploySchema) == []


@pytest.mark.parametrize("model_id", SERVED_IDS)
def test_rays_builder_makes_the_model_and_vllm_takes_its_arguments(
    configs: dict[str, dict[str, Any]], applications: dict[str, dict[str, Any]], model_id: str
) -> None:
    config, application = configs[model_id], applications[model_id]
    (deployment,) = application["deployments"]
    assert ignored_keys(deployment["autoscaling_config"], AutoscalingConfig) == []

    built = deployment_names(build_openai_app(application["args"]))

    assert deployment["name"] in built
    engine = LLMConfig.model_validate(config).get_engine_config()
    taken = AsyncEngineArgs(**engine.get_initialization_kwargs())
    frontend = FrontendArgs(**engine.frontend_kwargs)
    for key, value in config["engine_kwargs"].items():
        argument = getattr(frontend if key in engine.frontend_kwargs else taken, key)
        if not dataclasses.is_dataclass(argument):
            assert argument == value, key
