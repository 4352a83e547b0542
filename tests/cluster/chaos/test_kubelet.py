"""The kubelet of the node starts anew."""

from __future__ import annotations

import subprocess
import sys

from tests.cluster.chaos.conftest import MODEL
from tests.cluster.figures import note
from tests.cluster.release import Release, ask_without_end
from tests.support.paths import ROOT


def test_a_restarted_kubelet_keeps_every_pod(serving: Release, our_cluster: None) -> None:
    before, starts = {pod.metadata.uid for pod in serving.pods()}, _kubelet_starts(serving)

    with serving.client.load(*ask_without_end(serving, MODEL)) as load:
        subprocess.run([sys.executable, "-m", "tools.cluster", "restart-kubelet"], cwd=ROOT, check=True)
        serving.wait_until_answering(MODEL)

    # A kubelet that starts calls no pod ready before it has probed it, so a Service on one node is empty for a moment.
    note("kubelet restarted", load)
    assert _kubelet_starts(serving) - starts
    assert {pod.metadata.uid for pod in serving.pods()} == before


def _kubelet_starts(release: Release) -> set[str]:
    """The events with which kubelets say that they start."""
    events = release.core.list_event_for_all_namespaces(field_selector="involvedObject.kind=Node,reason=Starting")
    return {each.metadata.uid for each in events.items if each.source.component == "kubelet"}
