"""Delivery `inline`: one Ray cluster, on which models change, scale, sleep, wake and fail, each without the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.client import SPARSE
from tests.cluster.figures import note
from tests.cluster.release import Release, ask_without_end
from tests.cluster.startup import note_startup
from tests.cluster.waiting import wait
from tests.support.paths import ROOT
from tools.tiny_checkpoints import ANSWERS

FALCON3, FALCON_H1 = "falcon3-1b-instruct", "falcon-h1-0.5b-instruct"
QUICK = {
    "upscale_delay_s": 2,
    "downscale_delay_s": 10,
    "downscale_to_zero_delay_s": 10,
    "look_back_period_s": 5,
    "metrics_interval_s": 2,
}
"""Ray waits ten minutes before it stops a replica, and looks half a minute back; a test does not."""


def overlay(tmp_path: Path, values: dict[str, Any]) -> Path:
    """A values file over the generated ones."""
    file = tmp_path / "overlay.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def falcon3(*, replicas: int = 1, **engine: Any) -> dict[str, Any]:
    """The first model with up to so many replicas, another one for every two requests that are under way."""
    scaling = {"min_replicas": 1, "max_replicas": replicas, "target_ongoing_requests": 2, **QUICK}
    config = {"deployment_config": {"autoscaling_config": scaling}, "engine_kwargs": engine}
    return {"llmConfig": config, "scaling": {"schedule": schedule(open_now=False, least=replicas)}}


def schedule(*, open_now: bool, least: int) -> dict[str, Any]:
    """All of today, or a day that no run of these tests reaches. Every story has one: the first makes a new cluster."""
    day = (datetime.now(UTC) + timedelta(days=3)).strftime("%a").lower()
    return {"windows": {"busy": {"days": "mon-sun" if open_now else day, "from": "00:00", "to": "00:00", "min": least}}}


def asleep(**engine: Any) -> dict[str, Any]:
    """A model that has no replica until it is asked."""
    scaling = {"min_replicas": 0, "max_replicas": 1, **QUICK}
    return {"llmConfig": {"deployment_config": {"autoscaling_config": scaling}, "engine_kwargs": engine}}


INLINE = {"serving": {"delivery": "inline"}, "autoscalerOptions": {"idleTimeoutSeconds": 10}}
FIRST = {**INLINE, "models": {FALCON3: falcon3(replicas=2)}}
"""It may have a second replica, which only a load above the target brings: no later story has to roll it for that."""
CHANGED = {**INLINE, "models": {FALCON3: falcon3(max_model_len=384)}}


@pytest.fixture(scope="module")
def cluster(release: Release, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The one Ray cluster, with the first model."""
    release.upgrade("values/kind/falcon3.yaml", overlay(tmp_path_factory.mktemp("values"), FIRST))
    note("install of one model, to Ready", release.wait_until_serving(FALCON3))
    note_startup(release, FALCON3)
    return release.ray_cluster()


def test_one_family_installs_alone(release: Release, cluster: str) -> None:
    answer = release.chat(FALCON3, "Say hello.")

    assert answer.json()["choices"][0]["message"]["content"] == ANSWERS["Say hello."]


def test_a_load_above_the_target_brings_a_second_pod_that_goes_afterwards(release: Release, cluster: str) -> None:
    wait(lambda: len(release.pods("worker")) == 1, "one worker before", seconds=240, now=release.pods_in_words)
    long = {"model": FALCON3, "prompt": "A lighthouse keeper", "max_tokens": 400, "ignore_eos": True}

    with release.client.load(release.url(f"/inference/{FALCON3}/v1/completions"), long, rate=1) as load:
        note(
            "load above the target: second worker pod after",
            wait(lambda: len(release.pods("worker")) == 2, "a second worker", seconds=180, now=release.pods_in_words),
        )
        note(
            "load above the target: second replica after",
            wait(
                lambda: len(release.replicas(FALCON3)) == 2, "a second replica", seconds=240, now=release.pods_in_words
            ),
        )
    assert not load.failed, load

    note(
        "load gone: second worker pod gone after",
        wait(lambda: len(release.pods("worker")) == 1, "one worker again", seconds=240, now=release.pods_in_words),
    )


def test_a_schedule_raises_and_lowers_the_least_replicas_and_touches_nothing_else(
    release: Release, cluster: str, tmp_path: Path
) -> None:
    before = release.replicas(FALCON3)
    busy = {**falcon3(replicas=2), "scaling": {"schedule": schedule(open_now=True, least=2)}}

    release.upgrade("values/kind/falcon3.yaml", overlay(tmp_path, {**INLINE, "models": {FALCON3: busy}}))
    note("another schedule: a replica more after", _exchanged(release, lambda: len(release.replicas(FALCON3)) == 2))
    assert before <= release.replicas(FALCON3)

    release.upgrade("values/kind/falcon3.yaml", overlay(tmp_path, FIRST))
    note("another schedule: a replica less after", _exchanged(release, lambda: len(release.replicas(FALCON3)) == 1))
    wait(lambda: len(release.pods("worker")) == 1, "one worker again", seconds=240, now=release.pods_in_words)
    assert release.ray_cluster() == cluster


def _exchanged(release: Release, holds: Callable[[], bool]) -> float:
    """Seconds until it holds. The kubelet is nudged, which looks for other ConfigMaps once a minute by itself."""
    (head,) = release.pods("head")
    nudge = {"metadata": {"annotations": {"tests/nudged": str(time.monotonic())}}}
    release.core.patch_namespaced_pod(head.metadata.name, release.namespace, nudge)
    return wait(holds, "the schedule is in effect", seconds=240, now=release.pods_in_words)


def test_a_changed_engine_argument_rolls_one_model_in_place_and_loses_no_request(
    release: Release, cluster: str, tmp_path: Path
) -> None:
    before = release.engines()

    with release.client.load(*ask_without_end(release, FALCON3)) as load:
        release.upgrade("values/kind/falcon3.yaml", overlay(tmp_path, CHANGED))
        seconds = release.wait_for_engines(load, 1, beside=before)
        seconds += wait(lambda: release.context(FALCON3) == 384, "the new context", seconds=300)
        release.wait_until_serving(FALCON3)

    note("engine argument changed in place, in effect after", seconds)
    note("engine argument changed, delivery inline, with surge", load)
    assert not load.failed, load
    assert release.ray_cluster() == cluster


def test_a_rollback_serves_the_former_configuration_again(release: Release, cluster: str) -> None:
    release.helm("rollback", release.name, "1")

    note(
        "helm rollback in place", wait(lambda: release.context(FALCON3) == 512, "the old context", seconds=300, every=3)
    )
    release.wait_until_serving(FALCON3)
    assert release.ray_cluster() == cluster


def test_a_model_that_joins_asleep_has_no_pod(release: Release, cluster: str, tmp_path: Path) -> None:
    before = release.replicas(FALCON3)
    both = {**INLINE, "models": {FALCON3: falcon3(replicas=2), FALCON_H1: asleep()}}
    release.upgrade("values/kind/falcon3.yaml", "values/kind/falcon-h1.yaml", overlay(tmp_path, both))
    release.wait_until_serving(FALCON3, FALCON_H1)

    # The pod of a replica that was rolled back may still be going.
    wait(lambda: len(release.pods("worker")) == 1, "the first one's pod alone", seconds=240, now=release.pods_in_words)
    assert release.ray_cluster() == cluster
    assert release.replicas(FALCON3) == before, "a model that joins touches no other"


def test_a_model_that_sleeps_wakes_with_its_new_configuration_and_leaves_the_others_alone(
    release: Release, cluster: str, tmp_path: Path
) -> None:
    before = release.replicas(FALCON3)
    changed = {**INLINE, "models": {FALCON3: falcon3(replicas=2), FALCON_H1: asleep(max_model_len=384)}}

    with release.client.load(*ask_without_end(release, FALCON3)) as load:
        release.upgrade("values/kind/falcon3.yaml", "values/kind/falcon-h1.yaml", overlay(tmp_path, changed))
        release.wait_until_serving(FALCON3, FALCON_H1)

        load.at(SPARSE)
        start = time.monotonic()
        answer = release.chat(FALCON_H1, "Say hello.", seconds=240)
        note("model woken from zero: first answer after", time.monotonic() - start)

        assert answer.status == 200, answer.body
        assert answer.json()["choices"][0]["message"]["content"] == ANSWERS["Say hello."]
        wait(lambda: release.context(FALCON_H1) == 384, "the new context of the one that slept", seconds=300)

    note("another model changed in place", load)
    assert not load.failed, load
    note(
        "idle model: its worker pod gone after",
        wait(lambda: len(release.pods("worker")) == 1, "its pod gone", seconds=300, now=release.pods_in_words),
    )
    assert release.ray_cluster() == cluster
    assert before and before <= release.replicas(FALCON3)


def test_a_bad_model_is_named_and_the_others_serve(release: Release, cluster: str, tmp_path: Path) -> None:
    generated = yaml.safe_load((ROOT / "values/kind/falcon3.yaml").read_text())["models"][FALCON3]
    source = {"model_loading_config": {"model_source": "/home/ray/checkpoints/no-such-model"}}
    # Ray gives up after three starts of a replica; one says as much.
    once = {"deployment_config": {**generated["llmConfig"]["deployment_config"], "max_constructor_retry_count": 1}}
    bad = {**generated, "llmConfig": {**generated["llmConfig"], **source, **once}}
    values = {**INLINE, "models": {FALCON3: falcon3(replicas=2), "bad-model": bad}}
    release.upgrade("values/kind/falcon3.yaml", overlay(tmp_path, values))
    wait(
        lambda: release.applications().get("bad-model") in ("DEPLOY_FAILED", "UNHEALTHY"),
        "bad-model has failed",
        seconds=420,
        now=lambda: str(release.applications()),
    )

    assert release.chat(FALCON3, "Say hello.").status == 200

    told = release.generator("status", release.name)
    assert told.returncode == 1
    assert "bad-model" in told.stdout and "no-such-model" in told.stdout, told.stdout + told.stderr

    tested = release.helm("test", release.name, "--logs", "--timeout", "3m", fails=True)
    assert "bad-model" in tested and "no-such-model" in tested, tested
    assert f"{FALCON3}" in tested
