"""`serve --once` and `helm test` ask every kind of model what it can answer."""

from __future__ import annotations

import pytest

from generator.local.helm_test import HelmTest
from generator.local.serve import answer_of
from tests.local.served import Served
from tests.ways.together.models import MODELS as ALL

CHECKPOINTS = ("chat", "pirate", "poet", "embedder", "reranker", "transcriber", "viewer")
MODELS = tuple(ALL)
CHAT = ("chat", "caller", "viewer")


@pytest.mark.parametrize("model", MODELS)
def test_each_is_asked_what_it_answers(served: Served, model: str) -> None:
    helm_test = HelmTest.of(served.manifests)
    assert helm_test is not None

    helm_test.run(model, served.running.base_url, served.folder)
    said = answer_of(served.running, model, "Say hello.", helm_test, served.folder)

    assert ("answered in" if model in CHAT else "does not chat, and answers") in said
