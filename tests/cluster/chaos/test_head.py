"""The head ends at once, as with its node; nothing keeps its state elsewhere."""

from __future__ import annotations

import time

from tests.cluster.chaos.conftest import MODEL
from tests.cluster.figures import note
from tests.cluster.pods import ready
from tests.cluster.release import Release, ask_without_end
from tests.cluster.waiting import wait


def test_a_killed_head_comes_back(serving: Release) -> None:
    (head,) = serving.pods("head")

    with serving.client.load(*ask_without_end(serving, MODEL), rate=0.5) as load:
        start = time.monotonic()
        serving.kill(head)
        wait(
            lambda: [pod for pod in serving.pods("head") if pod.metadata.uid != head.metadata.uid and ready(pod)],
            "a new head",
            seconds=180,
        )
        serving.wait_until_answering(MODEL)
        seconds = time.monotonic() - start

    note("head killed: serving again after", seconds)
    note("head killed", load)
