"""The HTTP paths that clients reach are those of docs/security.md: asked of Ray's and vLLM's own applications."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from tests.support.reachable import routes


def test_the_standard_path_has_the_routes_of_rays_ingress() -> None:
    from ray.llm._internal.serve.core.ingress.ingress import DEFAULT_ENDPOINTS

    app = FastAPI()
    for add in DEFAULT_ENDPOINTS.values():
        add(app)(lambda: None)

    assert {route.path for route in app.routes} == routes("2.60.0 standard")


@pytest.fixture
def vllm_routes(monkeypatch: pytest.MonkeyPatch):
    """The paths of the application that Ray serves on the throughput path, without an engine."""
    from vllm.entrypoints.launchers.app import build_app
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    def of(*flags: str, **variables: str) -> set[str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        arguments = make_arg_parser(FlexibleArgumentParser()).parse_args(flags)
        return {route.path for route in build_app(arguments, supported_tasks=("generate",)).routes}

    return of


def test_the_throughput_path_has_all_routes_of_vllms_server(vllm_routes) -> None:
    assert vllm_routes() == routes("2.60.0 throughput")


def test_its_documentation_can_be_taken_away(vllm_routes) -> None:
    assert routes("2.60.0 throughput") - vllm_routes("--disable-fastapi-docs") == routes("2.60.0 throughput") & {
        "/docs",
        "/docs/oauth2-redirect",
        "/openapi.json",
        "/redoc",
    }


@pytest.mark.parametrize(
    ("variable", "route"),
    [("VLLM_SERVER_DEV_MODE", "/collective_rpc"), ("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "/v1/load_lora_adapter")],
)
def test_the_variables_that_the_chart_refuses_would_add_more(vllm_routes, variable: str, route: str) -> None:
    assert route in vllm_routes(**{variable: "1"})
