"""Prefill in one engine, decode in another: the blocks go by NIXL, and the tokens are those of one engine."""

from __future__ import annotations

from typing import Any

from tests.local.reference import Reference
from tests.ways.alone.test_parallel import PROMPTS, tokens
from tests.ways.conftest import Server
from tests.ways.served import text_config
from tools.tiny_checkpoints import STORY

CHECKPOINTS = ("chat",)
# On this machine there is no address of a pod.
TRANSPORT = {"VLLM_NIXL_SIDE_CHANNEL_HOST": "127.0.0.1"}


def half(role: str) -> dict[str, Any]:
    connector = {"kv_connector": "NixlConnector", "kv_role": role, "kv_buffer_device": "cpu"}
    # In bfloat16 a processor with AMX takes kernels that end with a cache that came from elsewhere (docs/ways.md).
    return {"llmConfig": text_config("chat", env=TRANSPORT, dtype="float32", kv_transfer_config=connector)}


def test_tokens_are_those_of_one_engine(server: Server, reference: Reference) -> None:
    chat = {"family": "ways", "prefill": half("kv_producer"), "decode": half("kv_consumer")}
    served = server.get({"models": {"chat": chat}})

    story = reference.tokenizer(STORY).input_ids
    said = [tokens(served.running.routes["chat"], "chat", story[:length]) for length in PROMPTS]

    assert said == [reference.greedy(story[:length], 32) for length in PROMPTS]
    assert served.logged("Transfer plan: ") > 0, "no engine has met another by NIXL"
