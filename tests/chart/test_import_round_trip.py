"""The original system's manifests, imported, generated and rendered, mean what they meant: field by field.

Compared are, of the whole: Ray's version, the options of Serve, and the namespace; of every model: its application
(name, route, arguments, options of its router), the ConfigMap and the file in it, every word of its LLMConfig, and
where that is mounted; of the head and of every group: image, limits, and of GPU groups bounds, flags of Ray and
tolerations.

Not compared is what the chart adds, which `ADDED` names, and what the report of `import` says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import Render, parse
from tests.support.migration import KUBEAI, ORIGINAL, PRODUCTION_STACK, imported, new_project, told
from tests.support.paths import ROOT

ADDED = {
    "graceful_shutdown_timeout_s": 600,  # of every deployment: requests under way are answered
    "logging_config": {"encoding": "JSON"},  # of Serve
}
GPU_GROUP = "small-model-workers"


def meaning(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """What is compared."""
    (service,) = [each for each in objects if each["kind"] == "RayService"]
    cluster = service["spec"]["rayClusterConfig"]
    serve = parse(service["spec"]["serveConfigV2"])
    groups = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    gpus = groups[GPU_GROUP]
    files = {
        each["metadata"]["name"]: {name: without_added(parse(text)) for name, text in each["data"].items()}
        for each in objects
        if each["kind"] == "ConfigMap"
    }
    # The chart tells Serve beside the application how many replicas there are, the original in the file.
    for application in serve["applications"]:
        for scaling in [each for each in application["deployments"] if each["name"].startswith("LLMServer:")]:
            application["deployments"].remove(scaling)
            config = next(iter(files.values()))[f"{application['name']}.yaml"]
            config["deployment_config"] |= {key: value for key, value in scaling.items() if key != "name"}
    return {
        "namespace": service["metadata"]["namespace"],
        "ray": cluster["rayVersion"],
        "serve": {key: value for key, value in without_added(serve).items() if key != "applications"},
        "applications": {each["name"]: without_added(each) for each in serve["applications"]},
        "files": files,
        "pods": {
            name: pod(group["template"]["spec"])
            for name, group in {"head": cluster["headGroupSpec"], **groups}.items()
        },
        "gpus": {
            "bounds": (gpus["minReplicas"], gpus["maxReplicas"]),
            "num-gpus": gpus["rayStartParams"]["num-gpus"],
            "resources": json.loads(gpus["rayStartParams"]["resources"].strip("'")),
            "tolerations": gpus["template"]["spec"]["tolerations"],
        },
    }  # fmt: skip


def pod(spec: dict[str, Any]) -> dict[str, Any]:
    (container,) = spec["containers"]
    volumes = {each["name"]: each["configMap"]["name"] for each in spec["volumes"] if "configMap" in each}
    return {
        "image": container["image"],
        "limits": {name: str(amount) for name, amount in container["resources"]["limits"].items()},
        "mounted": {
            mount["mountPath"]: volumes[mount["name"]]
            for mount in container["volumeMounts"]
            if mount["name"] in volumes
        },
    }


def without_added(node: Any) -> Any:
    if isinstance(node, list):
        return [without_added(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: without_added(value) for key, value in node.items() if ADDED.get(key) != value}


@pytest.mark.parametrize("form", [KUBEAI, PRODUCTION_STACK], ids=["kubeai", "production-stack"])
def test_what_is_imported_of_other_forms_is_what_the_chart_takes(form: Path, render: Render, tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    imported(project, form, "--environment", "prod", "--gpu", "A100-80GB")
    rendered = render(sorted((project / "values" / "prod").iterdir()))
    taken = yaml.safe_load((project / "environments" / "prod.yaml").read_text())
    models = {name for family in taken["serve"].values() for name in family["models"]}
    assert rendered.applications.keys() == models
    assert rendered.groups.keys() >= taken["pools"].keys()


@pytest.fixture(params=["as it was written", "as the chart renders it"])
def manifests(request: pytest.FixtureRequest, render: Render, tmp_path: Path) -> Path:
    if request.param == "as it was written":
        return ORIGINAL
    rendered = render([ROOT / "values" / "original" / "falcon3.yaml"], release="falcon3", namespace="ai")
    path = tmp_path / "rendered.yaml"
    path.write_text(rendered.text)
    return path


def test_the_original_system_comes_out_as_it_went_in(manifests: Path, render: Render, tmp_path: Path) -> None:
    before = [each for each in yaml.safe_load_all(manifests.read_text()) if each]
    project = new_project(tmp_path / "project")
    document = imported(project, manifests, "--environment", "prod", "--gpu", "L4-24GB")
    after = render([project / "values" / "prod" / "falcon3.yaml"], release="falcon3", namespace="ai")
    assert meaning(after.objects) == meaning(before)
    # What is not the same is told, and nothing else.
    known = ("NetworkPolicy", "what its pods may do", "ServiceAccount falcon3")
    assert [line for line in told(document, "changed").splitlines() if not any(each in line for each in known)] == []
