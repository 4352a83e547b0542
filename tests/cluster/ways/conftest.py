"""Ways of serving that need several pods: what an environment says, generated and installed. Run by `make pod-ways`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.documents.merge import merged
from tests.support.paths import ROOT

MODEL = "falcon3-1b-instruct"
FAMILY = "falcon3"
Generate = Callable[..., Path]


@pytest.fixture
def generated(tmp_path: Path) -> Generate:
    """Makes the values file of the kind environment's first family, whose model and chart say this besides."""

    def generate(model: dict[str, Any], chart: dict[str, Any] | None = None) -> Path:
        environment = yaml.safe_load((ROOT / "environments" / "kind.yaml").read_text())
        del environment["apps"]
        environment["pools"]["cpu-workers"]["memoryPerNode"] = "12Gi"  # by the real model's size, float32 fits too
        family = environment["serve"][FAMILY]
        family["models"][MODEL] |= model
        environment |= {"serve": {FAMILY: family}, "chart": merged(environment["chart"], chart or {})}
        shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
        (tmp_path / "environments").mkdir()
        (tmp_path / "environments" / "ways.yaml").write_text(yaml.safe_dump(environment))
        command = [sys.executable, "-m", "generator", "--root", str(tmp_path), "generate"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return tmp_path / "values" / "ways" / f"{FAMILY}.yaml"

    return generate
