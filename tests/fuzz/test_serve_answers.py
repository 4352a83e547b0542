"""What a server answers, as `helm test` and `bench` read it: text, or a reason in one line."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import strategies as st

from generator.bench.bench import ids_listed
from generator.errors import UserError
from generator.facts.questions import questions
from tests.support.chart_scripts import chart_script
from tests.support.fuzzing import Record, fuzz
from tests.support.mutations import damaged, mutated
from tests.support.secrets import SHAPED

MODELS: dict[str, Any] = {"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 4096}]}
COMPLETION: dict[str, Any] = {"choices": [{"text": "x", "index": 0}], "usage": {"completion_tokens": 4}, **MODELS}
DEPLOYMENTS = {"LLMServer:m": {"status": "UNHEALTHY", "message": f"ValueError: no {SHAPED['hub']}\nwith password=Zp9"}}
RAY_SERVICE: dict[str, Any] = {
    "metadata": {"name": "m", "uid": "1-2"},
    "status": {
        "activeServiceStatus": {
            "rayClusterName": "old",
            "applicationStatuses": {
                "m": {"status": "DEPLOY_FAILED", "message": "no", "serveDeploymentStatuses": DEPLOYMENTS}
            },
        },
        "pendingServiceStatus": {},
    },
}


@pytest.fixture(scope="module")
def helm_test() -> ModuleType:
    return chart_script("helm_test")


def run_of(helm_test: ModuleType, tmp_path: Path) -> Any:
    config = {
        "url": "http://x",
        "route": "/{model}",
        "application": "{model}",
        "names": {},
        "asked": {},
        "questions": questions(),
        "applications": [],
        "rayService": "/service",
        "pod": "/pod",
        "serviceAccount": str(tmp_path),
        "timeoutSeconds": 60,
        "graceSeconds": 0,
    }
    return helm_test.Run(config, ["m"])


def test_answers_of_serve(
    helm_test: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Record
) -> None:
    run = run_of(helm_test, tmp_path)
    run.status = helm_test.Status(error="not read: answers alone count")

    def reason(body: bytes) -> str:
        monkeypatch.setattr(helm_test, "fetch", lambda *_: (200, body))
        return line(run._attempt("m")[0])

    texts = damaged([json.dumps(COMPLETION)]).map(lambda text: text.encode(errors="surrogatepass"))
    objects = mutated([COMPLETION]).map(lambda answer: json.dumps(answer).encode())
    fuzz(st.one_of(objects, texts), reason, record=record_property)


def test_the_status_of_a_ray_service(
    helm_test: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Record
) -> None:
    run = run_of(helm_test, tmp_path)
    monkeypatch.setattr(helm_test, "ask", lambda *_, **__: COMPLETION)
    (tmp_path / "token").write_text("t")
    monkeypatch.setattr(helm_test.ssl, "create_default_context", lambda **_: None)

    def reason(service: Any) -> str:
        monkeypatch.setattr(helm_test, "fetch", lambda *_: (200, json.dumps(service).encode()))
        run._read_status()
        return line(run._attempt("m")[0])

    fuzz(mutated([RAY_SERVICE]), reason, record=record_property)


def test_the_word_of_an_application_is_one_line_without_a_secret(helm_test: ModuleType) -> None:
    status = helm_test.Status(applications={"m": {"status": f"no {SHAPED['hub']}\nwith password=Zp9"}})

    with pytest.raises(helm_test.NotWell) as told:
        status.require_running("m")

    assert line(str(told.value)) == "application m is no *** with password=***"


def test_lists_of_models_as_bench_reads_them(record_property: Record) -> None:
    def refusal(body: bytes) -> str:
        try:
            ids = ids_listed(body)
        except ValueError as error:
            return str(UserError(str(error)))
        assert all(isinstance(each, str) for each in ids)
        return ""

    texts = damaged([json.dumps(MODELS)]).map(lambda text: text.encode(errors="surrogatepass"))
    fuzz(st.one_of(mutated([MODELS]).map(lambda answer: json.dumps(answer).encode()), texts), refusal,
         record=record_property)  # fmt: skip


def line(reason: str | None) -> str:
    """The reason, which is one short line of what prints, and has no secret."""
    reason = reason or ""
    assert reason.isprintable() and len(reason) < 600, reason
    assert SHAPED["hub"] not in reason and "Zp9" not in reason, reason
    assert not reason.startswith(("TypeError", "AttributeError", "KeyError", "RecursionError")), reason
    return reason
