"""Who may reach what: nothing opens by the back door what a value says is shut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import GROUP, MODEL, Render, parse
from tests.support.paths import ROOT

RenderError = Callable[..., str]
REFUSED = parse((ROOT / "chart" / "files" / "refused-variables.yaml").read_text(encoding="utf-8"))
DEV = {"VLLM_SERVER_DEV_MODE": "1"}
RUNTIME = {"runtime_env": {"env_vars": DEV}}
ACTOR = {"ray_actor_options": RUNTIME}


@pytest.mark.parametrize("name", REFUSED)
def test_a_variable_that_undoes_what_a_value_says(render_error: RenderError, name: str) -> None:
    message = render_error({"pods": {"env": {name.replace("*", "MODE"): "1"}}})
    assert f"- pods.env.{name.replace('*', 'MODE')}: {REFUSED[name]['why']}. {REFUSED[name]['instead']}." in message


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"head": {"env": DEV}}, "head.env"),
        ({"ingressWorkers": {"env": DEV}}, "ingressWorkers.env"),
        ({"workerGroups": {GROUP: {"env": DEV}}}, f"workerGroups.{GROUP}.env"),
        ({"serving": {"ingress": ACTOR}}, "serving.ingress.ray_actor_options.runtime_env.env_vars"),
        ({"models": {MODEL: {"llmConfig": RUNTIME}}}, f"models.{MODEL}.llmConfig.runtime_env.env_vars"),
        (
            {"models": {MODEL: {"llmConfig": {"deployment_config": ACTOR}}}},
            f"models.{MODEL}.llmConfig.deployment_config.ray_actor_options.runtime_env.env_vars",
        ),
        (
            {"apps": {"a": {"application": {"import_path": "a:b", **RUNTIME}}}},
            "apps.a.application.runtime_env.env_vars",
        ),
        (
            {"apps": {"a": {"application": {"import_path": "a:b", "deployments": [{"name": "D", **ACTOR}]}}}},
            "apps.a.application.deployments (D).ray_actor_options.runtime_env.env_vars",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_refused_wherever_variables_are_given(
    render_error: RenderError, change: dict[str, Any], where: str
) -> None:
    assert f"- {where}.VLLM_SERVER_DEV_MODE: it adds routes that change the engine" in render_error(change)


def test_a_debugger_that_listens_everywhere(render_error: RenderError) -> None:
    flag = {"rayStartParams": {"ray-debugger-external": ""}}
    message = render_error({"head": flag, "workerGroups": {GROUP: flag}})
    for where in ("head", f"workerGroups.{GROUP}"):
        assert f"{where}.rayStartParams.ray-debugger-external: Ray's debugger would listen on every" in message


@pytest.mark.parametrize("where", ["pods", "head"])
def test_a_volume_in_place_of_the_autoscalers_token(render_error: RenderError, where: str) -> None:
    message = render_error({where: {"volumes": {"kubernetes-api": {"mountPath": "/x", "emptyDir": {}}}}})
    assert "head.volumes.kubernetes-api: the head has a volume of that name for its autoscaler. Rename yours" in message


def test_other_variables_are_taken_as_they_are(render_with: Render) -> None:
    rendered = render_with({"pods": {"env": {"RAY_AUTHOR": "me", "VLLM_LOGGING_LEVEL": "DEBUG"}}})
    assert {rendered.env(name)["RAY_AUTHOR"] for name in rendered.templates} == {"me"}
