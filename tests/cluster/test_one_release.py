"""The life of one release: installed, asked, tested, changed, and removed. What breaks it is in chaos/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.figures import note
from tests.cluster.release import Release, ask_without_end
from tests.cluster.startup import note_startup
from tests.cluster.waiting import wait
from tools.tiny_checkpoints import ANSWERS

FALCON3, FALCON_H1 = "falcon3-1b-instruct", "falcon-h1-0.5b-instruct"
VALUES = ("values/kind/falcon-h1.yaml", "values/kind/falcon3.yaml")
"""Not in the order of the alphabet: `-f` files compose in any."""


@pytest.mark.parametrize(
    ("llm_config", "told"),
    [
        ({"engine_kwargs": {"max_model_length": 384}}, "max_model_length"),
        ({"placement_group_config": {"bundle_per_worker": {"gpu-workers": 1}}}, "gpu-workers"),
    ],
    ids=["an argument that vLLM does not have", "a pool that is not there"],
)
def test_wrong_values_are_refused_before_anything_is_made(
    release: Release, tmp_path: Path, llm_config: dict[str, object], told: str
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump({"models": {FALCON3: {"llmConfig": llm_config}}}))

    printed = release.upgrade(*VALUES, wrong, fails=True)

    assert told in printed
    assert not release.everything()


def test_preflight_finds_nothing_in_the_way(release: Release) -> None:
    told = release.generator("preflight", "--environment", "kind", "--release", release.name)

    assert told.returncode == 0, told.stdout + told.stderr


def test_both_families_install_in_a_restricted_namespace(release: Release) -> None:
    release.upgrade(*VALUES)

    note("install of two models, to Ready", release.wait_until_serving(FALCON3, FALCON_H1))
    note_startup(release, FALCON3)


@pytest.mark.parametrize("model", [FALCON3, FALCON_H1])
@pytest.mark.parametrize("question", list(ANSWERS)[:3])
def test_every_model_answers_what_the_local_tier_holds_against_transformers(
    release: Release, model: str, question: str
) -> None:
    answer = release.chat(model, question)

    assert answer.status == 200, answer.body
    choice = answer.json()["choices"][0]
    assert choice["message"]["content"] == ANSWERS[question].format(id=model)
    assert choice["finish_reason"] == "stop"


def test_status_says_that_both_serve(release: Release) -> None:
    told = release.generator("status", release.name)

    assert told.returncode == 0, told.stdout + told.stderr
    assert "2 of 2 applications serve" in told.stdout


def test_the_autoscaler_alone_can_speak_to_kubernetes(release: Release) -> None:
    with_token = {
        (pod.metadata.labels["app.kubernetes.io/component"], container.name)
        for pod in release.pods()
        for container in [*(pod.spec.init_containers or []), *pod.spec.containers]
        for mount in container.volume_mounts or []
        if mount.mount_path.startswith("/var/run/secrets/kubernetes.io")
    }

    assert with_token == {("head", "autoscaler")}


def test_helm_test_asks_every_model_from_inside(release: Release) -> None:
    printed = release.helm("test", release.name, "--logs", "--timeout", "5m")

    assert "2 of 2 models answer" in printed


def test_a_changed_engine_argument_makes_a_new_cluster_and_loses_no_request(release: Release, tmp_path: Path) -> None:
    before, engines = release.ray_cluster(), release.engines()
    change = tmp_path / "shorter-context.yaml"
    change.write_text(yaml.safe_dump(_changed(max_model_len=384)))

    with release.client.load(*ask_without_end(release, FALCON3)) as load:
        release.upgrade(*VALUES, change)
        seconds = release.wait_for_engines(load, 2, beside=engines) + release.wait_until_serving(FALCON3, FALCON_H1)
        note("new cluster with two models, to the cut-over", seconds)
        release.wait_until_answering(FALCON3, FALCON_H1)

    note("engine argument changed, delivery configMap", load)
    assert not load.failed, load
    assert release.ray_cluster() != before
    assert release.context(FALCON3) == 384
    assert release.context(FALCON_H1) == 512


def test_another_minimum_is_in_effect_without_a_new_cluster(release: Release, tmp_path: Path) -> None:
    cluster, others = release.ray_cluster(), release.replicas(FALCON_H1)
    asleep = {"min_replicas": 0, "downscale_to_zero_delay_s": 5, "look_back_period_s": 5, "metrics_interval_s": 2}
    change = tmp_path / "asleep.yaml"
    change.write_text(yaml.safe_dump(_changed(max_model_len=384, autoscaling_config=asleep)))

    release.upgrade(*VALUES, change)
    note(
        "minimum of 0 instead of 1, delivery configMap: replica gone after",
        wait(lambda: not release.replicas(FALCON3), "no replica", seconds=180, now=release.pods_in_words),
    )

    assert release.ray_cluster() == cluster
    # Those before had the replica of the former cluster among them, which stays for a minute.
    now = release.replicas(FALCON_H1)
    assert now and now <= others, "the other model is as it was"


def test_uninstalling_leaves_nothing(release: Release) -> None:
    release.helm("uninstall", release.name, "--wait")

    note(
        "uninstalled, until nothing is left",
        wait(lambda: not release.everything(), "nothing left", seconds=180, now=release.everything),
    )


def _changed(*, max_model_len: int, **deployment: Any) -> dict[str, Any]:
    """Values in which the first model differs."""
    config = {"engine_kwargs": {"max_model_len": max_model_len}, "deployment_config": deployment}
    return {"models": {FALCON3: {"llmConfig": config}}}
