"""KubeRay's own samples of LLMs, from its Go module, are imported and rendered, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chart.rendering import Render, crd_folders
from tests.support.command_line import generator
from tests.support.migration import imported, new_project, told

VERSION = "1.6.1"


@pytest.fixture(scope="module")
def samples() -> Path:
    """Beside the CRDs of the module, which are config/crd/bases."""
    crds = crd_folders().get(VERSION)
    if crds is None:
        pytest.fail(f"KUBERAY_CRDS has no {VERSION}: run `make chart`, which sets it", pytrace=False)
    return crds.parents[1] / "samples"


@pytest.mark.parametrize(
    ("sample", "options", "model", "source"),
    [
        ("llm-serve", ("--gpu", "gpu-group=A100-80GB"), "qwen2.5-7b-instruct", "Qwen/Qwen2.5-7B-Instruct"),
        ("deepseek", (), "deepseek", "deepseek-ai/DeepSeek-R1"),
    ],
)
def test_a_sample_serves_the_same_model_at_the_same_route(
    samples: Path, render: Render, tmp_path: Path, sample: str, options: tuple[str, ...], model: str, source: str
) -> None:
    project = new_project(tmp_path / "project")
    document = imported(project, samples / f"ray-service.{sample}.yaml", "-e", "prod", *options)
    (values,) = (project / "values" / "prod").iterdir()
    rendered = render([values])
    (application,) = rendered.applications.values()
    assert application["route_prefix"] == "/"
    (config,) = rendered.files.values()
    assert config["model_loading_config"] == {"model_id": model, "model_source": source}
    assert "Ray 2.52.0: Ray 2.60.0" in told(document, "changed")


def test_what_the_samples_leave_to_people_is_told(samples: Path, tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    path = samples / "ray-service.llm-serve.yaml"
    assert "Give --gpu gpu-group=TYPE" in generator("import", path, folder=project).stderr
    document = imported(project, path, "--gpu", "L4-24GB")
    left = told(document, "left_out")
    assert "engine_kwargs.device (unknown key 'device'" in left
    assert "Secret/hf-token" in left
    environment = (project / "environments" / "imported.yaml").read_text()
    assert "huggingFace: {existingSecret: hf-token, key: hf_token}" in environment


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        ("vllm/ray-service.vllm-tpu-v6e-singlehost.yaml", "a group of TPUs (pools have GPUs, or CPUs alone)"),
        ("ray-service.sample.yaml", "which deployment holds its model is not said"),
    ],
)
def test_a_sample_of_which_nothing_can_be_taken_is_refused(
    samples: Path, tmp_path: Path, sample: str, reason: str
) -> None:
    project = new_project(tmp_path / "project")
    run = generator("import", samples / sample, folder=project)
    assert run.returncode == 2
    assert "nothing in them could be taken" in run.stderr and reason in run.stderr
    assert not list(project.rglob("*.yaml"))
