"""modelCache.prefetch: models come from a hub into a claim before any pod of the release, and workers read them there.

The hub is a stand-in (tests/support/hub_stand_in.py) in a pod that has the image's checkpoints. The chart comes from a
registry, as people install what is published.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import yaml

from tests.cluster.figures import note
from tests.cluster.pods import run_script
from tests.cluster.release import Release
from tests.cluster.volumes import claim_storage, claimed_folder
from tests.cluster.waiting import wait
from tests.support import hub_stand_in
from tools.tiny_checkpoints import ANSWERS

FALCON3 = "falcon3-1b-instruct"
PORT = 8080


@pytest.fixture(scope="module")
def chart(published_chart: tuple[str, ...]) -> tuple[str, ...]:
    return published_chart


@pytest.fixture(scope="module")
def hub(release: Release) -> str:
    """Address of the stand-in, beside the client."""
    arguments = ["python3", "/script/hub_stand_in.py", str(PORT), f"/home/ray/checkpoints/{FALCON3}"]
    pod = run_script(release.client.namespace, "hub", Path(hub_stand_in.__file__), arguments)
    address = f"http://{pod.status.pod_ip}:{PORT}"
    wait(
        lambda: release.client.ask(f"{address}/api/models/stand-in/{FALCON3}").status == 200,
        "the stand-in of the hub answers",
        seconds=60,
    )
    return address


@pytest.fixture(scope="module")
def claim(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PersistentVolumeClaim in the release's namespace, of the default StorageClass or of a folder of our node."""
    classes = kubernetes.client.StorageV1Api().list_storage_class().items
    default = "storageclass.kubernetes.io/is-default-class"
    if any((each.metadata.annotations or {}).get(default) == "true" for each in classes):
        claim_storage(release.namespace, "models")
        yield "models"
    else:
        with claimed_folder(release.namespace, "models", tmp_path_factory.mktemp("models")):
            yield "models"


def overlay(tmp_path: Path, hub: str, claim: str, source: str) -> Path:
    """The kind environment's model, from the hub instead of the image."""
    values: dict[str, Any] = {
        "models": {FALCON3: {"llmConfig": {"model_loading_config": {"model_source": source}}}},
        "modelCache": {"type": "persistentVolumeClaim", "claimName": claim, "prefetch": True},
        "prePullImages": True,
        "pods": {"env": {"HF_ENDPOINT": hub}},
        # What is not in the cache is not to be had there.
        "workerGroups": {"cpu-workers": {"env": {"HF_HUB_OFFLINE": "1"}}},
    }
    file = tmp_path / "hub.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def test_a_model_that_cannot_be_had_stops_the_installation(
    release: Release, hub: str, claim: str, tmp_path: Path
) -> None:
    wrong = overlay(tmp_path, hub, claim, "stand-in/nowhere")

    printed = release.upgrade("values/kind/falcon3.yaml", wrong, fails=True)

    assert "error: stand-in/nowhere: the hub has no such model" in printed
    assert not release.pods()
    assert not jobs(release)


def test_the_workers_read_what_was_fetched_before(release: Release, hub: str, claim: str, tmp_path: Path) -> None:
    start = time.monotonic()
    release.upgrade("values/kind/falcon3.yaml", overlay(tmp_path, hub, claim, f"stand-in/{FALCON3}"))
    note("install with prefetch: helm returned after", time.monotonic() - start)
    note("install with prefetch, to Ready", release.wait_until_serving(FALCON3))

    answer = release.chat(FALCON3, "Say hello.")

    assert answer.status == 200, answer.body
    assert answer.json()["choices"][0]["message"]["content"] == ANSWERS["Say hello."]
    assert not jobs(release)


def test_a_pod_of_the_image_sleeps_wherever_a_worker_may_run(release: Release) -> None:
    (daemons,) = kubernetes.client.AppsV1Api().list_namespaced_daemon_set(release.namespace).items

    assert daemons.status.number_ready == daemons.status.desired_number_scheduled > 0


def test_only_the_claim_outlives_the_release(release: Release, claim: str) -> None:
    release.helm("uninstall", release.name, "--wait")

    kept = {f"PersistentVolumeClaim/{claim}"}
    wait(lambda: release.everything() == kept, "only the claim left", seconds=180, now=release.everything)
    assert release.core.read_namespaced_persistent_volume_claim(claim, release.namespace).status.phase == "Bound"


def jobs(release: Release) -> list[str]:
    """The jobs that are there; helm takes them away when they are done."""
    found = kubernetes.client.BatchV1Api().list_namespaced_job(release.namespace).items
    return [job.metadata.name for job in found if job.metadata.deletion_timestamp is None]
