"""The HTTP paths that clients reach are those of docs/security.md: asked of Ray's own application."""

from __future__ import annotations

from tests.support.reachable import routes


def test_a_model_has_the_routes_of_rays_router() -> None:
    from ray.llm._internal.serve.deployments.routers.router import fastapi_router_app

    assert {route.path for route in fastapi_router_app.routes} == routes("2.49.1 standard")
