"""What the chart renders for Ray 2.60.0 is what Ray 2.60.0 and vLLM 0.29.0 take, down to the last key."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ray.serve.config import AutoscalingConfig
from ray.serve.llm import LLMConfig, build_openai_app
from ray.serve.schema import RayActorOptionsSchema, ServeDeploySchema
from vllm.engine.arg_utils import AsyncEngineArgs

from tests.contract.rendered import Case, Rendered, build_app, cases, deployment_names, ignored_keys, render_case

VARIANTS = {
    "as committed": {},
    "inline": {"delivery": "inline"},
    "unified": {"routing": "unified", "path": "standard"},
    "standard": {"path": "standard"},
}
CASES = cases("2.60.0", VARIANTS)


@pytest.fixture(scope="module", params=CASES)
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    case: Case = request.param
    folder: Path = tmp_path_factory.mktemp("models")
    return render_case(case, folder)


def test_ray_serve_accepts_the_configuration_and_reads_every_key(rendered: Rendered) -> None:
    ServeDeploySchema.model_validate(rendered.serve_config)

    assert ignored_keys(rendered.serve_config, ServeDeploySchema) == []


def test_ray_accepts_every_model_and_reads_every_key_of_its_scaling(rendered: Rendered) -> None:
    for config in rendered.llm_configs():
        LLMConfig.model_validate(config)
        deployment = config.get("deployment_config", {})

        assert ignored_keys(deployment.get("autoscaling_config"), AutoscalingConfig) == []
        assert ignored_keys(deployment.get("ray_actor_options"), RayActorOptionsSchema) == []


def test_the_ingress_options_are_ones_that_ray_reads(rendered: Rendered) -> None:
    for _, arguments in rendered.arguments():
        ingress = arguments.get("ingress_deployment_config", {})

        assert ignored_keys(ingress.get("autoscaling_config"), AutoscalingConfig) == []
        assert ignored_keys(ingress.get("ray_actor_options"), RayActorOptionsSchema) == []


def test_ray_reads_every_key_of_an_apps_scaling_and_placement(rendered: Rendered) -> None:
    for app in rendered.apps():
        for deployment in app["deployments"]:
            assert ignored_keys(deployment["autoscaling_config"], AutoscalingConfig) == []
            assert ignored_keys(deployment["ray_actor_options"], RayActorOptionsSchema) == []


def test_ray_builds_every_application_with_the_deployments_that_are_configured(rendered: Rendered) -> None:
    names = {name: deployment_names(build_openai_app(arguments)) for name, arguments in rendered.arguments()}
    names |= {app["name"]: deployment_names(build_app(app)) for app in rendered.apps()}

    assert names, "nothing was built"
    for application in rendered.serve_config["applications"]:
        configured = {deployment["name"] for deployment in application.get("deployments", [])}
        assert configured <= names[application["name"]]


def test_vllm_takes_the_engine_arguments(rendered: Rendered) -> None:
    for config in rendered.llm_configs():
        engine = LLMConfig.model_validate(config).get_engine_config()

        taken = AsyncEngineArgs(**engine.get_initialization_kwargs())

        for key, value in config.get("engine_kwargs", {}).items():
            if dataclasses.is_dataclass(getattr(taken, key)):
                continue
            assert getattr(taken, key) == value, key
