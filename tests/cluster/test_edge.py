"""The ways in from outside, as an API server with the Gateway API's CRDs takes them: nothing answers there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from generator.chart import Manifest, render
from generator.cluster.api import connect
from generator.cluster.preflight.edge import edge_findings
from tests.cluster.api_server import api_server
from tests.support.paths import ROOT
from tools.cluster.settings import program, run, setup

VALUES = [ROOT / "values" / "dev" / "falcon3.yaml"]
ROUTE: dict[str, Any] = {
    "enabled": True,
    "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}],
    "hostnames": ["llm.example.com"],
    "paths": ["/rerank", "/v2/rerank", "/score", "/classify", "/pooling"],
    "filters": [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "X-Team", "value": "ml"}]}},
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy", "port": 80}, "percent": 5}},
        {"type": "ExtensionRef", "extensionRef": {"group": "example.com", "kind": "Limit", "name": "slow"}},
    ],
}
EDGE: dict[str, Any] = {
    "httpRoute": ROUTE,
    "ingress": {"enabled": True, "className": "nginx", "hosts": ["llm.example.com"], "tls": [{"secretName": "cert"}]},
    "service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"], "externalTrafficPolicy": "Local"},
}


class Api:
    def __init__(self, kubeconfig: Path) -> None:
        self.cluster = connect(kubeconfig=kubeconfig)
        self.kubeconfig = kubeconfig

    def kubectl(self, *arguments: str, bodies: list[Any] | None = None) -> str:
        text = "\n---\n".join(map(json.dumps, bodies or []))
        command = [program("kubectl"), "--kubeconfig", self.kubeconfig, *arguments]
        return run(*command, *(["-f", "-"] if bodies else []), input=text or None)

    def findings(self, **change: Any) -> list[tuple[str, str]]:
        found = edge_findings(self.cluster, rendered(EDGE | change), "ai", {"team": "ml"})
        return [(each.level, each.message) for each in found]


def rendered(change: dict[str, Any]) -> list[Manifest]:
    return render(ROOT / "chart", VALUES, release="llm", namespace="ai", overrides=change)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api_server(tmp_path_factory.mktemp("api")) as plane:
        api = Api(plane.admin)
        for namespace in ("ai", "gateways"):
            api.kubectl("create", "namespace", namespace)
        yield api


def test_before_there_is_a_gateway_api_preflight_says_so(api: Api) -> None:
    level, message = api.findings()[0]
    assert (level, message.partition(" (")[0]) == ("fail", "the cluster has no Gateway API")


def test_every_route_is_one_that_the_gateway_apis_own_rules_take(api: Api) -> None:
    crds = Path(setup("gateway-crds")) / "gateway.networking.k8s.io_{}.yaml"
    for name in ("httproutes", "gateways"):
        api.kubectl("apply", "--server-side", "-f", str(crds).format(name))
        api.kubectl("wait", "--for=condition=Established", f"crd/{name}.gateway.networking.k8s.io", "--timeout=60s")
    made = [each for each in rendered(EDGE) if each["kind"] in ("HTTPRoute", "Ingress", "RayService")]
    (route,) = (each for each in made if each["kind"] == "HTTPRoute")
    (rule,) = route["spec"]["rules"]
    full = {**route, "metadata": {**route["metadata"], "name": "llm-paths-2"}}
    matches = [{"path": {"type": "PathPrefix", "value": f"/inference/m{number}/v1"}} for number in range(64)]
    full["spec"] = {**route["spec"], "rules": [{**rule, "matches": matches}]}

    told = api.kubectl("apply", "--dry-run=server", "--validate=strict", bodies=[*made, full])

    assert "httproute.gateway.networking.k8s.io/llm created" in told
    assert "httproute.gateway.networking.k8s.io/llm-paths-2 created" in told
    assert "ingress.networking.k8s.io/llm created" in told
    assert "rayservice.ray.io/llm created" in told


def test_the_service_that_kuberay_would_make_is_one_that_the_api_takes(api: Api) -> None:
    (ray_service,) = (each for each in rendered(EDGE) if each["kind"] == "RayService")
    template = ray_service["spec"]["serveService"]
    spec = {**template["spec"], "selector": {"ray.io/serve": "true"}, "ports": [{"name": "serve", "port": 8000}]}
    metadata = {"name": "llm-serve-svc", "namespace": "ai"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}

    api.kubectl("apply", "--validate=strict", bodies=[service])

    assert not [message for _, message in api.findings() if "Service" in message]
    changed = api.findings(service={"type": "ClusterIP", "loadBalancerSourceRanges": [], "externalTrafficPolicy": None})
    assert "Service llm-serve-svc is there, and changes only when a new cluster takes over (service)" in [
        message for _, message in changed
    ]


def test_a_gateway_and_a_class_that_take_it(api: Api) -> None:
    missing = api.findings()
    assert ("fail", "Gateway gateways/public does not exist (httpRoute.parentRefs)") in missing
    assert ("fail", "IngressClass nginx does not exist") in missing
    team = {"from": "Selector", "selector": {"matchLabels": {"team": "ml"}}}
    listener = {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.example.com"}
    listener |= {"allowedRoutes": {"namespaces": team}, "tls": {"certificateRefs": [{"name": "cert"}]}}
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "public", "namespace": "gateways"},
        "spec": {"gatewayClassName": "any", "listeners": [listener]},
    }
    ingress_class = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "nginx"},
        "spec": {"controller": "example.com/none"},
    }
    api.kubectl("apply", "--validate=strict", bodies=[gateway, ingress_class])

    found = api.findings()

    # The Gateway API's own default of a Gateway that nobody has taken up yet.
    assert ("warn", "Gateway gateways/public is not programmed yet: Waiting for controller") in found
    assert ("pass", "IngressClass nginx takes the Ingress") in found
    assert ("warn", "Secret ai/cert does not exist (ingress.tls)") in found
