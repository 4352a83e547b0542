"""How requests get in from outside: only the API of the models, and the apps, at one address."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import GROUP, MODEL, Manifest, Render, Rendered, model, parse
from tests.support.paths import ROOT
from tests.support.reachable import routes

OTHER = "falcon3-3b-instruct"
ROUTE: dict[str, Any] = {"enabled": True, "parentRefs": [{"name": "public", "namespace": "gateways"}]}
APP = {"files": {"app.py": "app = 1"}, "application": {"import_path": "app:app"}}


def matches(route: Manifest) -> list[str]:
    (rule,) = route["spec"]["rules"]
    assert all(match["path"]["type"] == "PathPrefix" for match in rule["matches"])
    return [match["path"]["value"] for match in rule["matches"]]


def route(rendered: Rendered) -> Manifest:
    return rendered.one("HTTPRoute")


def test_a_route_lets_in_the_api_of_every_model_and_the_apps_and_nothing_else(
    render_with: Render, schemas: dict[str, Path], kubeconform: Callable
) -> None:
    added = {
        "hostnames": ["models.example.com", "*.models.example.com"],
        "annotations": {"example.com/team": "ml"},
        "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}, {"name": "inside"}],
        "paths": ["/rerank", "/v2/rerank"],
        "filters": [
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["X-Debug"]}},
            {"type": "ExtensionRef", "extensionRef": {"group": "example.com", "kind": "Limit", "name": "slow"}},
        ],
    }
    change = {"models": {OTHER: model()}, "apps": {"tokens": APP}, "httpRoute": ROUTE | added}
    rendered = render_with(change)
    found = route(rendered)
    assert matches(found) == [
        f"/inference/{MODEL}/v1",
        f"/inference/{MODEL}/rerank",
        f"/inference/{MODEL}/v2/rerank",
        f"/inference/{OTHER}/v1",
        f"/inference/{OTHER}/rerank",
        f"/inference/{OTHER}/v2/rerank",
        "/inference/tokens",
    ]
    (rule,) = found["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": "falcon3-serve-svc", "port": 8000}]
    assert rule["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    assert rule["filters"] == added["filters"]
    assert found["spec"]["parentRefs"] == added["parentRefs"]
    assert found["spec"]["hostnames"] == added["hostnames"]
    assert found["metadata"]["annotations"] == added["annotations"]
    assert found["metadata"]["labels"]["app.kubernetes.io/instance"] == "falcon3"
    newest = max(schemas)
    done = kubeconform(newest, rendered.text)
    assert done.returncode == 0, done.stdout
    assert kubeconform(newest, rendered.text.replace("PathPrefix", "Prefix")).returncode == 1


def test_what_vllms_server_has_beside_its_api_stays_inside(render_with: Render) -> None:
    open_prefixes = matches(route(render_with({"httpRoute": ROUTE, "serving": {"path": "throughput"}})))
    paths = {f"/inference/{MODEL}{path}" for path in routes("2.60.0 throughput")} | {"/-/routes", "/-/healthz"}
    let_in = {path for path in paths for prefix in open_prefixes if path == prefix or path.startswith(f"{prefix}/")}
    assert let_in == {f"/inference/{MODEL}/v1/models"}


def test_one_route_of_all_models_and_other_prefixes_ports_and_names(render_with: Render) -> None:
    serving: dict[str, Any] = {"routing": "unified", "config": {"http_options": {"port": 9000}}}
    base = {"httpRoute": ROUTE, "models": {OTHER: model()}, "fullnameOverride": "llm"}
    found = route(render_with(base | {"serving": serving}))
    assert matches(found) == ["/v1"]
    assert found["spec"]["rules"][0]["backendRefs"] == [{"name": "llm-serve-svc", "port": 9000}]
    found = route(render_with(base | {"serving": serving | {"routePrefix": "/llm"}, "apps": {"tokens": APP}}))
    assert matches(found) == ["/llm/v1", "/llm/tokens"]


def test_hundreds_of_models_have_more_than_one_route(render: Render, render_with: Render) -> None:
    models = {f"model-{number:03}": model() for number in range(150)}
    change = {"models": models, "httpRoute": ROUTE | {"timeouts": {"request": "", "backendRequest": ""}}}
    many = {"workerGroups": {GROUP: {"maxReplicas": 200}}, "ingressWorkers": {"maxReplicas": 200}}
    found = render_with(change | many).of("HTTPRoute")
    assert [each["metadata"]["name"] for each in found] == ["falcon3", "falcon3-paths-2", "falcon3-paths-3"]
    assert [len(matches(each)) for each in found] == [64, 64, 23]
    assert sorted(path for each in found for path in matches(each)) == sorted(
        f"/inference/{each}/v1" for each in [MODEL, *models]
    )
    assert all("timeouts" not in each["spec"]["rules"][0] for each in found)


def test_an_ingress_lets_in_the_same_and_the_service_is_as_said(
    render_with: Render, schemas: dict[str, Path], kubeconform: Callable
) -> None:
    service = {
        "type": "LoadBalancer",
        "annotations": {"example.com/scheme": "internal"},
        "loadBalancerClass": "example.com/lb",
        "loadBalancerSourceRanges": ["10.0.0.0/8"],
        "externalTrafficPolicy": "Local",
    }
    ingress = {
        "enabled": True,
        "className": "nginx",
        "annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": "600"},
        "hosts": ["a.example.com", "b.example.com"],
        "tls": [{"secretName": "certificate"}, {"hosts": ["b.example.com"]}],
        "paths": ["/rerank"],
    }
    old = {"auth": {"mode": "disabled"}}
    rendered = render_with({"apps": {"tokens": APP}, "ingress": ingress, "service": service} | old)
    found = rendered.one("Ingress")
    assert found["spec"]["ingressClassName"] == "nginx"
    assert found["spec"]["tls"] == [
        {"secretName": "certificate", "hosts": ["a.example.com", "b.example.com"]},
        {"hosts": ["b.example.com"]},
    ]
    assert found["metadata"]["annotations"] == ingress["annotations"]
    backend = {"service": {"name": "falcon3-serve-svc", "port": {"number": 8000}}}
    paths = [f"/inference/{MODEL}/v1", f"/inference/{MODEL}/rerank", "/inference/tokens"]
    served = {"paths": [{"path": path, "pathType": "Prefix", "backend": backend} for path in paths]}
    assert found["spec"]["rules"] == [{"host": host, "http": served} for host in ingress["hosts"]]
    template = rendered.service["serveService"]
    assert template == {
        "metadata": {"annotations": service["annotations"]},
        "spec": {key: value for key, value in service.items() if key != "annotations"},
    }
    for version in schemas:
        done = kubeconform(version, rendered.text)
        assert done.returncode == 0, f"KubeRay {version}: {done.stdout}"


def test_without_a_word_nothing_is_made_and_kuberays_service_is_its_own(render_with: Render) -> None:
    rendered = render_with()
    assert not {"HTTPRoute", "Ingress", "Service"} & {each["kind"] for each in rendered.objects}
    assert "serveService" not in rendered.service
    everywhere = render_with({"ingress": {"enabled": True}}).one("Ingress")
    assert [list(rule) for rule in everywhere["spec"]["rules"]] == [["http"]]


def wrong() -> Iterator[tuple[str, dict[str, Any], str]]:
    header = {"type": "ExtensionRef", "requestHeaderModifier": {"remove": ["X"]}}
    at_root = {"application": {"import_path": "app:app", "route_prefix": "/inference"}}
    odd = {"application": {"import_path": "app:app", "route_prefix": "/a b"}}
    yield "no gateway", {"httpRoute": {"enabled": True}}, "httpRoute.parentRefs: it names no Gateway"
    yield (
        "a filter of another type",
        {"httpRoute": ROUTE | {"filters": [header]}},
        "httpRoute.filters[0]: a filter of type ExtensionRef says what it does in `extensionRef`",
    )
    yield (
        "an app above the models",
        {"httpRoute": ROUTE, "ingress": {"enabled": True}, "apps": {"all": at_root}},
        f"ingress: apps.all is at /inference and gets in as a whole, and with it everything of models.{MODEL} below it",
    )
    yield (
        "a route that no object can say",
        {"httpRoute": ROUTE, "apps": {"odd": odd}},
        "httpRoute: apps.odd is at /a b, which no HTTPRoute can say",
    )
    yield (
        "ranges without a load balancer",
        {"service": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}},
        "service.loadBalancerSourceRanges: the Service is of type ClusterIP, and only a LoadBalancer has it",
    )
    yield (
        "a policy of what comes from outside",
        {"service": {"externalTrafficPolicy": "Local"}},
        "service.externalTrafficPolicy: nothing comes from outside to a Service of type ClusterIP",
    )
    yield (
        "no range",
        {"service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/99"]}},
        'service.loadBalancerSourceRanges[0].cidr: "10.0.0.0/99" is no range of addresses',
    )
    yield (
        "a key on the standard path",
        {"auth": {"apiKey": {"existingSecret": "clients"}}},
        "auth.apiKey.existingSecret: on the standard path Ray's ingress answers, and it asks nobody for a key. Set "
        "serving.path to throughput",
    )
    yield (
        "a key with a Ray that has no other path",
        {"auth": {"apiKey": {"existingSecret": "clients"}}, "ray": {"version": "2.49.1"}},
        "it asks nobody for a key. Let a gateway in front ask for it, and remove the name here.",
    )
    yield (
        "a key that helm test would not know",
        {"pods": {"env": {"VLLM_API_KEY": {"valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}}}},
        "pods.env.VLLM_API_KEY: only these pods would ask for the key, and `helm test` would not send it. Say it in "
        "auth.apiKey.existingSecret.",
    )


@pytest.mark.parametrize(("change", "told"), [pytest.param(*row[1:], id=row[0]) for row in wrong()])
def test_a_way_that_leads_nowhere_or_too_far_is_refused(
    render_error: Callable[..., str], change: dict[str, Any], told: str
) -> None:
    assert told in render_error(change)


def test_a_key_is_in_the_pods_of_models_and_nowhere_else(render_with: Render) -> None:
    rendered = render_with({"serving": {"path": "throughput"}, "auth": {"apiKey": {"existingSecret": "clients"}}})
    assert rendered.env(GROUP)["VLLM_API_KEY"] == {"secretKeyRef": {"name": "clients", "key": "api-key"}}
    assert "VLLM_API_KEY" not in rendered.env("head")


def recipes() -> list[Any]:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("## Drain a node")[0]
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [parse(block)["chart"] for block in blocks]


def test_every_recipe_of_exposing_renders(render_with: Render) -> None:
    made = set()
    for recipe in recipes():
        serving = {"serving": {"path": "throughput"}} if "auth" in recipe else {}
        made |= {each["kind"] for each in render_with(recipe | serving).objects}
    assert {"HTTPRoute", "Ingress", "NetworkPolicy"} <= made


def test_an_update_in_steps_has_a_gateway_of_its_own(render_error: Callable[..., str]) -> None:
    options = {"gatewayClassName": "istio", "stepSizePercent": 25, "intervalSeconds": 60}
    strategy = {"type": "NewClusterWithIncrementalUpgrade", "clusterUpgradeOptions": options}
    change = {"upgradeStrategy": strategy, "httpRoute": ROUTE, "service": {"type": "LoadBalancer"}}
    message = render_error(change)
    assert "- httpRoute: with upgradeStrategy.type NewClusterWithIncrementalUpgrade KubeRay makes a Gateway" in message
    assert "- service: with upgradeStrategy.type" in message
