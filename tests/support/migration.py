"""Manifests for tests of `import`, in the forms of others; written for these tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.support.command_line import generator
from tests.support.output import published

_HERE = Path(__file__).parent
ORIGINAL = _HERE / "original_system.yaml"
"""The system that this project began as, in its own form: a RayService, and a ConfigMap with a file for each model."""
KUBEAI = _HERE / "kubeai_models.yaml"
PRODUCTION_STACK = _HERE / "production_stack_values.yaml"
FORMS = (ORIGINAL, KUBEAI, PRODUCTION_STACK)


def new_project(folder: Path) -> Path:
    for name in ("catalog", "environments"):
        (folder / name).mkdir(parents=True)
    return folder


def written(folder: Path, *manifests: Any) -> Path:
    path = folder / "manifests.yaml"
    path.write_text(yaml.safe_dump_all(manifests))
    return path


def imported(project: Path, *arguments: object) -> dict[str, Any]:
    """What `import --json` says, as its schema has it; it must end well."""
    run = generator("import", *arguments, "--json", folder=project)
    assert run.returncode == 0, run.stderr + run.stdout
    return published("import", run.stdout)


def told(document: dict[str, Any], part: str) -> str:
    """The lines of a part of the report, as people read them."""
    return "\n".join(f"{line['where']}: {line['what']} ({line['why']})" for line in document[part])


def llm_config(model_id: str, source: str, **words: Any) -> dict[str, Any]:
    return {"model_loading_config": {"model_id": model_id, "model_source": source}, **words}


def rayservice(
    *configs: Any, route: str = "/", gpus: int = 1, worker: dict[str, Any] | None = None, **cluster: Any
) -> dict[str, Any]:
    """A RayService with one application of these LLMConfigs, on one group of GPUs."""
    application = {
        "name": "llms",
        "import_path": "ray.serve.llm:build_openai_app",
        "route_prefix": route,
        "args": {"llm_configs": list(configs)},
    }
    size = {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": str(gpus)}
    container = {"name": "ray-worker", "image": "rayproject/ray-llm:2.60.0-py312-cu130", "resources": {"limits": size}}
    pod = {"containers": [container], **(worker or {})}
    group = {"groupName": "gpu-group", "replicas": 1, "minReplicas": 0, "maxReplicas": 4, "template": {"spec": pod}}
    head = {"template": {"spec": {"containers": [{"name": "ray-head", "image": container["image"]}]}}}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": "llm", "namespace": "serving"},
        "spec": {
            "serveConfigV2": yaml.safe_dump({"applications": [application]}),
            "rayClusterConfig": {
                "rayVersion": "2.60.0",
                "headGroupSpec": head,
                "workerGroupSpecs": [group],
                "enableInTreeAutoscaling": True,
                **cluster,
            },
        },
    }
