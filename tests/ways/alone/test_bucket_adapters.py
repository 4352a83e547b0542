"""LoRA adapters on demand: one that is uploaded to the bucket while the model serves answers the next request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.local.served import Served
from tests.ways.alone.s3_server import S3, s3_server
from tests.ways.conftest import Server
from tests.ways.served import text_config
from tools.tiny_checkpoints import ANSWERS
from tools.way_checkpoints.adapters import QUESTION, RANK

CHECKPOINTS = ("chat", "pirate", "poet")
BUCKET = "adapters/chat"
SECRET = {"valueFrom": {"secretKeyRef": {"name": "bucket", "key": "secret"}}}
"""On this machine its value is the shell's."""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3_server(tmp_path_factory.mktemp("s3")) as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", found.secret_key)
        yield found


@pytest.fixture(scope="module", params=["throughput", "standard"])
def client(request: pytest.FixtureRequest, server: Server, s3: S3, workdir: Path) -> Iterator[openai.OpenAI]:
    s3.put(workdir / "checkpoints" / "pirate", f"{BUCKET}/pirate")
    llm_config: dict[str, Any] = text_config("chat", enable_lora=True, max_loras=2, max_lora_rank=RANK)
    llm_config["lora_config"] = {
        "dynamic_lora_loading_path": f"pyarrow-s3://{BUCKET}", "max_num_adapters_per_replica": 4,
    }  # fmt: skip
    served: Served = server.get(
        {
            "serving": {"path": request.param},
            "pods": {"env": {**s3.environment, "AWS_SECRET_ACCESS_KEY": SECRET}},
            "models": {"chat": {"family": "ways", "llmConfig": llm_config}},
        }
    )
    url = served.running.routes["chat"]
    yield openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)
    server.stop()  # the bucket that it reads goes


def answer(client: openai.OpenAI, model: str) -> str:
    said = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], max_tokens=48, temperature=0
    )
    return said.choices[0].message.content or ""


def test_an_adapter_of_the_bucket_answers_as_peft_does(client: openai.OpenAI, adapted: dict[str, str]) -> None:
    assert answer(client, "chat:pirate") == adapted["pirate"]
    assert answer(client, "chat") == ANSWERS[QUESTION]


def test_one_that_is_uploaded_while_the_model_serves_answers_too(
    client: openai.OpenAI, s3: S3, workdir: Path, adapted: dict[str, str], request: pytest.FixtureRequest
) -> None:
    name = f"poet-{len(request.node.name)}"
    with pytest.raises(openai.APIStatusError):
        answer(client, f"chat:{name}")

    s3.put(workdir / "checkpoints" / "poet", f"{BUCKET}/{name}")

    assert soon(client, f"chat:{name}") == adapted["poet"]


def soon(client: openai.OpenAI, model: str) -> str:
    """Ray looks again after half a minute for what was not there (CLOUD_OBJECT_MISSING_EXPIRE_S)."""
    until = time.monotonic() + 60
    while True:
        try:
            return answer(client, model)
        except openai.NotFoundError:
            if time.monotonic() > until:
                raise
        time.sleep(2)
