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
    "prefix": ("ray.serve.llm.request_router.PrefixCacheAffinityRouter", "standard"),
    "session": ("ray.serve.experimental.consistent_hash_router.ConsistentHashRouter", "throughput"),
}
"""And the path on which each is asked."""
LEAST_CHATS = 6


@pytest.fixture(scope="module", params=ROUTERS)
def by(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def two(server: Server, by: str) -> Served:
    llm_config = text_config("chat", replicas=2, enable_log_requests=True)
    router, path = ROUTERS[by]
    llm_config["deployment_config"]["request_router_config"] = {"request_router_class": router}
    return server.get({"serving": {"path": path}, "models": {"chat": {"family": "ways", "llmConfig": llm_config}}})


def ask(served: Served, by: str, chat: int, turn: int) -> str:
    """The id of the request that is a chat's first or second turn."""
    messages = [{"role": "user", "content": f"{chat}: {STORY[chat * 100 % 900 :][:300]}"}]
    if turn == 2:
        messages += [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Say more."}]
    answer = httpx.post(
        f"{served.running.routes['chat']}/chat/completions",
        json={"model": "chat", "messages": messages, "max_tokens": 4, "temperature": 0},
        headers={"x-session-id": f"chat-{chat}"} if by == "session" else {},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_the_second_turn_goes_to_the_replica_of_the_first(two: Served, by: str) -> None:
    first: dict[int, set[str]] = {}
    # The router may hear of the second replica a moment after the model is ready.
    for chat in range(LEAST_CHATS + 30):
        (first[chat],) = replicas_of(two, [ask(two, by, chat, 1)])
        if chat >= LEAST_CHATS and len(set().union(*first.values())) == 2:
            break

    second = {chat: replicas_of(two, [ask(two, by, chat, 2)])[0] for chat in first}
    assert all(len(each) == 1 for each in first.values()), first
    assert first == second
    assert len(set().union(*first.values())) == 2, "one replica had all, so nothing is shown"
