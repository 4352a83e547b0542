"""Variables that undo what other values say are refused wherever an environment can be given."""

from __future__ import annotations

from typing import Any

import pytest

from generator.documents.load import Origin, dump_yaml
from generator.errors import UserErrors
from generator.facts.refused import refused_variable
from generator.formats.check import check_document
from tests.support.paths import ROOT


def told(data: dict[str, Any], kind: str) -> str:
    with pytest.raises(UserErrors) as raised:
        check_document(data, kind, Origin("file.yaml", dump_yaml(data)))
    return str(raised.value)


def below(path: str, value: Any) -> Any:
    for key in reversed(path.split(".")):
        value = [{"name": "d", **value}] if key == "0" else {key: value}
    return value


@pytest.mark.parametrize(
    "path",
    [
        "pods.env",
        "head.env",
        "ingressWorkers.env",
        "workerGroups.g.env",
        "serving.ingress.ray_actor_options.runtime_env.env_vars",
    ],
)
def test_a_token_that_the_environment_turns_off(path: str) -> None:
    message = told(below(path, {"RAY_AUTH_MODE": "disabled"}), "values")
    assert "'RAY_AUTH_MODE' is not accepted: it decides whether Ray's own API asks for a token" in message
    assert "Say it in auth.mode" in message
    assert "file.yaml:" in message


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("values", "models.m.llmConfig.runtime_env.env_vars"),
        ("values", "models.m.llmConfig.deployment_config.ray_actor_options.runtime_env.env_vars"),
        ("values", "apps.a.application.runtime_env.env_vars"),
        ("values", "apps.a.application.deployments.0.ray_actor_options.runtime_env.env_vars"),
        ("environment", "chart.pods.env"),
        ("environment", "pools.p.workerGroup.env"),
        ("environment", "defaults.llmConfig.runtime_env.env_vars"),
        ("environment", "serve.falcon3.models.m.llmConfig.runtime_env.env_vars"),
        ("environment", "apps.a.application.runtime_env.env_vars"),
    ],
)
def test_routes_for_developers_wherever_they_are_switched_on(kind: str, path: str) -> None:
    message = told(below(path, {"VLLM_SERVER_DEV_MODE": "1"}), kind)
    assert "'VLLM_SERVER_DEV_MODE' is not accepted: it adds routes that change the engine for every client" in message


def test_a_variable_of_the_same_name_that_is_no_variable_is_left_alone() -> None:
    assert refused_variable("RAY_AUTH_TOKEN_PATH", "x") and refused_variable("RAY_AUTH_MODE", "x")
    assert not refused_variable("RAY_AUTHOR", "x") and not refused_variable("MY_VLLM_SERVER_DEV_MODE", "1")
    check_document({"commonLabels": {"RAY_AUTH_MODE": "x"}}, "values", Origin("file.yaml"))


@pytest.mark.parametrize("value", ["0", {"value": "0"}])
def test_what_is_switched_off_is_taken(value: Any) -> None:
    check_document({"pods": {"env": {"VLLM_SERVER_DEV_MODE": value}}}, "values", Origin("file.yaml"))
    assert refused_variable("VLLM_SERVER_DEV_MODE", {"value": "1"})
    assert refused_variable("VLLM_SERVER_DEV_MODE", {"valueFrom": {}})
    assert refused_variable("RAY_AUTH_MODE", "0")


def test_the_chart_has_the_same_table() -> None:
    text = (ROOT / "chart" / "files" / "refused-variables.yaml").read_text(encoding="utf-8")
    assert "RAY_AUTH_*:" in text and "VLLM_ALLOW_INSECURE_SERIALIZATION:" in text
