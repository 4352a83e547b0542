"""What Ray's controller makes of a model's application, with what Serve is told of its deployment beside it."""

from __future__ import annotations

from typing import Any

import yaml
from ray.serve._private.application_state import override_deployment_info
from ray.serve._private.build_app import build_app
from ray.serve._private.config import ReplicaConfig
from ray.serve._private.deploy_utils import get_app_code_version
from ray.serve._private.deployment_info import DeploymentInfo
from ray.serve._private.version import DeploymentVersion
from ray.serve.llm import build_openai_app
from ray.serve.schema import ServeApplicationSchema

from generator.chart import render
from tests.support.paths import ROOT

MODEL = "qwen2.5-0.5b"
DEPLOYMENT = "LLMServer:qwen2_5-0_5b"
SCALED = {"min_replicas": 2, "max_replicas": 7, "target_ongoing_requests": 9}
WAYS: dict[str, dict[str, Any]] = {
    "nothing said": {},
    "scaled": {"autoscaling_config": SCALED, "max_ongoing_requests": 21, "max_queued_requests": 5},
    "scaled without a target": {"autoscaling_config": {"min_replicas": 0, "max_replicas": 1}},
    "auto": {"num_replicas": "auto"},
    "auto within bounds": {"num_replicas": "auto", "autoscaling_config": SCALED},
    "requests alone": {"max_ongoing_requests": 21},
}
"""What people may say in a `deployment_config` of how many replicas there are."""


def as_values(version: str, deployment_config: dict[str, Any]) -> dict[str, Any]:
    llm_config = {
        "model_loading_config": {"model_source": "/models/m"},
        "deployment_config": {"ray_actor_options": {"resources": {"w": 1}}, **deployment_config},
    }
    return {
        "ray": {"version": version},
        "serving": {"delivery": "inline"},
        "models": {MODEL: {"family": "qwen", "llmConfig": llm_config}},
        "workerGroups": {"w": {"gpusPerWorker": 1, "maxReplicas": 9}},
    }


def application(version: str, deployment_config: dict[str, Any]) -> dict[str, Any]:
    """The model's application as the chart tells Serve of it."""
    manifests = render(ROOT / "chart", [], overrides=as_values(version, deployment_config))
    service = next(manifest for manifest in manifests if manifest["kind"] == "RayService")
    (found,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    return dict(found)


def all_in_code(told: dict[str, Any], deployment_config: dict[str, Any]) -> dict[str, Any]:
    """The same application, its model's `deployment_config` whole in the LLMConfig and nowhere else."""
    (config,) = told["args"]["llm_configs"]
    whole = {**config, "deployment_config": {**config["deployment_config"], **deployment_config}}
    deployments = [one for one in told.get("deployments", []) if one["name"] != DEPLOYMENT]
    return {**told, "args": {**told["args"], "llm_configs": [whole]}, "deployments": deployments}


def deployed(told: dict[str, Any]) -> DeploymentInfo:
    """The model's deployment as Ray's controller has it: built, and overridden by what is said beside."""
    schema = ServeApplicationSchema(**told)
    version = get_app_code_version(schema)
    built = build_app(build_openai_app(told["args"]), name=told["name"], default_runtime_env={})
    infos = {}
    for one in built.deployments:
        infos[one.name] = DeploymentInfo(
            deployment_config=one._deployment_config,
            replica_config=_without_handles(one._replica_config),
            start_time_ms=0,
            deployer_job_id="",
            version=version,
        )
    return override_deployment_info(infos, schema)[DEPLOYMENT]


def _without_handles(config: ReplicaConfig) -> ReplicaConfig:
    """What a replica asks for, less what it is made with: handles cannot be copied where no Serve runs."""
    return ReplicaConfig.create(
        type("Model", (), {}),
        ray_actor_options=config.ray_actor_options,
        placement_group_bundles=config.placement_group_bundles,
        placement_group_strategy=config.placement_group_strategy,
    )


def options(info: DeploymentInfo) -> dict[str, Any]:
    """Every option of the deployment, but for where they are said and a number that autoscaling overrules."""
    found = dict(info.deployment_config.dict())
    del found["user_configured_option_names"]
    if found["autoscaling_config"]:
        del found["num_replicas"]
    return found


def restarts(before: DeploymentInfo, after: DeploymentInfo) -> bool:
    """Whether Ray would stop the replicas of the one to start those of the other."""
    old, new = (
        DeploymentVersion(info.version, info.deployment_config, info.replica_config.ray_actor_options)
        for info in (before, after)
    )
    return bool(old.requires_actor_restart(new))


def it_is_as_if_in_the_llm_config(version: str, deployment_config: dict[str, Any]) -> None:
    """Hold Ray to have of the deployment what it would have from the LLMConfig alone."""
    told = application(version, deployment_config)

    assert options(deployed(told)) == options(deployed(all_in_code(told, deployment_config)))


def other_numbers_restart_nothing(version: str) -> None:
    """Hold Ray to take other numbers of replicas and requests without building or restarting anything."""
    before, after = (
        deployed(
            application(
                version, {"autoscaling_config": {**SCALED, "min_replicas": least}, "max_ongoing_requests": most}
            )
        )
        for least, most in ((1, 20), (4, 30))
    )

    assert after.deployment_config.autoscaling_config.min_replicas == 4
    assert after.deployment_config.max_ongoing_requests == 30
    assert before.version == after.version, "the application would be built anew"
    assert not restarts(before, after)
