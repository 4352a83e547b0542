"""`import` of KubeAI's Models and of values of vLLM's production-stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.documents.load import read_yaml
from generator.facts.releases import newest
from generator.migrate.found import Findings
from generator.migrate.vllm_arguments import engine_words
from tests.support.command_line import generator
from tests.support.migration import KUBEAI, PRODUCTION_STACK, imported, new_project, told, written


def taken(folder: Path, form: Path, *options: str) -> tuple[dict[str, Any], Any]:
    project = new_project(folder)
    document = imported(project, form, *options)
    return document, read_yaml(project / "environments" / "imported.yaml")


@pytest.fixture(scope="module")
def kubeai(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    return taken(tmp_path_factory.mktemp("kubeai"), KUBEAI)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    return taken(tmp_path_factory.mktemp("stack"), PRODUCTION_STACK, "--gpu", "gpu-workers=A100-80GB")


def test_a_model_of_kubeai_has_its_arguments_its_scale_and_its_profile(kubeai: tuple[dict[str, Any], Any]) -> None:
    _, environment = kubeai
    assert environment["namespace"] == "kubeai"
    assert environment["serve"]["qwen2-5"]["models"]["chat-small"] == {
        "pool": "nvidia-gpu-l4",
        "context": 8192,
        "sequences": 32,
        "replicas": {"min": 1, "max": 3},
        "llmConfig": {
            # argparse takes the beginning of a name
            "engine_kwargs": {
                "max_num_batched_tokens": 8192, "enable_prefix_caching": True, "gpu_memory_utilization": 0.9,
            },
            "runtime_env": {"env_vars": {"VLLM_LOGGING_LEVEL": "INFO"}},
            "deployment_config": {"autoscaling_config": {"target_ongoing_requests": 24}},
        },
    }  # fmt: skip
    assert environment["pools"]["nvidia-gpu-l4"] == {
        "gpu": "L4-24GB", "gpusPerNode": 1, "nodes": 3, "cpusPerNode": 6, "memoryPerNode": "24Gi",
        "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    }  # fmt: skip


def test_a_profile_without_its_values_is_known_by_its_name(kubeai: tuple[dict[str, Any], Any]) -> None:
    _, environment = kubeai
    assert environment["pools"]["nvidia-gpu-h100"] == {"gpu": "H100-80GB", "gpusPerNode": 2, "nodes": 1}


def test_what_kubeai_has_and_we_have_not_is_told(kubeai: tuple[dict[str, Any], Any]) -> None:
    document, environment = kubeai
    assert "Model/laptop: the engine OLlama (models run on vLLM)" in told(document, "left_out")
    assert "Model/chat-large: cacheProfile" in told(document, "left_out")
    assert "Model/chat-large: at most 1 replicas" in told(document, "changed")
    assert "laptop" not in str(environment)


def test_values_of_kubeais_chart_of_models_are_read_where_they_turn_models_on(tmp_path: Path) -> None:
    spec = {"url": "hf://Qwen/Qwen3-8B", "engine": "VLLM", "resourceProfile": "nvidia-gpu-l40s:1"}
    values = {"catalog": {"on": {**spec, "enabled": True}, "off": {**spec, "enabled": False}}}
    project = new_project(tmp_path / "project")
    imported(project, written(tmp_path, values))
    environment = read_yaml(project / "environments" / "imported.yaml")
    assert list(environment["serve"]["qwen3"]["models"]) == ["on"]


def test_a_catalog_that_turns_no_model_on_is_told(tmp_path: Path) -> None:
    values = {"catalog": {"off": {"url": "hf://Qwen/Qwen3-8B", "engine": "VLLM"}}}
    project = new_project(tmp_path / "project")
    run = generator("import", written(tmp_path, values), folder=project)
    assert run.returncode == 2 and "its catalog (no model in it is enabled)" in run.stderr


def test_a_resources_block_of_the_stack_comes_before_its_simple_fields(tmp_path: Path) -> None:
    block = {"requests": {"cpu": "12", "memory": "48Gi"}, "limits": {"nvidia.com/gpu": "2"}}
    spec = {"name": "chat", "modelURL": "Qwen/Qwen3-8B", "requestCPU": 1, "resources": block}
    config = {"vllmConfig": {"tensorParallelSize": 2, "pipelineParallelSize": 1}, "raySpec": {"headNode": {}}}
    project = new_project(tmp_path / "project")
    values = {"servingEngineSpec": {"modelSpec": [spec | config]}}
    document = imported(project, written(tmp_path, values), "--gpu", "L40S-48GB")
    pool = read_yaml(project / "environments" / "imported.yaml")["pools"]["gpu-workers"]
    assert pool == {"gpu": "L40S-48GB", "gpusPerNode": 2, "nodes": 1, "cpusPerNode": 12, "memoryPerNode": "48Gi"}
    assert document["left_out"] == []


def test_weights_in_a_claim_are_mounted(tmp_path: Path) -> None:
    spec = {"url": "pvc://weights/Qwen3-8B", "engine": "VLLM", "resourceProfile": "nvidia-gpu-l40s:1"}
    model = {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": "chat"}, "spec": spec}
    project = new_project(tmp_path / "project")
    imported(project, written(tmp_path, model))
    environment = read_yaml(project / "environments" / "imported.yaml")
    assert environment["chart"]["pods"]["volumes"] == {
        "weights": {"mountPath": "/mnt/weights", "persistentVolumeClaim": {"claimName": "weights"}}
    }
    assert read_yaml(project / "catalog" / "qwen3.yaml")["models"]["chat"]["source"] == "/mnt/weights/Qwen3-8B"


def test_a_model_of_the_stack_has_its_arguments_and_its_nodes(stack: tuple[dict[str, Any], Any]) -> None:
    _, environment = stack
    assert environment["serve"]["qwen2-5"]["models"]["qwen"] == {
        "pool": "l40s-48gb-workers",
        "context": 16384,
        "sequences": 32,
        "replicas": {"min": 2, "max": 2},
        "llmConfig": {
            "engine_kwargs": {
                "enable_chunked_prefill": True, "dtype": "bfloat16", "gpu_memory_utilization": 0.9,
                "enable_prefix_caching": False, "enable_auto_tool_choice": True, "tool_call_parser": "hermes",
                "max_num_batched_tokens": 16384,
            },
            "runtime_env": {"env_vars": {"LOG": "info"}},
        },
    }  # fmt: skip
    assert environment["pools"]["l40s-48gb-workers"]["nodes"] == 2
    assert environment["pools"]["gpu-workers"]["gpu"] == "A100-80GB"
    assert environment["serve"]["qwen3"]["models"]["other"]["replicas"] == {"min": 0, "max": 4}
    assert "off" not in environment["serve"]["qwen3"]["models"]


def test_the_stacks_secrets_stay_references(stack: tuple[dict[str, Any], Any]) -> None:
    document, environment = stack
    assert environment["chart"]["huggingFace"] == {"existingSecret": "hub", "key": "token"}
    assert environment["chart"]["pods"]["env"] == {
        "PROXY": {"valueFrom": {"configMapKeyRef": {"name": "net", "key": "proxy"}}}
    }
    assert "modelSpec other: hf_token (it is the text of a secret" in told(document, "left_out")
    assert "a-text-that-is-a-secret" not in yaml.safe_dump(document) + yaml.safe_dump(environment)


def test_the_librarys_parsers_are_told_as_a_change(stack: tuple[dict[str, Any], Any]) -> None:
    document, _ = stack
    assert "modelSpec other: enable_auto_tool_choice True" in told(document, "changed")


def test_arguments_have_the_types_of_vllms_own() -> None:
    findings = Findings()
    words = engine_words(
        ["--max-model-len=4096", "-tp", "2", "--enforce-eager", "--seed", "-1", "--gpu_memory_utilization=.5",
         "--hf-overrides", '{"a": 1}', "--no-enable-prefix-caching", "--port=8000", "--served-model-name", "x"],
        findings, where="w",
    )  # fmt: skip
    assert words == {
        "max_model_len": 4096, "tensor_parallel_size": 2, "enforce_eager": True, "seed": -1,
        "gpu_memory_utilization": 0.5, "hf_overrides": {"a": 1}, "enable_prefix_caching": False,
        "served_model_name": "x",
    }  # fmt: skip
    assert [line.what for line in findings.left_out] == ["--port"]
    assert "max_model_len" in newest().arguments()["EngineArguments"]["properties"]
