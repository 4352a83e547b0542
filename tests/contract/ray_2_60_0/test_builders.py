"""The chart's prefill/decode and data parallel models are what Ray's own builders make applications of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import ray.serve.llm
import yaml
from ray.serve._private.build_app import build_app

from generator.chart import ray_service, render
from generator.local.pods import write_files
from tests.support.paths import ROOT

PATTERNS = "ray.llm._internal.serve.serving_patterns"
SWITCHES = (
    f"{PATTERNS}.prefill_decode.builder.RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING",
    f"{PATTERNS}.data_parallel.builder.RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING",
    "ray.serve._private.build_app.RAY_SERVE_ENABLE_HA_PROXY",
)
PLACED = {"placement_group_config": {"bundle_per_worker": {"GPU": 1, "workers": 1}}}
SOURCE = {"model_loading_config": {"model_source": "some-team/model-1.0"}}


def _config(**engine: Any) -> dict[str, Any]:
    return {"llmConfig": {**SOURCE, **PLACED, "engine_kwargs": {"tensor_parallel_size": 2, **engine}}}


def _half(role: str) -> dict[str, Any]:
    return _config(kv_transfer_config={"kv_connector": "NixlConnector", "kv_role": role})


MODELS = {
    "pair-1.0": {"family": "f", "prefill": _half("kv_producer"), "decode": _half("kv_consumer")},
    "grouped-1.0": {"family": "f", **_config(data_parallel_size=4)},
}
# By application, name of each deployment, its replicas, and those of a gang.
BUILT = {
    "pair-1.0": {"Prefill:pair-1_0": (1, None), "Decode:pair-1_0": (1, None)},
    "grouped-1.0": {"DPServer:grouped-1_0": (4, 4)},
}
# What answers clients on the throughput path.
ANSWERS = {"pair-1.0": "Decode:pair-1_0", "grouped-1.0": "DPServer:grouped-1_0"}


@pytest.mark.parametrize("delivery", ["configMap", "inline"])
@pytest.mark.parametrize("path", ["standard", "throughput"])
def test_rays_builders_make_the_deployments_that_the_chart_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, delivery: str
) -> None:
    values = tmp_path / "values.yaml"
    workers = {"workers": {"gpusPerWorker": 1, "maxReplicas": 20}}
    serving = {"path": path, "delivery": delivery, "modelsPath": str(tmp_path / "models")}
    values.write_text(yaml.safe_dump({"models": MODELS, "workerGroups": workers, "serving": serving}))
    manifests = render(ROOT / "chart", [values])
    service = ray_service(manifests)["spec"]
    write_files(manifests, service["rayClusterConfig"], tmp_path)
    for switch in SWITCHES:  # as the variables of the pods have them, which Ray reads when it is imported
        monkeypatch.setattr(switch, path == "throughput")

    bundles = 0
    for application in yaml.safe_load(service["serveConfigV2"])["applications"]:
        builder = getattr(ray.serve.llm, application["import_path"].removeprefix("ray.serve.llm:"))
        built = build_app(builder(application["args"]), name=application["name"])
        found = {}
        for deployment in built.deployments:
            config = deployment._deployment_config
            if deployment.name != "OpenAiIngress":
                scaled = config.autoscaling_config
                replicas = scaled.min_replicas if scaled else config.num_replicas
                gang = config.gang_scheduling_config
                found[deployment.name] = (replicas, gang and gang.gang_size)
                bundles += replicas * len(deployment._replica_config.placement_group_bundles)
                assert config.graceful_shutdown_timeout_s == 600
        assert found == BUILT[application["name"]]
        answering = ANSWERS[application["name"]] if path == "throughput" else "OpenAiIngress"
        assert built.ingress_deployment_name == answering

    (group,) = (each for each in service["rayClusterConfig"]["workerGroupSpecs"] if each["groupName"] == "workers")
    assert group["replicas"] == bundles
