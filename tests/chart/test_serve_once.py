"""`serve --once` asks a model that chats, and of another what `helm test` asks it, by the pod that is rendered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from generator.errors import RunFailed
from generator.local.helm_test import HelmTest
from generator.local.ray import Running
from generator.local.serve import answer_of
from tests.chart.rendering import MODEL, Render
from tests.support.odd_server import http, odd_server

NAME = "team/Model"
LISTED = [http(json.dumps({"data": [{"id": NAME}]}))]
NO_ROUTE = [http('{"detail":"Not Found"}', "404 Not Found")]
CHAT = [http(json.dumps({"choices": [{"message": {"content": "Because."}}]}))]
VECTOR = [http(json.dumps({"data": [{"embedding": [0.1, 0.2]}]}))]
NO_TEMPLATE = [http('{"error": {"message": "no chat template"}}', "400 Bad Request")]
WORDS = [http(json.dumps({"choices": [{"text": "and"}]}))]
BROKEN = [http('{"error": {"message": "out of memory"}}', "500 Oh")]


def asked(render_with: Render, folder: Path, answers: dict[str, Any], **model: Any) -> str:
    """What `serve --once` says of a model with these answers, by a part of their path, under a name of its clients."""
    config = {"model_loading_config": {"model_id": NAME}}
    rendered = render_with({"models": {MODEL: {"llmConfig": config, **model}}})
    helm_test = HelmTest.of([*rendered.objects, *rendered.hooks])
    with odd_server({"models": LISTED, **answers}) as port:
        url = f"http://127.0.0.1:{port}"
        serving = Running(base_url=url, routes={NAME: f"{url}/inference/{MODEL}/v1"}, apps={})
        return answer_of(serving, NAME, "Why?", helm_test, folder)


@pytest.mark.parametrize(
    ("answers", "model", "said"),
    [
        ({"chat": CHAT}, {}, "'Because.'"),
        ({"embeddings": VECTOR, "v1": NO_ROUTE}, {}, "does not chat, and answers what `helm test` asks it"),
        ({"chat": NO_TEMPLATE, "v1": WORDS}, {}, "does not chat, and answers"),
        ({"v1": NO_ROUTE, "inference": NO_ROUTE}, {}, "does not chat, and answers"),
        ({"chat": BROKEN, "embeddings": VECTOR}, {"test": "embeddings"}, "does not chat, and answers"),
    ],
    ids=["chats", "embeds", "completes without a template", "only listed", "said in the values"],
)
def test_it_is_asked_what_it_answers(
    render_with: Render, tmp_path: Path, answers: dict[str, Any], model: dict[str, Any], said: str
) -> None:
    assert said in asked(render_with, tmp_path, answers, **model)


def test_a_fault_of_the_server_is_told(render_with: Render, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="out of memory"):
        asked(render_with, tmp_path, {"chat": BROKEN})


def test_one_that_gives_nothing_is_told_in_the_words_of_helm_test(
    render_with: Render, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generator.local.helm_test.SECONDS", 0.2)

    with pytest.raises(RunFailed, match=r"0 of 1 models answer; not: .*gives no embedding"):
        asked(render_with, tmp_path, {"embeddings": [http("{}")], "v1": NO_ROUTE})
