"""The pod of a model's only replica ends at once, as with its node."""

from __future__ import annotations

import time

from tests.cluster.chaos.conftest import MODEL
from tests.cluster.figures import note
from tests.cluster.release import Release, ask_without_end


def test_a_killed_worker_is_replaced(serving: Release) -> None:
    with serving.client.load(*ask_without_end(serving, MODEL), rate=0.5) as load:
        killed = serving.pod_of(MODEL)
        start = time.monotonic()
        serving.kill(killed)
        serving.wait_until_answering(MODEL)
        seconds = time.monotonic() - start

    assert serving.pod_of(MODEL).metadata.uid != killed.metadata.uid

    note("worker of a one-replica model killed: serving again after", seconds)
    note("worker of a one-replica model killed", load)
