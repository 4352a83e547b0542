"""Other charts that serve many models, at one commit each: what `make bench` renders beside ours.

They are fetched where the network has them. Their models are as short as their own examples, and their manifests leave
to an operator or an image what ours says, so what compares is the time of a rendered byte as well.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from generator.cache import cache_folder
from generator.documents.load import read_yaml


@dataclass(frozen=True, kw_only=True)
class Peer:
    name: str
    repository: str
    commit: str
    chart: str
    """Folder of the chart in the repository."""
    values: Callable[[int], dict[str, Any]]
    """Values that serve so many models."""

    def fetch(self) -> Path | None:
        """The chart's folder, without the charts that it depends on; None where its repository cannot be reached."""
        folder = cache_folder() / "peers" / f"{self.repository.rsplit('/', 1)[-1]}-{self.commit[:12]}"
        if not folder.is_dir():
            started = folder.with_suffix(".part")
            shutil.rmtree(started, ignore_errors=True)
            started.mkdir(parents=True)
            for arguments in (["init", "--quiet"], ["fetch", "--quiet", "--depth=1", self.repository, self.commit]):
                try:
                    subprocess.run(["git", *arguments], cwd=started, capture_output=True, timeout=120, check=True)
                except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                    return None
            subprocess.run(["git", "checkout", "--quiet", "FETCH_HEAD"], cwd=started, check=True)
            # Monitoring, all of it off: helm would ask for their archives.
            about = started / self.chart / "Chart.yaml"
            chart = read_yaml(about)
            chart.pop("dependencies", None)
            about.write_text(yaml.safe_dump(chart))
            started.rename(folder)
        return folder / self.chart


def _kubeai(count: int) -> dict[str, Any]:
    model = {
        "enabled": True,
        "features": ["TextGeneration"],
        "url": "hf://tiiuae/Falcon3-7B-Instruct",
        "engine": "VLLM",
        "args": ["--max-model-len=8192", "--max-num-seqs=64", "--gpu-memory-utilization=0.92"],
        "minReplicas": 1,
        "maxReplicas": 4,
        "targetRequests": 51,
        "resourceProfile": "nvidia-gpu-h100:1",
    }
    return {"catalog": {f"model-{number}": model for number in range(count)}}


def _production_stack(count: int) -> dict[str, Any]:
    model = {
        "repository": "vllm/vllm-openai",
        "tag": "v0.11.0",
        "modelURL": "tiiuae/Falcon3-7B-Instruct",
        "replicaCount": 1,
        "requestCPU": 6,
        "requestMemory": "24Gi",
        "requestGPU": 1,
        "vllmConfig": {"maxModelLen": 8192, "extraArgs": ["--max-num-seqs=64", "--gpu-memory-utilization=0.92"]},
    }
    return {"servingEngineSpec": {"modelSpec": [{"name": f"model-{number}", **model} for number in range(count)]}}


PEERS = (
    Peer(
        name="KubeAI, models chart",
        repository="https://github.com/substratusai/kubeai",
        commit="2f32ef498da629f96fd417ddfaaf22c28d40787e",
        chart="charts/models",
        values=_kubeai,
    ),
    Peer(
        name="vLLM production-stack",
        repository="https://github.com/vllm-project/production-stack",
        commit="a6c01db05f65f556235413ba8dbcfb0c01132fff",
        chart="helm",
        values=_production_stack,
    ),
)
