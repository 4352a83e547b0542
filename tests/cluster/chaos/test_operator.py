"""KubeRay's operator starts anew; nothing that serves is its business."""

from __future__ import annotations

import time

from tests.cluster.chaos.conftest import MODEL
from tests.cluster.figures import note
from tests.cluster.pods import ready
from tests.cluster.release import Release, ask_without_end
from tests.cluster.waiting import wait

NAMESPACE = "kuberay-system"


def test_a_restarted_operator_changes_nothing(serving: Release, our_cluster: None) -> None:
    cluster = serving.ray_cluster()

    with serving.client.load(*ask_without_end(serving, MODEL)) as load:
        operator = serving.core.list_namespaced_pod(NAMESPACE).items[0]
        serving.core.delete_namespaced_pod(operator.metadata.name, NAMESPACE)
        wait(lambda: _is_up(serving, not_uid=operator.metadata.uid), "the operator is back", seconds=120)
        time.sleep(10)

    note("operator restarted", load)
    assert not load.failed, load
    assert serving.ray_cluster() == cluster


def _is_up(release: Release, *, not_uid: str) -> bool:
    pods = release.core.list_namespaced_pod(NAMESPACE).items
    return len(pods) == 1 and pods[0].metadata.uid != not_uid and ready(pods[0])
