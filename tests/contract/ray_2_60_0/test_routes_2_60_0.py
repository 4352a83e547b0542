"""The HTTP paths that clients reach are those of docs/security.md and docs/endpoints.md: asked of Ray's and vLLM's own
applications."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from tests.support.endpoints_page import requests
from tests.support.reachable import keyed, routes, routes_by_what_a_model_does

ENCODER = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "hidden_size": 32,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "intermediate_size": 64,
    "vocab_size": 100,
    "max_position_embeddings": 64,
}
KINDS = routes_by_what_a_model_does()


def test_the_standard_path_has_the_routes_of_rays_ingress() -> None:
    from ray.llm._internal.serve.core.ingress.ingress import DEFAULT_ENDPOINTS

    app = FastAPI()
    for add in DEFAULT_ENDPOINTS.values():
        add(app)(lambda: None)

    assert {route.path for route in app.routes} == routes("2.60.0 standard")


Vllm = Callable[..., FastAPI]


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Vllm:
    """The application that Ray serves on the throughput path for a model that does this, without an engine."""
    from vllm.config import ModelConfig
    from vllm.entrypoints.launchers.app import build_app
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    def of(does: str, *flags: str, **variables: str) -> FastAPI:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        kind = KINDS[does]
        model = None
        if "/pooling" in kind["routes"]:
            labels = {number: f"label {number}" for number in range(kind.get("labels", 2))}
            (tmp_path / "config.json").write_text(json.dumps({**ENCODER, "id2label": labels}))
            model = ModelConfig(model=str(tmp_path), runner="pooling", dtype="float32", skip_tokenizer_init=True)
        arguments = make_arg_parser(FlexibleArgumentParser()).parse_args(flags)
        return build_app(arguments, supported_tasks=tuple(kind["tasks"]), model_config=model)

    return of


def paths(app: FastAPI) -> set[str]:
    return {route.path for route in app.routes}


@pytest.mark.parametrize("does", KINDS)
def test_the_throughput_path_has_all_routes_of_vllms_server(vllm: Vllm, does: str) -> None:
    assert paths(vllm(does)) == routes("2.60.0 throughput") | {*KINDS[does]["routes"]}


@pytest.mark.parametrize("does", ["generates", "embeds", "scores"])
def test_a_key_is_asked_for_below_v1_and_few_other_paths(vllm: Vllm, does: str) -> None:
    """Behind a route too, as Serve hands requests on: the route is the application's root path."""
    app = vllm(does, VLLM_API_KEY="a-key-of-clients")
    client = TestClient(app, root_path="/inference/m", raise_server_exceptions=False)
    asked = {path: client.get(f"/inference/m{path.replace('{', '').replace('}', '')}") for path in paths(app)}
    assert {path for path, answer in asked.items() if answer.status_code == 401} == {*filter(keyed, asked)}
    assert {"/metrics", "/tokenize", "/invocations", "/docs"} <= asked.keys() - {*filter(keyed, asked)}


def test_its_documentation_can_be_taken_away(vllm: Vllm) -> None:
    assert paths(vllm("generates")) - paths(vllm("generates", "--disable-fastapi-docs")) == {
        "/docs",
        "/docs/oauth2-redirect",
        "/openapi.json",
        "/redoc",
    }


@pytest.mark.parametrize(
    ("variable", "route"),
    [("VLLM_SERVER_DEV_MODE", "/collective_rpc"), ("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "/v1/load_lora_adapter")],
)
def test_the_variables_that_the_chart_refuses_would_add_more(vllm: Vllm, variable: str, route: str) -> None:
    assert route in paths(vllm("generates", **{variable: "1"}))


@pytest.mark.parametrize("does", KINDS)
def test_vllm_reads_the_requests_of_the_page(vllm: Vllm, does: str) -> None:
    """It finds no fault with them; without an engine each then ends in an error of the server."""
    told = [request for request in requests() if request.path in KINDS[does]["routes"]]
    client = TestClient(vllm(does), raise_server_exceptions=False)

    assert told or does == "transcribes live"
    for request in told:
        sound = {"data": request.body, "files": {"file": ("speech.wav", b"RIFF")}}
        answer = client.post(request.path, **(sound if "/audio/" in request.path else {"json": request.body}))
        assert answer.status_code >= 500, f"{request.path}: {answer.text}"


def test_what_vllm_cannot_read_is_not_such_an_error(vllm: Vllm) -> None:
    client = TestClient(vllm("generates"), raise_server_exceptions=False)

    assert client.post("/v1/completions", json={"model": "my-model", "prompt": "Hello", "n": "many"}).status_code == 400


def test_rays_ingress_reads_the_requests_of_the_page() -> None:
    from ray.llm._internal.serve.core.ingress.ingress import DEFAULT_ENDPOINTS, OpenAiIngress

    read = set()
    for name, add in DEFAULT_ENDPOINTS.items():
        app = FastAPI()
        add(app)(lambda: None)
        body = get_type_hints(getattr(OpenAiIngress, name)).get("body")
        for request in requests():
            if body and request.path == app.routes[-1].path and name != "transcriptions":  # a form
                TypeAdapter(body).validate_python(request.body)
                read.add(request.path)
    assert read == {each.path for each in requests() if each.body} & routes("2.60.0 standard") - {
        "/v1/audio/transcriptions"
    }
