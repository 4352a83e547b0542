"""What strangers' clusters say: kubeconfigs with anything in them, and API servers that answer anything."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from generator.cli.status_report import status_json, status_lines
from generator.cluster.answers import typed_answers
from generator.cluster.api import Cluster, _HttpCluster
from generator.cluster.kubeconfig import connection
from generator.cluster.status.objects import find_release, observe
from generator.cluster.status.status import release_status
from tests.support.fuzzing import Record, fuzz, refusal_of
from tests.support.mutations import damaged, mutated
from tests.support.paths import ROOT

STATUSES = ROOT / "tests" / "unit" / "data" / "release_status"
SECRET = "SECRET-of-nobody"
KUBECONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9", "insecure-skip-tls-verify": True}}],
    "users": [{"name": "u", "user": {"token": SECRET, "username": "me", "password": SECRET}}],
    "contexts": [{"name": "staging", "context": {"cluster": "c", "user": "u", "namespace": "ai"}}],
    "current-context": "staging",
}


def test_a_kubeconfig_is_taken_or_refused_without_its_secret(tmp_path: Path, record_property: Record) -> None:
    seeds = [KUBECONFIG]
    path = tmp_path / "kubeconfig"

    def target(text: str) -> str:
        path.write_bytes(text.encode(errors="surrogatepass"))
        message = refusal_of(lambda: connection(context=None, kubeconfig=path))
        assert SECRET not in message or not is_known(text)
        return message

    fuzz(
        mutated(seeds).map(yaml.safe_dump) | damaged([yaml.safe_dump(s) for s in seeds]), target, record=record_property
    )


def is_known(text: str) -> bool:
    """Whether the secret is still some user's: of a context with that name alone nobody could tell that it is one."""
    try:
        document = yaml.safe_load(text)
    except Exception:  # what is no YAML must be refused without it all the same
        return True
    return not isinstance(document, dict) or has_secret(document.get("users"))


def has_secret(node: Any) -> bool:
    if isinstance(node, dict):
        return any(
            (key in ("token", "password") and value == SECRET) or has_secret(value) for key, value in node.items()
        )
    return isinstance(node, list) and any(map(has_secret, node))


def test_a_context_that_is_called_as_a_users_token_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump({**KUBECONFIG, "current-context": SECRET}))
    message = refusal_of(lambda: connection(context=None, kubeconfig=path))
    assert "no context '***'" in message and SECRET not in message


def test_contexts_that_are_listed_hide_a_users_token_too(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    context = {"name": SECRET, "context": {"cluster": "c", "user": "u"}}
    path.write_text(yaml.safe_dump({**KUBECONFIG, "contexts": [context]}))
    message = refusal_of(lambda: connection(context=None, kubeconfig=path))
    assert "accepted: ***" in message and SECRET not in message


RECORDED = ("pods-that-cannot-start",)
METRICS = (
    'ray_serve_deployment_replica_healthy{application="a",deployment="LLMServer:a"} 1.0\n'
    'ray_serve_autoscaling_target_replicas{application="a",deployment="LLMServer:a"} NaN\n'
)


class OddServer:
    """Stands in for the client's connections: answers what it is told to, for each kind of object."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}

    def request(self, method: str, url: str, **_: Any) -> SimpleNamespace:
        kind = next((kind for kind in self.answers if kind in url), "")
        data = self.answers.get(kind, b'{"items": []}')
        return SimpleNamespace(status=200, data=data, headers=SimpleNamespace(getlist=lambda name: []))

    def cluster(self) -> Cluster:
        settings = SimpleNamespace(host="https://odd", auth_settings=dict)
        client = SimpleNamespace(configuration=settings, rest_client=SimpleNamespace(pool_manager=self))
        return _HttpCluster(client, "ai")


def answers_of(name: str) -> dict[str, Any]:
    """What a real cluster answered, by a part of the path."""
    observed = yaml.safe_load((STATUSES / f"{name}.yaml").read_text())
    return {
        "rayservices/": observed["service"],
        "rayservices": {"items": [observed["service"]]},
        "rayclusters": {"items": [{"metadata": {"name": name}, **each} for name, each in observed["clusters"].items()]},
        "proxy/metrics": METRICS,
        "pods": {"items": observed["pods"]},
        "events": {"items": observed["events"]},
    }


def shown(cluster: Cluster, name: str) -> None:
    """What the command `status` reads and shows."""
    with typed_answers(cluster):
        place, service = find_release(cluster, name, None)
        release = release_status(observe(cluster, place, service), name)
        list(status_lines(release))
        status_json(release)


@pytest.mark.parametrize("name", RECORDED)
def test_status_of_an_api_server_that_answers_anything(name: str, record_property: Record) -> None:
    server = OddServer()
    release = answers_of(name)["rayservices/"]["metadata"]["name"]

    def target(answers: Any) -> str:
        server.answers = {str(k): encoded(v) for k, v in answers.items()} if isinstance(answers, dict) else {}
        return refusal_of(lambda: shown(server.cluster(), release))

    assert target(answers_of(name)) == ""
    fuzz(mutated([answers_of(name)], most=2), target, record=record_property, examples=20, slow=10)


def test_status_of_answers_with_other_characters(record_property: Record) -> None:
    server, answers = OddServer(), answers_of("pods-that-cannot-start")

    def target(text: str) -> str:
        server.answers = {**{kind: encoded(each) for kind, each in answers.items()}, "rayservices/": encoded(text)}
        return refusal_of(lambda: shown(server.cluster(), "bad"))

    fuzz(damaged([json.dumps(answers["rayservices/"])], most=2), target, record=record_property, examples=30, slow=10)


def encoded(answer: Any) -> bytes:
    return (answer if isinstance(answer, str) else json.dumps(answer, default=str)).encode(errors="surrogatepass")
