"""Nothing is rendered that opens more, or may do more, than docs/security.md says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import POLICY, Manifest, Render, Rendered
from tests.support.paths import ROOT
from tests.support.reachable import declared_ports, reachable, routes_by_what_a_model_does

# By name of the ServiceAccount: what its Role allows, as (group, resource, verb). KubeRay gives the pods' one its own.
RIGHTS = {
    "{pods}": set(),
    "{release}-helm-test": {("ray.io", "rayservices", "get"), ("", "pods", "patch")},
}
# Containers that may have a token of the Kubernetes API; none of them runs Ray.
WITH_TOKEN = {"autoscaler", "helm-test"}
EVERYTHING = {
    "networkPolicy": POLICY,
    "prePullImages": True,
    "modelCache": {"type": "persistentVolumeClaim", "claimName": "", "create": {"size": "1Gi"}, "prefetch": True},
}


def pods(rendered: Rendered) -> list[tuple[str, Manifest]]:
    """The spec of every pod that the release makes, by what it is."""
    found = [(name, template["spec"]) for name, template in rendered.templates.items()]
    for each in [*rendered.objects, *rendered.hooks]:
        if each["kind"] in ("DaemonSet", "Job"):
            found.append((each["kind"], each["spec"]["template"]["spec"]))
        elif each["kind"] == "Pod":
            found.append((each["kind"], each["spec"]))
    return found


def test_every_port_account_and_right_is_a_known_one(render: Render, values_file: Path) -> None:
    """All in one, since a rendering takes its time: with everything on that makes pods or closes ports."""
    rendered = render([values_file, EVERYTHING])
    ports_are_known(rendered)
    rights_are_known(rendered)
    policy_lets_in_whom_the_table_says(rendered)


@pytest.mark.parametrize("change", [{}, {"serviceAccount": {"create": False}}], ids=["plain", "no account"])
def test_so_they_are_by_default_and_without_an_account(render_with: Render, change: dict[str, Any]) -> None:
    rendered = render_with(change)
    ports_are_known(rendered)
    rights_are_known(rendered)


def ports_are_known(rendered: Rendered) -> None:
    known = declared_ports()
    for name, pod in pods(rendered):
        for container in pod["containers"]:
            # Other containers have none but what people declare for theirs.
            for port in container.get("ports", []) if container["name"].startswith("ray-") else []:
                row = known[port["name"]]
                assert port["containerPort"] == row["port"] or port["name"] == "serve"
                assert row["pods"] == "all" or name == "head"
            mounted = [each["mountPath"] for each in container.get("volumeMounts", [])]
            assert not any(path.startswith("/var/run/secrets/kubernetes.io") for path in mounted)
            if pod.get("automountServiceAccountToken", True):
                assert container["name"] in WITH_TOKEN


def rights_are_known(rendered: Rendered) -> None:
    kinds = {each["kind"] for each in [*rendered.objects, *rendered.hooks]}
    assert not kinds & {"ClusterRole", "ClusterRoleBinding", "Service", "Secret"}
    release = rendered.one("RayService")["metadata"]["name"]
    of_pods = rendered.templates["head"]["spec"].get("serviceAccountName")
    rights = {name.format(release=release, pods=of_pods): allowed for name, allowed in RIGHTS.items()}
    accounts = {each["metadata"]["name"] for each in rendered.of("ServiceAccount")}
    assert accounts <= rights.keys()
    roles = {each["metadata"]["name"]: each["rules"] for each in rendered.of("Role")}
    for binding in rendered.of("RoleBinding"):
        (subject,) = binding["subjects"]
        rules = roles.pop(binding["roleRef"]["name"])
        assert all(rule["resourceNames"] for rule in rules), "of single objects, by name"
        given = {
            (g, r, v) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]
        }
        assert given == rights[subject["name"]]
    assert roles == {}


def policy_lets_in_whom_the_table_says(rendered: Rendered) -> None:
    _, operator, clients, metrics = rendered.one("NetworkPolicy")["spec"]["ingress"]
    port = rendered.serve_config.get("http_options", {}).get("port", 8000)
    throughput = any(each["name"] == "RAY_SERVE_ENABLE_HA_PROXY" for each in rendered.container("head").get("env", []))
    open_to = {
        whom: {
            int(number)
            for number, row in reachable()["ports"].items()
            if row["policy"] == whom and (throughput or row.get("from", {}).get("path") != "throughput")
        }
        for whom in ("operator", "clients", "metricsClients")
    }
    assert {each["port"] for each in operator["ports"]} == open_to["operator"] | {port}
    assert {each["port"] for each in clients["ports"]} == {port}
    assert {each["port"] for each in metrics["ports"]} == open_to["metricsClients"]


def test_the_page_tells_every_port_and_path() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    for port, row in reachable()["ports"].items():
        (line,) = [line for line in page.splitlines() if line.startswith((f"| {port} |", f"| {port} ("))]
        _, _, pods, what, asks, policy, _ = (cell.strip() for cell in line.split("|"))
        assert pods == row["pods"]
        assert row["is"] in what
        assert asks.startswith(row["asks"])
        assert row["policy"] in policy
        assert row.get("from", {}).get("path") != "throughput" or "Throughput path" in what
    kinds = routes_by_what_a_model_does().values()
    for paths in [*reachable()["routes"].values(), *(kind["routes"] for kind in kinds)]:
        for path in paths:
            assert f"`{path}`" in page, path
