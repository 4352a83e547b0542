"""The second way of serving: examples/custom-app, installed as it is generated, alone and then beside a model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from tests.cluster.figures import note
from tests.cluster.release import Release
from tools.tiny_checkpoints import ANSWERS, STORY

APP, FALCON3 = "briefs", "falcon3-1b-instruct"
QUESTION = {"text": "Say hello.", "temperature": 0}


def address(release: Release) -> str:
    return release.url(f"/inference/{APP}/answer")


def context(release: Release) -> int:
    """The app's context in tokens, as it says it when it refuses a text."""
    answer = release.client.ask(address(release), {"text": STORY * 9})
    found = re.search(r"maximum context length is (\d+) tokens", answer.body)
    return int(found[1]) if found else 0


def test_an_app_installs_alone_and_answers_in_its_own_format(release: Release) -> None:
    release.upgrade("values/kind/briefs.yaml")
    note("install of an app alone, to Ready", release.wait_until_serving(APP))

    answer = release.client.ask(address(release), QUESTION)

    assert answer.status == 200, answer.body
    said = answer.json()
    assert said["text"] == ANSWERS["Say hello."]
    assert said["finish"] == "stop"
    assert said["tokens"]["generated"] > 5


def test_it_streams_the_same_text(release: Release) -> None:
    # Long, since what a busy server has not sent yet it joins to one piece.
    question = {"text": STORY[:120], "max_tokens": 100, "temperature": 0}
    plain = release.client.ask(address(release), question).json()

    answer = release.client.ask(address(release), {**question, "stream": True})

    events = [event.split("\n") for event in answer.body.strip().split("\n\n")]
    pieces = [json.loads(data.removeprefix("data: ")) for name, data in events if name == "event: text"]
    assert len(pieces) > 3
    assert "".join(piece["text"] for piece in pieces) == plain["text"]
    assert events[-1][0] == "event: end"


def test_bad_input_is_a_clear_4xx(release: Release) -> None:
    answer = release.client.ask(address(release), {**QUESTION, "temperature": 3})

    assert answer.status == 422
    assert answer.json()["error"]["field"] == "temperature"


def test_a_model_joins_it_and_the_app_changes_without_losing_a_request(release: Release, tmp_path: Path) -> None:
    change = tmp_path / "shorter-context.yaml"
    shorter = {"application": {"args": {"engine": {"max_model_len": 384}}}}
    change.write_text(yaml.safe_dump({"apps": {APP: shorter}}))

    before = release.engines()

    with release.client.load(address(release), QUESTION) as load:
        release.upgrade("values/kind/briefs.yaml", "values/kind/falcon3.yaml", change)
        seconds = release.wait_for_engines(load, 2, beside=before) + release.wait_until_serving(APP, FALCON3)
        note("a model beside the app, to the cut-over", seconds)

    note("a model put beside the app", load)
    assert not load.failed, load
    assert context(release) == 384
    assert release.client.ask(address(release), QUESTION).json()["text"] == ANSWERS["Say hello."]
    model = release.chat(FALCON3, "Say hello.").json()
    assert model["choices"][0]["message"]["content"] == ANSWERS["Say hello."]


def test_helm_test_names_both(release: Release) -> None:
    printed = release.helm("test", release.name, "--logs", "--timeout", "5m")

    assert FALCON3 in printed and APP in printed, printed


def test_a_rollback_makes_the_former_cluster_anew_and_loses_no_request(release: Release) -> None:
    both, before = release.ray_cluster(), release.engines()

    with release.client.load(address(release), QUESTION) as load:
        release.helm("rollback", release.name, "1")
        seconds = release.wait_for_engines(load, 1, beside=before) + release.wait_until_serving(APP)
        note("helm rollback by a new cluster, to the cut-over", seconds)

    note("helm rollback, delivery configMap", load)
    assert not load.failed, load
    assert release.ray_cluster() != both
    assert context(release) == 512
    assert release.client.ask(address(release), QUESTION).json()["text"] == ANSWERS["Say hello."]
    assert release.chat(FALCON3, "Say hello.").status != 200
