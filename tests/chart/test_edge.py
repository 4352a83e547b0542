"""How requests get in from outside: only the API of the models, and the apps, at one address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chart.rendering import MODEL, Manifest, Render, Rendered, model

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
