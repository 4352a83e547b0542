"""What preflight says of the ways in from outside, by what a cluster answers."""

from __future__ import annotations

from typing import Any, cast

import pytest

from generator.cluster.api import Cluster
from generator.cluster.finding import Finding
from generator.cluster.preflight.edge import edge_findings, gateway_finding, service_findings
from generator.cluster.preflight.references import Reference, key_findings

GATEWAYS = "/apis/gateway.networking.k8s.io/v1"
RAY_SERVICE = {"kind": "RayService", "metadata": {"name": "llm"}, "spec": {}}


class AnswersOfAStandIn:
    """Answers what a cluster would, by path; nothing is at the others."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def get_if_there(self, path: str) -> Any:
        return self.answers.get(path)

    metadata_if_there = get_if_there

    def items(self, path: str) -> Any:
        return self.answers.get(path, [])


def found(manifest: dict[str, Any], answers: dict[str, Any]) -> list[Finding]:
    cluster = cast(Cluster, AnswersOfAStandIn(answers))
    return list(edge_findings(cluster, [RAY_SERVICE, manifest], "ai", {"team": "ml"}))


def route(*parents: dict[str, Any], hostnames: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"kind": "HTTPRoute", "spec": {"parentRefs": list(parents), "hostnames": list(hostnames)}}


def gateway(*listeners: dict[str, Any], **more: Any) -> dict[str, Any]:
    full = [{"name": "http", "port": 80, **each} for each in listeners or ({},)]
    return {"metadata": {"namespace": "gateways", "name": "public"}, "spec": {"listeners": full}, **more}


ALL: dict[str, Any] = {"allowedRoutes": {"namespaces": {"from": "All"}}}
OF_THE_TEAM: dict[str, Any] = {
    "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "ml"}}}}
}


def test_a_cluster_without_the_gateway_api_and_one_without_the_gateway() -> None:
    (finding,) = found(route({"name": "public"}), {})
    assert (finding.level, finding.message.partition(" (")[0]) == ("fail", "the cluster has no Gateway API")
    assert "`ingress` or `service`" in finding.fix
    answers = {GATEWAYS: {}, f"{GATEWAYS}/gateways": [gateway()]}
    (finding,) = found(route({"name": "public"}), answers)
    assert finding.message == "Gateway ai/public does not exist (httpRoute.parentRefs)"
    assert "Name one of: gateways/public." in finding.fix
    answers |= {f"{GATEWAYS}/namespaces/gateways/gateways/public": gateway(ALL)}
    service = {"name": "svc", "kind": "Service", "group": ""}
    (finding,) = found(route({"name": "public", "namespace": "gateways"}, service), answers)
    assert (finding.level, finding.message) == ("pass", "Gateway gateways/public takes the route")


@pytest.mark.parametrize(
    ("parent", "there", "hosts", "level", "told"),
    [
        ({"sectionName": "https"}, gateway(ALL), [], "fail", "has no such listener"),
        ({}, gateway({}), [], "fail", "takes no routes of the namespace ai"),
        ({}, gateway(OF_THE_TEAM), [], "pass", "takes the route"),
        ({}, gateway(ALL | {"hostname": "*.example.com"}), ["llm.example.com"], "pass", "takes the route"),
        ({}, gateway(ALL | {"hostname": "llm.example.com"}), ["*.example.com"], "pass", "takes the route"),
        ({}, gateway(ALL | {"hostname": "a.example.com"}), ["b.example.com"], "fail", "is for a.example.com"),
        ({}, gateway(ALL | {"hostname": "*.example.com"}), ["example.com"], "fail", "is for *.example.com"),
        (
            {},
            gateway(ALL, status={"conditions": [{"type": "Programmed", "status": "False", "message": "no address"}]}),
            [],
            "warn",
            "is not programmed yet: no address",
        ),
    ],
)
def test_a_gateway_that_takes_no_such_route(
    parent: dict[str, Any], there: dict[str, Any], hosts: list[str], level: str, told: str
) -> None:
    finding = gateway_finding({"name": "public", **parent}, there, hosts, "ai", {"team": "ml"})
    assert finding.level == level
    assert told in finding.message


def test_an_ingress_that_nobody_takes_or_whose_certificate_is_not_there() -> None:
    classes = "/apis/networking.k8s.io/v1/ingressclasses"
    default = {"metadata": {"name": "nginx", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}}
    ingress: dict[str, Any] = {"kind": "Ingress", "metadata": {}, "spec": {"tls": [{"secretName": "cert"}]}}
    nobody, certificate = found(ingress, {})
    assert (nobody.level, certificate.level) == ("warn", "warn")
    assert "no IngressClass is the cluster's default" in nobody.message
    assert certificate.message == "Secret ai/cert does not exist (ingress.tls)"
    there = {"/api/v1/namespaces/ai/secrets/cert": {}, classes: [default]}
    assert [each.level for each in found(ingress, there)] == ["pass"]
    named = ingress | {"spec": {"ingressClassName": "traefik"}}
    (finding,) = found(named, there)
    assert (finding.level, finding.message) == ("fail", "IngressClass traefik does not exist")
    assert "nginx" in finding.fix
    (finding,) = found(ingress | {"spec": {"ingressClassName": "nginx"}}, there)
    assert finding.level == "pass"


def test_a_service_that_kuberay_does_not_change() -> None:
    there: dict[str, Any] = {"metadata": {"namespace": "ai", "name": "llm-serve-svc"}, "spec": {"type": "ClusterIP"}}
    assert list(service_findings({}, there)) == []
    (finding,) = service_findings({"spec": {"type": "LoadBalancer"}}, there)
    assert "changes only when a new cluster takes over (service)" in finding.message
    (finding,) = service_findings({"metadata": {"annotations": {"a": "b"}}}, there)
    assert "KubeRay adds no annotations to it" in finding.message
    assert finding.fix.startswith("kubectl delete service -n ai llm-serve-svc")


def test_a_secret_without_the_key_that_models_ask_for() -> None:
    asked = Reference(kind="Secret", name="clients", key="api-key", purpose="environment variable VLLM_API_KEY")
    fields = {"fieldsV1": {"f:data": {"f:password": {}}}}
    finding = key_findings(asked, {"managedFields": [fields]}, "ai")
    assert finding.level == "fail"
    assert "name another (auth.apiKey.key)" in finding.fix
