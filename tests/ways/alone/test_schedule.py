"""A schedule: a replica comes when its window begins and goes when that ends, and the first one stays."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.local.served import Served
from tests.ways.conftest import Server
from tests.ways.served import text_config

CHECKPOINTS = ("chat",)
QUICK = {"upscale_delay_s": 1, "downscale_delay_s": 2}
"""Ray waits half a minute before it starts a replica and ten before it stops one; a test does not."""


def window(begins: datetime, minutes: int) -> dict[str, Any]:
    """Two replicas for so many minutes."""
    return {"from": f"{begins:%H:%M}", "to": f"{begins + timedelta(minutes=minutes):%H:%M}", "min": 2}


def test_the_least_replicas_rise_and_fall_by_the_clock_of_a_file_that_is_exchanged(server: Server) -> None:
    llm_config = text_config("chat")
    bounds = {"min_replicas": 1, "max_replicas": 2, "target_ongoing_requests": 6, **QUICK}
    llm_config["deployment_config"]["autoscaling_config"] = bounds
    later = {"windows": {"w": window(datetime.now(UTC) + timedelta(hours=12), 1)}}
    chat = {"family": "ways", "llmConfig": llm_config, "scaling": {"schedule": later}}
    served = server.get({"models": {"chat": chat}})
    (first,) = replicas(served)

    # As the kubelet does with another ConfigMap.
    begins = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    (file,) = served.folder.rglob("_schedules/chat.json")
    file.write_text(json.dumps({"windows": {"w": window(begins, 2)}}))

    wait(lambda: len(replicas(served)) == 2, seconds=180)
    assert datetime.now(UTC) >= begins
    wait(lambda: len(replicas(served)) == 1, seconds=300)
    assert datetime.now(UTC) >= begins + timedelta(minutes=2)
    assert replicas(served) == {first}


def replicas(served: Served) -> set[int]:
    """Processes of the model's replicas, by the title that Ray gives them."""
    return set(served.commands("ServeReplica:chat:LLMServer"))


def wait(holds: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(1)
