"""What the chart renders for Ray 2.49.1 is what Ray 2.49.1 and vLLM 0.10.0 take, down to the last key."""

from __future__ import annotations

from pathlib import Path

import pytest
from ray.serve.config import AutoscalingConfig
from ray.serve.llm import LLMConfig, build_openai_app
from ray.serve.schema import RayActorOptionsSchema, ServeDeploySchema
from vllm.engine.arg_utils import AsyncEngineArgs

from tests.contract.rendered import Case, Rendered, cases, deployment_names, ignored_keys, render_case

VARIANTS = {"as committed": {}, "inline": {"delivery": "inline"}, "unified": {"routing": "unified"}}
CASES = cases("2.49.1", VARIANTS)


@pytest.fixture(scope="module", params=CASES)
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    case: Case = request.param
    folder: Path = tmp_path_factory.mktemp("models")
    return render_case(case, folder)


def test_ray_serve_accepts_the_configuration_and_reads_every_key(rendered: Rendered) -> None:
    ServeDeploySchema.parse_obj(rendered.serve_config)

    assert ignored_keys(rendered.serve_config, ServeDeploySchema) == []


def test_the_scaling_of_the_router_is_one_that_ray_reads(rendered: Rendered) -> None:
    for application in rendered.serve_config["applications"]:
        for deployment in application.get("deployments", []):
            assert ignored_keys(deployment.get("autoscaling_config"), AutoscalingConfig) == []


def test_ray_accepts_every_model_and_reads_every_key_of_its_scaling(rendered: Rendered) -> None:
    for config in rendered.llm_configs():
        LLMConfig.model_validate(config)
        deployment = config.get("deployment_config", {})

        assert ignored_keys(deployment.get("autoscaling_config"), AutoscalingConfig) == []
        assert ignored_keys(deployment.get("ray_actor_options"), RayActorOptionsSchema) == []


def test_ray_builds_every_application_with_the_deployments_that_are_configured(rendered: Rendered) -> None:
    names = {name: deployment_names(build_openai_app(arguments)) for name, arguments in rendered.arguments()}

    assert names, "nothing was built"
    for application in rendered.serve_config["applications"]:
        configured = {deployment["name"] for deployment in application.get("deployments", [])}
        assert configured <= names[application["name"]]


def test_the_replica_of_a_model_asks_for_its_worker_group(rendered: Rendered) -> None:
    for config in rendered.llm_configs():
        options = LLMConfig.model_validate(config).get_serve_options(name_prefix="LLMServer:")
        asked = config["deployment_config"]["ray_actor_options"].get("resources", {})

        assert asked, "the model could land on any worker group"
        for resource, amount in asked.items():
            assert sum(bundle.get(resource, 0) for bundle in options["placement_group_bundles"]) == amount


def test_vllm_takes_the_engine_arguments(rendered: Rendered) -> None:
    for config in rendered.llm_configs():
        engine = LLMConfig.model_validate(config).get_engine_config()

        taken = AsyncEngineArgs(**engine.get_initialization_kwargs())

        for key, value in config.get("engine_kwargs", {}).items():
            assert getattr(taken, key) == value, key
