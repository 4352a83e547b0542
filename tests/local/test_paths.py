"""Both of `serving.path` answer alike, and what was started for them ends with them."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from machine import ROOT, processes_with
from reference import Reference
from tiny_checkpoints import ANSWERS

from generator.helm import render
from generator.local_ray import complete_chat, free_port, machine_values, run_folder, running

MODEL = "falcon3-1b-instruct"


@pytest.mark.parametrize(
    ("path", "programs"), [("standard", ["ServeReplica:.*:OpenAiIngress"]), ("throughput", ["haproxy"])]
)
def test_each_path_answers_and_leaves_nothing_running(
    workdir: Path, references: dict[str, Reference], path: str, programs: list[str]
) -> None:
    before = set(Path("/dev/shm").iterdir())
    with run_folder() as folder:
        overrides = machine_values(folder, port=free_port())
        overrides["serving"]["path"] = path
        values = [ROOT / "values/local" / f"{name}.yaml" for name in ("falcon3", "briefs")]
        manifests = render(ROOT / "chart", values, overrides=overrides, release="local")
        with running(manifests, folder=folder, workdir=workdir, report=print, timeout_s=400) as serving:
            answer = complete_chat(serving.routes[MODEL], MODEL, "What are you?", 64)
            own = httpx.post(
                f"{serving.apps['briefs']}/answer", json={"text": "What are you?", "temperature": 0}, timeout=120
            )
            there = processes_with(str(folder))

    assert answer == ANSWERS["What are you?"].format(id=MODEL)
    assert own.json()["text"] == answer
    for program in ("raylet", "gcs_server", "EngineCore", *programs):
        assert any(re.search(program, line) for line in there), f"{program} was expected to run"
    assert processes_with(str(folder)) == []
    assert not folder.exists()
    assert set(Path("/dev/shm").iterdir()) <= before
