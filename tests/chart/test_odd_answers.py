"""`helm test` and the download of models, of servers that answer as none should: a line each, and the others go on."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from generator.facts.questions import questions
from generator.redaction import for_chart
from tests.chart.rendering import CHART
from tests.support.odd_server import ODD, endless, http, odd_server, trickle
from tests.support.waiting import HANGS_S

HELM_TEST = CHART / "files" / "helm_test.py"
CONFIG: dict[str, Any] = {
    "route": "/{model}",
    "application": "{model}",
    "names": {},
    "asked": {},
    "questions": questions(),
    "applications": [],
    "rayService": "",
    "pod": "",
    "serviceAccount": "",
    "timeoutSeconds": 1,
    "pauseSeconds": 0.1,
    "graceSeconds": 0,
    "hidden": for_chart()["hidden"],
}
MODELS = http(json.dumps({"data": [{"id": "good"}]}))
TEXT = http(json.dumps({"choices": [{"text": "x"}], "data": [{"id": "good"}]}))


def helm_test(answers: dict[str, Any]) -> tuple[int, list[str], float]:
    """Exit code, lines and seconds of the script, asked for each of the answers' names; it may have 1 GiB."""

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))

    started = time.monotonic()
    with odd_server(answers) as port:
        config = json.dumps(CONFIG | {"url": f"http://127.0.0.1:{port}"})
        command = [sys.executable, "-u", str(HELM_TEST), config, *answers]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=HANGS_S, check=False, preexec_fn=bounded, errors="strict"
        )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines(), time.monotonic() - started


def reasons(lines: list[str]) -> dict[str, str]:
    verdict = lines[-1].partition("; not: ")[2]
    return {part.partition(" (")[0]: part.partition(" (")[2] for part in verdict.split("); ")}


def test_odd_answers_are_each_a_models_reason_and_the_others_are_asked() -> None:
    code, lines, _ = helm_test({**ODD, "good": [TEXT]})
    assert code == 1
    assert [line for line in lines if line.startswith("good: answers")]
    assert lines[-1].startswith(f"1 of {len(ODD) + 1} models answer; not: ")
    found = reasons(lines)
    assert found.keys() == ODD.keys()
    assert "lists no model" in found["data-null"] and "lists no model" in found["data-text"]
    assert "the answer is not JSON: '<!DOCTYPE html>" in found["html"]
    assert "the answer is not JSON" in found["deep"] and "is not a JSON object" in found["list"]
    assert "HTTP 302" in found["elsewhere"]
    assert "password=***" in found["secret"] and "Zp9-planted" not in "".join(lines)
    assert all(line.isprintable() for line in lines)
    assert not [name for name, reason in found.items() if "Error: " in reason and "HTTP" not in reason], "an exception"


def test_odd_completions_are_no_text() -> None:
    bodies = [{"usage": [1]}, {"usage": 5}, {"choices": None}, {"choices": ["x"]}, {"choices": {"text": "x"}}]
    answers = {
        f"m{number}": [http(json.dumps({"data": [{"id": f"m{number}"}], **body}))] for number, body in enumerate(bodies)
    }
    code, lines, _ = helm_test({**answers, "good": [TEXT]})
    assert code == 1
    found = reasons(lines)
    assert found.keys() == answers.keys()
    assert all("gives no text" in reason for reason in found.values())


def test_answers_without_an_end_are_given_up() -> None:
    slow_head = b"HTTP/1.1 200 OK\r\nX-Slow: "
    answers = {"endless": endless, "trickle": trickle, "slow-head": lambda: trickle(slow_head), "good": [TEXT]}
    code, lines, seconds = helm_test(answers)
    assert code == 1
    assert [line for line in lines if line.startswith("good: answers")]
    found = reasons(lines)
    assert "more than 4 MiB" in found["endless"] or "no whole answer within 5 s" in found["endless"]
    assert "no whole answer within 5 s" in found["trickle"]
    assert "no whole answer within 5 s" in found["slow-head"]
    assert seconds < 60


def test_a_hub_of_odd_answers_is_a_line_for_each_model(tmp_path: Path) -> None:
    answers = {"slow": trickle, "slow-head": lambda: trickle(b"HTTP/1.1 200 OK\r\nX-Slow: "), **ODD}
    config = json.dumps({"timeoutSeconds": 120, "listSeconds": 2, "hidden": CONFIG["hidden"]})
    with odd_server(answers) as port:
        done = subprocess.run(
            [sys.executable, "-u", str(CHART / "files" / "prefetch.py"), config, *(f"org/{name}" for name in answers)],
            env={**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=HANGS_S,
            check=False,
        )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Traceback" not in said and "Zp9-planted" not in said
    errors = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[1] for line in errors] == [f"org/{name}" for name in answers]
    assert "the hub did not give all of it within 2 s" in errors[0]
    assert all(line.isprintable() and len(line) < 600 for line in errors)
