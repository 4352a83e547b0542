"""Prefill in one pod, decode in another: the blocks go from pod to pod, and the tokens are those of one engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from generator.documents.merge import merged
from tests.cluster.client import execute
from tests.cluster.figures import note
from tests.cluster.release import Release
from tests.cluster.ways.conftest import MODEL, Generate
from tests.support.paths import ROOT
from tools.tiny_checkpoints import STORY

ONE = "one-engine"
PROMPTS = (STORY[:60], STORY[:300], STORY[100:700])
HALF = {"replicas": {"min": 1, "max": 1}}
# In bfloat16 a processor with AMX takes kernels that end with a cache that came from elsewhere (docs/ways.md).
DTYPE = {"engine_kwargs": {"dtype": "float32"}}


def tokens(release: Release, model: str, prompt: str) -> list[int]:
    body = {"model": model, "prompt": prompt, "max_tokens": 32, "temperature": 0, "return_token_ids": True}
    answer = release.client.ask(release.url(f"/inference/{model}/v1/completions"), body)
    assert answer.status == 200, answer.body
    ids: list[int] = answer.json()["choices"][0]["token_ids"]
    return ids


def test_tokens_are_those_of_one_engine(release: Release, generated: Generate, tmp_path: Path) -> None:
    plain: dict[str, Any] = yaml.safe_load((ROOT / "values" / "kind" / "falcon3.yaml").read_text())["models"][MODEL]
    beside = tmp_path / "beside.yaml"
    beside.write_text(yaml.safe_dump({"models": {ONE: merged(plain, {"llmConfig": DTYPE})}}))

    release.upgrade(generated({"prefill": HALF, "decode": HALF, "llmConfig": DTYPE}), beside)
    note("install of a model in halves and of one, to Ready", release.wait_until_serving(MODEL, ONE))

    assert [tokens(release, MODEL, each) for each in PROMPTS] == [tokens(release, ONE, each) for each in PROMPTS]
    find = "grep -ls 'Transfer plan: ' /tmp/ray/session_latest/logs/worker-* || true"
    workers = [pod.metadata.name for pod in release.pods("worker")]
    met = [name for name in workers if execute(name, release.namespace, "sh", "-c", find).strip()]
    assert len(workers) == 3
    assert met, "no engine has met another by NIXL"
