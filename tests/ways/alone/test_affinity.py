"""Two replicas: the second turn of a chat goes to the one that had the first, by its prefix or by its session."""

from __future__ import annotations

import httpx
import pytest

from tests.local.served import Served
from tests.ways.conftest import Server
from tests.ways.served import replicas_of, text_config
from tools.tiny_checkpoints import STORY

CHECKPOINTS = ("chat",)
ROUTERS = {
    "prefix": "ray.serve.llm.request_router.PrefixCacheAffinityRouter",
    "session": "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter",
}
CHATS = 6


@pytest.fixture(scope="module", params=ROUTERS)
def by(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def two(server: Server, by: str) -> Served:
    llm_config = text_config("chat", replicas=2, enable_log_requests=True)
    llm_config["deployment_config"]["request_router_config"] = {"request_router_class": ROUTERS[by]}
    return server.get({"models": {"chat": {"family": "ways", "llmConfig": llm_config}}})


def test_the_second_turn_goes_to_the_replica_of_the_first(two: Served, by: str) -> None:
    turns: dict[str, list[str]] = {}
    for turn in (1, 2):
        for chat in range(CHATS):
            said = f"{chat}: {STORY[chat * 100 :][:300]}"
            messages = [{"role": "user", "content": said}]
            if turn == 2:
                messages += [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Say more."}]
            answer = httpx.post(
                f"{two.running.routes['chat']}/chat/completions",
                json={"model": "chat", "messages": messages, "max_tokens": 4, "temperature": 0},
                headers={"x-session-id": f"chat-{chat}"} if by == "session" else {},
                timeout=120,
            )
            assert answer.status_code == 200, answer.text
            turns.setdefault(str(chat), []).append(answer.json()["id"])

    went = {chat: replicas_of(two, ids) for chat, ids in turns.items()}
    assert all(len(first) == 1 and first == second for first, second in went.values()), went
    assert len({tuple(first) for first, _ in went.values()}) == 2, "one replica had all, so nothing is shown"
