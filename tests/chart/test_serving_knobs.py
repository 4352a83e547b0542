"""Every setting of the request path can be said in values, arrives where Ray reads it, and contradicts no other."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import GROUP, MODEL, Render, Rendered, Values
from tests.support.paths import ROOT
from tools.bench_serving.variants import Variant, sweep, variants

RenderError = Callable[..., str]
VARIANTS = {variant.name: variant for variant in variants()}
OPTIMIZED = "RAY_SERVE_THROUGHPUT_OPTIMIZED"


def config_of(rendered: Rendered) -> dict[str, Any]:
    """The model's LLMConfig, with what Serve is told of its deployment beside the application."""
    config = rendered.files[f"/home/ray/models/falcon3/{MODEL}.yaml"]
    (told,) = (one for one in rendered.applications[MODEL]["deployments"] if one["name"] == f"LLMServer:{MODEL}")
    return {**config, "deployment_config": {**config["deployment_config"], **told}}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))
def test_every_variant_of_the_benchmark_renders_one_application(render: Render, variant: Variant) -> None:
    assert list(render(variant.values).applications) == [variant.model]
    assert sweep(variant.points)


def test_no_variant_is_another_one_in_disguise(render: Render) -> None:
    texts = {name: render(variant.values).text for name, variant in VARIANTS.items() if variant.engine is None}
    assert len(set(texts.values())) == len(texts)


def test_the_original_is_benchmarked_with_its_own_words(render: Render) -> None:
    config = config_of(render(VARIANTS["original"].values))
    committed = config_of(render([ROOT / "values" / "original" / "falcon3.yaml"]))
    changed = {
        key for key in committed["engine_kwargs"] if config["engine_kwargs"][key] != committed["engine_kwargs"][key]
    }
    assert changed == {"max_model_len"}
    assert config["deployment_config"] == committed["deployment_config"] | {
        "autoscaling_config": committed["deployment_config"]["autoscaling_config"] | {"max_replicas": 1}
    }


@pytest.mark.parametrize(
    ("logging", "rendered"),
    [
        ({"enable_access_log": False}, {"encoding": "JSON", "enable_access_log": False}),
        ({"log_level": "WARNING"}, {"encoding": "JSON", "log_level": "WARNING"}),
        ({"encoding": "TEXT"}, {"encoding": "TEXT"}),
    ],
)
def test_serves_logs_are_chosen_beside_the_charts_encoding(
    render_with: Render, logging: Values, rendered: Values
) -> None:
    config = render_with({"serving": {"config": {"logging_config": logging}}}).serve_config
    assert config["logging_config"] == rendered


def test_timeouts_and_keep_alive_are_chosen_beside_the_charts_host(render_with: Render) -> None:
    options = {"request_timeout_s": 60, "keep_alive_timeout_s": 120}
    config = render_with({"serving": {"config": {"http_options": options}}}).serve_config
    assert config["http_options"] == {"host": "0.0.0.0", "port": 8000, **options}


def test_a_number_of_ingresses_takes_the_place_of_their_autoscaling(render_with: Render) -> None:
    ingress = {"num_replicas": 3, "max_ongoing_requests": 500}
    (application,) = render_with({"serving": {"ingress": ingress}}).applications.values()
    options = application["args"]["ingress_deployment_config"]
    assert "autoscaling_config" not in options
    assert {key: options[key] for key in ingress} == ingress


@pytest.mark.parametrize(
    "variable", [OPTIMIZED, "RAY_SERVE_HAPROXY_NBTHREAD", "RAY_SERVE_INGRESS_ROUTER_REPLICAS_PER_NODE"]
)
def test_what_pods_env_says_wins_over_the_throughput_path_on_every_pod(render_with: Render, variable: str) -> None:
    rendered = render_with({"serving": {"path": "throughput"}, "pods": {"env": {variable: "7"}}})
    assert {rendered.env(pod)[variable] for pod in rendered.templates} == {"7"}
    assert rendered.env("head")["RAY_SERVE_ENABLE_HA_PROXY"] == "1"


def test_haproxy_threads_may_differ_between_the_head_and_gpu_pods(render_with: Render) -> None:
    rendered = render_with(
        {
            "serving": {"path": "throughput"},
            "head": {"env": {"RAY_SERVE_HAPROXY_NBTHREAD": "2"}},
            "workerGroups": {GROUP: {"env": {"RAY_SERVE_HAPROXY_NBTHREAD": "8"}}},
        }
    )
    assert [rendered.env(pod)["RAY_SERVE_HAPROXY_NBTHREAD"] for pod in ("head", GROUP)] == ["2", "8"]


@pytest.mark.parametrize("where", ["head", "ingressWorkers", f"workerGroups.{GROUP}"])
@pytest.mark.parametrize("variable", ["RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"])
def test_a_switch_of_the_path_on_some_pods_only(render_error: RenderError, where: str, variable: str) -> None:
    values: Values = {"env": {variable: "1"}}
    for key in reversed(where.split(".")):
        values = {key: values}
    message = render_error(values)
    assert f"{where}.env.{variable}: every pod must have the same" in message
    assert "Set it in pods.env" in message


def test_direct_streaming_on_the_standard_path(render_error: RenderError) -> None:
    message = render_error({"pods": {"env": {"RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING": "1"}}})
    assert "pods.env.RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING: the standard path has an OpenAI ingress" in message
    assert "Set serving.path to throughput" in message


@pytest.mark.parametrize("variable", ["RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING"])
def test_half_of_the_throughput_path(render_error: RenderError, variable: str) -> None:
    message = render_error({"serving": {"path": "throughput"}, "pods": {"env": {variable: "0"}}})
    assert f"pods.env.{variable}: the throughput path is made of HAProxy and direct streaming" in message


def test_serves_throughput_settings_without_a_proxy_behind_the_service(
    render_error: RenderError, render_with: Render
) -> None:
    env = {OPTIMIZED: "1"}
    message = render_error({"pods": {"env": env}})
    assert f"pods.env.{OPTIMIZED}: without HAProxy it turns on direct ingress" in message
    alone = render_error({"pods": {"env": {"RAY_SERVE_ENABLE_DIRECT_INGRESS": "1"}}})
    assert "pods.env.RAY_SERVE_ENABLE_DIRECT_INGRESS: without HAProxy it leaves a proxy on the head alone" in alone
    env |= {"RAY_SERVE_ENABLE_DIRECT_INGRESS": "0"}
    assert render_with({"pods": {"env": env}}).env("head") == render_with().env("head") | env


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"lora_config": {"dynamic_lora_loading_path": "s3://bucket/adapters"}}, f"model {MODEL} has LoRA adapters"),
        (
            {"deployment_config": {"request_router_config": {"request_router_class": "my.Router"}}},
            f"model {MODEL} has my.Router for a router",
        ),
    ],
)
def test_the_throughput_path_without_the_body_that_its_router_reads(
    render_error: RenderError, config: Values, why: str
) -> None:
    env = {"RAY_SERVE_INGRESS_REQUEST_ROUTER_FORWARD_BODY": "0"}
    models = {MODEL: {"llmConfig": config}}
    message = render_error({"serving": {"path": "throughput"}, "models": models, "pods": {"env": env}})
    assert f"pods.env.RAY_SERVE_INGRESS_REQUEST_ROUTER_FORWARD_BODY: {why}" in message
    assert "Remove it, or set serving.path to standard" in message


THROUGHPUT = {"serving": {"path": "throughput"}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("middleware", ["auth.ApiKey"]),
        ("root_path", "/llm"),
        ("allowed_origins", ["https://chat"]),
        ("sse_keep_alive_interval", 15),
        ("enable_tokenizer_info_endpoint", True),
    ],
)
def test_what_only_vllms_own_front_end_reads_is_refused_where_rays_answers(
    render_with: Render, render_error: Callable[..., str], name: str, value: Any
) -> None:
    change = {"models": {MODEL: {"llmConfig": {"engine_kwargs": {name: value}}}}}
    told = (
        f"models.{MODEL}.llmConfig.engine_kwargs.{name}: on the standard path Ray's ingress answers and never reads it"
    )
    assert told in render_error(change)
    render_with(change | THROUGHPUT)


def test_a_variable_that_nothing_would_read(render_with: Render, render_error: Callable[..., str]) -> None:
    name = "VLLM_DEBUG_LOG_API_SERVER_RESPONSE"
    change = {"pods": {"env": {name: "1"}}}
    told = f"pods.env.{name}: on the standard path Ray's ingress answers and never reads it, so it would do nothing"
    assert told in render_error(change) and "or set serving.path to throughput" in render_error(change)
    render_with(change | THROUGHPUT)


def test_words_of_a_server_that_ray_does_not_start(render_error: Callable[..., str]) -> None:
    change = {"models": {MODEL: {"llmConfig": {"engine_kwargs": {"port": 9000}}}}} | THROUGHPUT
    assert f"models.{MODEL}.llmConfig.engine_kwargs.port: it is for the server of `vllm serve`" in render_error(change)
