"""Who may reach a release, as an environment or values say it: refused before helm does, and never open unsaid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.documents.load import Origin, dump_yaml
from generator.errors import UserError, UserErrors
from generator.facts.refused import network_policy_rules
from generator.formats.check import check_document
from generator.formats.environment import Environment
from generator.formats.read import read_environment
from generator.plan.plan import make_plan
from generator.project.project import Project
from generator.values import family_values
from tests.support.paths import ROOT

POLICY = {"enabled": True, "operatorNamespace": "kuberay-system"}
OLD = {
    "namespace": "ai",
    "ray": "2.49.1",
    "pools": {"small": {"gpu": "L4-24GB", "nodes": 5}},
    "serve": {"falcon3": {"models": {"falcon3-1b-instruct": None}}},
}
NEW = {**OLD, "ray": "2.60.0"}


@pytest.mark.parametrize("kind", ["values", "environment"])
@pytest.mark.parametrize(
    ("policy", "place", "rule"),
    [
        ({"enabled": True}, "operatorNamespace", "operatorNamespace"),
        ({"enabled": True, "operatorNamespace": ""}, "operatorNamespace", "operatorNamespace"),
        ({**POLICY, "clients": [{"podSelector": {}}, {"podSelector": None}]}, "clients.1", "nobody"),
        (
            {**POLICY, "metricsClients": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]},
            "metricsClients.0",
            "ipBlock",
        ),
        ({**POLICY, "egress": [{"to": [{"namespaceSelector": None}]}]}, "egress.0.to.0", "nobody"),
    ],
)
def test_a_policy_that_helm_would_refuse_is_refused_in_the_same_words(
    kind: str, policy: dict[str, Any], place: str, rule: str
) -> None:
    data = {"networkPolicy": policy} if kind == "values" else {"chart": {"networkPolicy": policy}}
    with pytest.raises(UserErrors) as raised:
        check_document(data, kind, Origin("file.yaml", dump_yaml(data)))
    said, row = str(raised.value), network_policy_rules()[rule]
    assert f": {'' if kind == 'values' else 'chart.'}networkPolicy.{place}: " in said
    assert f"{row.why}\n  {row.instead}." in said


@pytest.mark.parametrize("kind", ["values", "environment"])
def test_a_way_in_from_outside_that_helm_would_refuse(kind: str) -> None:
    values = {
        "httpRoute": {"enabled": True},
        "auth": {"apiKey": {"existingSecret": "clients"}},
        "serving": {"path": "standard"},
    }
    data: dict[str, Any] = values if kind == "values" else {"chart": values}
    with pytest.raises(UserErrors) as raised:
        check_document(data, kind, Origin("file.yaml", dump_yaml(data)))
    said, below = str(raised.value), "" if kind == "values" else "chart."
    assert f"{below}httpRoute.parentRefs: 'parentRefs' names no Gateway, so nothing would come in" in said
    assert f"{below}auth.apiKey.existingSecret: 'existingSecret': on the standard path Ray's ingress answers" in said
    values |= {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}, "serving": {"path": "throughput"}}
    check_document(values, "values", Origin("file.yaml"))


def test_a_policy_that_works_is_taken() -> None:
    peers = [{"podSelector": {}, "namespaceSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]
    check_document({"networkPolicy": {**POLICY, "clients": peers, "egress": [{"to": peers}]}}, "values", Origin("f"))
    check_document({"networkPolicy": {"operatorNamespace": ""}}, "values", Origin("f"))


def written(folder: Path, data: dict[str, Any]) -> Path:
    path = folder / "one.yaml"
    path.write_text(dump_yaml(data), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "environment",
    [OLD, {**OLD, "chart": {"networkPolicy": {"clients": []}}}, {**NEW, "chart": {"auth": {"mode": "disabled"}}}],
)
def test_an_api_without_a_token_is_not_left_open_unsaid(tmp_path: Path, environment: dict[str, Any]) -> None:
    with pytest.raises(UserError) as raised:
        read_environment(written(tmp_path, environment))
    said = str(raised.value)
    assert "chart.networkPolicy: every pod of the cluster can run code in this release: Ray 2." in said
    assert "Write `networkPolicy: {enabled: true, operatorNamespace: kuberay-system}` below `chart:`" in said
    assert "`networkPolicy: {enabled: false}` leaves them open." in said


def warnings_of(environment: Environment) -> list[str]:
    plan = make_plan("one", environment, Project.at(ROOT).catalog(), where="environments/one.yaml")
    assert family_values(plan, "falcon3")["networkPolicy"]["enabled"] is environment.chart["networkPolicy"]["enabled"]
    return [str(warning) for warning in plan.warnings if warning.kind == "environment"]


def test_who_leaves_it_open_says_so_and_is_warned(tmp_path: Path) -> None:
    for environment in (OLD, {**NEW, "chart": {"auth": {"mode": "disabled"}}}):
        chart = environment.get("chart", {})
        said = {**environment, "chart": {**chart, "networkPolicy": {"enabled": False}}}
        (warning,) = warnings_of(read_environment(written(tmp_path, said)))
        assert warning.startswith("environment one: every pod of the cluster can run code in this release: Ray 2.")
        closed = {**environment, "chart": {**chart, "networkPolicy": POLICY}}
        assert warnings_of(read_environment(written(tmp_path, closed))) == []


def test_with_a_token_nothing_is_to_be_said(tmp_path: Path) -> None:
    read_environment(written(tmp_path, NEW))
    assert (
        warnings_of(read_environment(written(tmp_path, {**NEW, "chart": {"networkPolicy": {"enabled": False}}}))) == []
    )
