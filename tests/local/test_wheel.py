"""A team's own project, served here by the wheel: of the clone it has the stand-in weights, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.artefacts import build_wheel, release_python
from tools.tiny_checkpoints import ANSWERS

MODEL = "falcon3-1b-instruct"
QUESTION = "Say hello."
# This machine as an environment: CPUs, and the stand-in in the place of the weights on the hub.
ENVIRONMENT = f"""\
namespace: default
ray: 2.60.0
pools:
  cpu-workers: {{nodes: 1, cpusPerNode: 3, memoryPerNode: 24Gi}}
defaults: {{context: 512, sequences: 8, replicas: {{min: 1, max: 1}}}}
serve:
  falcon3:
    models:
      {MODEL}: {{source: checkpoints/{MODEL}}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and nothing else: what it needs beside it, the engine's Python has."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [release_python(), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
    subprocess.run([*command, folder / "site", build_wheel(folder)], check=True)
    return folder / "site"


def run(site: Path, folder: Path, *arguments: str | Path) -> str:
    command = [sys.executable, "-m", "generator", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=560)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.usefixtures("nothing_served")
def test_a_model_of_the_library_answers_in_a_project_of_ones_own(site: Path, workdir: Path, tmp_path: Path) -> None:
    run(site, tmp_path, "init", "fleet", "--gpu", "L4-24GB", "--nodes", "1")
    fleet = tmp_path / "fleet"
    run(site, fleet, "add", MODEL)
    (fleet / "environments" / "cpu.yaml").write_text(ENVIRONMENT)
    run(site, fleet, "generate", "--environment", "cpu")

    answered = run(
        site, fleet, "serve", "falcon3", "-e", "cpu", "--workdir", workdir, "--once", "--prompt", QUESTION
    )  # fmt: skip

    assert Path(run(site, fleet, "chart").strip()).is_relative_to(site)
    assert f"{ANSWERS[QUESTION]!r}" in answered
