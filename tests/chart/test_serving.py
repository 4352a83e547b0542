"""What Ray Serve is told to run: applications, routes, models' configuration, and the ingress in front of them."""

from typing import Any

import pytest

from tests.chart.rendering import GROUP, INGRESS, MINIMAL, MODEL, Render, model

SECOND = {"models": {"falcon-h1-0.5b-instruct": model("falcon-h1")}}
INLINE = {"serving": {"delivery": "inline"}}


def test_one_model_is_served_at_its_own_route_by_rays_own_builder(render_with: Render) -> None:
    (application,) = render_with().applications.values()
    assert application["name"] == MODEL
    assert application["import_path"] == "ray.serve.llm:build_openai_app"
    assert application["route_prefix"] == f"/inference/{MODEL}"


def test_the_route_prefix_can_be_chosen(render_with: Render) -> None:
    rendered = render_with({"serving": {"routePrefix": "/llm"}})
    assert rendered.applications[MODEL]["route_prefix"] == f"/llm/{MODEL}"


def test_the_one_route_of_all_models_has_the_prefix_too(render_with: Render) -> None:
    app = {"apps": {"pages": {"application": {"import_path": "a:b"}}}}
    rendered = render_with(app | {"serving": {"routing": "unified", "routePrefix": "/llm"}})
    assert {each["name"]: each["route_prefix"] for each in rendered.applications.values()} == {
        "models": "/llm",
        "pages": "/llm/pages",
    }


def test_applications_are_sorted_by_name(render_with: Render) -> None:
    assert list(render_with(SECOND).applications) == ["falcon-h1-0.5b-instruct", MODEL]


def test_unified_routing_puts_every_model_behind_one_v1(render_with: Render) -> None:
    rendered = render_with(SECOND | {"serving": {"routing": "unified"}})
    (application,) = rendered.applications.values()
    assert application["route_prefix"] == "/"
    assert application["args"]["llm_configs"] == [
        "/home/ray/models/falcon-h1/falcon-h1-0.5b-instruct.yaml",
        f"/home/ray/models/falcon3/{MODEL}.yaml",
    ]


def test_a_model_reads_its_configuration_from_the_file_of_its_family(render_with: Render) -> None:
    rendered = render_with()
    (path,) = rendered.applications[MODEL]["args"]["llm_configs"]
    assert rendered.files[path] == {
        "model_loading_config": {"model_id": MODEL, "model_source": "tiiuae/Falcon3-1B-Instruct"},
        "placement_group_config": {"bundle_per_worker": {"GPU": 1, GROUP: 1}},
        "deployment_config": {"graceful_shutdown_timeout_s": 600},
    }


def test_every_family_has_a_config_map_with_a_file_for_each_of_its_models(render_with: Render) -> None:
    rendered = render_with(SECOND | {"models": SECOND["models"] | {"falcon3-3b-instruct": model()}})
    assert {each["metadata"]["name"]: sorted(each["data"]) for each in rendered.of("ConfigMap")} == {
        "falcon-h1-family-config": ["falcon-h1-0.5b-instruct.yaml"],
        "falcon3-family-config": [f"{MODEL}.yaml", "falcon3-3b-instruct.yaml"],
    }


def test_inline_delivery_puts_the_same_configuration_into_the_application(render_with: Render) -> None:
    (from_file,) = render_with().files.values()
    rendered = render_with(INLINE)
    assert rendered.applications[MODEL]["args"]["llm_configs"] == [from_file]
    assert rendered.of("ConfigMap") == []


def test_inline_delivery_mounts_no_files_and_leaves_pods_alone_when_a_model_changes(render_with: Render) -> None:
    before = render_with(INLINE)
    after = render_with(INLINE | {"models": {MODEL: {"llmConfig": {"engine_kwargs": {"max_model_len": 4096}}}}})
    assert before.templates == after.templates
    assert before.service["serveConfigV2"] != after.service["serveConfigV2"]
    assert all(not name.startswith("family-") for pod in before.templates for name in before.volumes(pod))


@pytest.mark.parametrize("name", ["1.5", "1e3", "null", "0x1f", "on"])
def test_a_model_whose_id_looks_like_another_yaml_type_keeps_its_id(render_with: Render, name: str) -> None:
    rendered = render_with({"models": {name: model()}} | INLINE)
    application = rendered.applications[name]
    assert application["route_prefix"] == f"/inference/{name}"
    assert application["args"]["llm_configs"][0]["model_loading_config"]["model_id"] == name


def test_numbers_and_texts_of_a_model_arrive_as_they_were_given(render_with: Render) -> None:
    engine = {
        "max_model_len": 1048576,
        "gpu_memory_utilization": 0.9,
        "seed": 0,
        "enforce_eager": False,
        "tokenizer_revision": "1e5",
        "hf_overrides": {"rope_theta": 1000042, "text": "a: 'b'\n# {{ no template }}\n"},
    }
    change = {"models": {MODEL: {"llmConfig": {"engine_kwargs": engine}}}}
    (config,) = render_with(change).files.values()
    assert config["engine_kwargs"] == engine
    (config,) = render_with(change | INLINE).applications[MODEL]["args"]["llm_configs"]
    assert config["engine_kwargs"] == engine


def test_serve_answers_on_every_node_and_the_values_words_win(render_with: Render) -> None:
    config = render_with().serve_config
    assert config["proxy_location"] == "EveryNode"
    assert config["http_options"] == {"host": "0.0.0.0", "port": 8000, "request_timeout_s": 600}
    assert config["logging_config"] == {"encoding": "JSON"}
    change = {"http_options": {"port": 9000}, "logging_config": {"encoding": "TEXT"}, "target_capacity": 50}
    config = render_with({"serving": {"config": change}}).serve_config
    assert config["http_options"] == {"host": "0.0.0.0", "port": 9000, "request_timeout_s": 600}
    assert config["logging_config"] == {"encoding": "TEXT"}
    assert config["target_capacity"] == 50


@pytest.mark.parametrize("values", [{}, INLINE], ids=["configMap", "inline"])
@pytest.mark.parametrize(
    ("longest", "seconds"),
    [
        ({}, 600),
        ({"request_timeout_s": 90.5}, 90.5),
        ({"request_timeout_s": 5}, 20),
        ({"request_timeout_s": None}, 600),
    ],
)
def test_a_replica_that_leaves_has_as_long_as_a_request_may_take(
    render_with: Render, values: dict[str, Any], longest: dict[str, Any], seconds: float
) -> None:
    serving = {**values.get("serving", {}), "config": {"http_options": longest}}
    rendered = render_with({"serving": serving})
    arguments = rendered.applications[MODEL]["args"]
    (config,) = [rendered.files[each] if isinstance(each, str) else each for each in arguments["llm_configs"]]
    assert config["deployment_config"]["graceful_shutdown_timeout_s"] == seconds
    assert arguments["ingress_deployment_config"]["graceful_shutdown_timeout_s"] == seconds


@pytest.mark.parametrize("seconds", [0, 30])
def test_a_models_own_time_to_end_its_requests_wins(render_with: Render, seconds: int) -> None:
    own = {"graceful_shutdown_timeout_s": seconds, "health_check_period_s": 8}
    rendered = render_with({"models": {MODEL: {"llmConfig": {"deployment_config": own}}}})
    (config,) = rendered.files.values()
    assert config["deployment_config"] == own


def test_every_pod_names_the_port_on_which_serve_answers(render_with: Render) -> None:
    rendered = render_with({"serving": {"config": {"http_options": {"port": 9000}}}})
    for name in rendered.templates:
        assert {"name": "serve", "containerPort": 9000} in rendered.container(name)["ports"]


def test_the_ingress_runs_on_its_own_small_workers_and_never_on_gpu_ones(render_with: Render) -> None:
    rendered = render_with()
    options = rendered.applications[MODEL]["args"]["ingress_deployment_config"]
    (resource,) = options["ray_actor_options"]["resources"]
    assert options["ray_actor_options"] == {"num_cpus": 0.25, "resources": {INGRESS: 0.01}}
    offering = [name for name, group in rendered.groups.items() if resource in group["rayStartParams"]["resources"]]
    assert offering == [INGRESS]


def test_an_ingress_is_always_there_to_take_the_request_that_wakes_a_model(render_with: Render) -> None:
    rendered = render_with({"models": {MODEL: model(deployment_config={"autoscaling_config": {"min_replicas": 0}})}})
    options = rendered.applications[MODEL]["args"]["ingress_deployment_config"]
    assert options["autoscaling_config"]["min_replicas"] == 1
    assert rendered.groups[INGRESS]["minReplicas"] == 1


def test_a_changed_ingress_starts_its_successor_before_it_stops(render_with: Render) -> None:
    assert render_with().applications[MODEL]["args"]["ingress_deployment_config"]["max_surge_percent"] == 100


def test_options_of_the_ingress_win_over_the_charts(render_with: Render) -> None:
    rendered = render_with(
        {"serving": {"ingress": {"max_surge_percent": 0, "autoscaling_config": {"max_replicas": 9}}}}
    )
    options = rendered.applications[MODEL]["args"]["ingress_deployment_config"]
    assert options["max_surge_percent"] == 0
    assert options["autoscaling_config"] == {"min_replicas": 1, "max_replicas": 9, "target_ongoing_requests": 100}


def test_a_fixed_number_of_ingresses_takes_the_place_of_autoscaling(render_with: Render) -> None:
    options = render_with({"serving": {"ingress": {"num_replicas": 3}}}).applications[MODEL]["args"]
    assert options["ingress_deployment_config"]["num_replicas"] == 3
    assert "autoscaling_config" not in options["ingress_deployment_config"]


def test_on_the_standard_path_the_head_takes_no_requests(render_with: Render) -> None:
    assert render_with().service["excludeHeadPodFromServeSvc"] is True


def test_the_throughput_path_sets_its_switches_on_every_pod(render_with: Render) -> None:
    rendered = render_with({"serving": {"path": "throughput"}})
    for name in rendered.templates:
        env = rendered.env(name)
        assert env["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
        assert env["RAY_SERVE_THROUGHPUT_OPTIMIZED"] == "1"
        assert env["RAY_SERVE_LLM_ENABLE_DIRECT_STREAMING"] == "1"


def test_the_throughput_paths_router_sees_which_adapter_a_request_is_for(render_with: Render) -> None:
    switch = "RAY_SERVE_INGRESS_REQUEST_ROUTER_FORWARD_BODY"
    adapters = {"lora_config": {"dynamic_lora_loading_path": "s3://bucket/adapters"}}
    lora = {"models": {"tuned": model(**adapters, engine_kwargs={"enable_lora": True})}}
    throughput = {"serving": {"path": "throughput"}}
    rendered = render_with(lora | throughput)
    assert {rendered.env(name)[switch] for name in rendered.templates} == {"1"}
    for other in (render_with(lora), render_with(throughput)):
        assert all(switch not in other.env(name) for name in other.templates)


@pytest.mark.parametrize(
    ("router", "reads_it"),
    [
        ("my.package:MyRouter", True),
        ("my.package:PromptConsistentHashRouter", True),
        ("my.package:ConsistentHashRouter", True),
        ("ray.serve.experimental.round_robin_router.RoundRobinRouter", False),
    ],
)
def test_a_router_by_the_prompt_sees_the_request(render_with: Render, router: str, reads_it: bool) -> None:
    config = {"deployment_config": {"request_router_config": {"request_router_class": router}}}
    rendered = render_with({"serving": {"path": "throughput"}, "models": {"routed": model(**config)}})
    switch = "RAY_SERVE_INGRESS_REQUEST_ROUTER_FORWARD_BODY"
    assert {rendered.env(name).get(switch) for name in rendered.templates} == {"1" if reads_it else None}


@pytest.mark.parametrize(("timeout", "seconds"), [(None, "600"), (30, "120"), (900.5, "901")])
def test_a_haproxy_that_is_replaced_ends_its_streams_first(
    render_with: Render, timeout: float | None, seconds: str
) -> None:
    options = {} if timeout is None else {"config": {"http_options": {"request_timeout_s": timeout}}}
    rendered = render_with({"serving": {"path": "throughput", **options}})
    variable = "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"
    assert {rendered.env(name)[variable] for name in rendered.templates} == {seconds}
    alone = render_with({"pods": {"env": {"RAY_SERVE_ENABLE_HA_PROXY": "1"}}, "serving": options})
    assert {alone.env(name)[variable] for name in alone.templates} == {seconds}
    standard = render_with({"serving": options})
    assert all(variable not in standard.env(name) for name in standard.templates)


def test_the_throughput_path_has_no_ingress_and_its_head_takes_requests(render_with: Render) -> None:
    rendered = render_with({"serving": {"path": "throughput"}})
    assert list(rendered.groups) == [GROUP]
    assert "ingress_deployment_config" not in rendered.applications[MODEL]["args"]
    assert "deployments" not in rendered.applications[MODEL]
    assert rendered.service["excludeHeadPodFromServeSvc"] is False


def test_the_throughput_path_serves_a_single_model_behind_one_v1(render_with: Render) -> None:
    rendered = render_with({"serving": {"path": "throughput", "routing": "unified"}})
    assert [each["route_prefix"] for each in rendered.applications.values()] == ["/"]


OLD = {
    "ray": {"version": "2.49.1"},
    "models": {
        MODEL: {
            "family": "falcon3",
            "llmConfig": {
                "model_loading_config": {"model_source": "tiiuae/Falcon3-1B-Instruct"},
                "resources_per_bundle": {"GPU": 1},
                "deployment_config": {"ray_actor_options": {"num_cpus": 6, "resources": {GROUP: 1}}},
            },
        }
    },
    "workerGroups": MINIMAL["workerGroups"],
}


def test_an_older_ray_has_its_ingress_moved_by_the_name_of_its_deployment(render: Render) -> None:
    application = render(OLD).applications[MODEL]
    assert "ingress_deployment_config" not in application["args"]
    (ingress,) = application["deployments"]
    assert ingress["name"] == "LLMRouter"
    assert ingress["ray_actor_options"] == {"num_cpus": 0.25, "resources": {INGRESS: 0.01}}
    assert "max_surge_percent" not in ingress


def test_an_older_ray_gets_its_own_image_and_no_token(render: Render) -> None:
    rendered = render(OLD)
    assert rendered.cluster["rayVersion"] == "2.49.1"
    assert {rendered.container(name)["image"] for name in rendered.templates} == {
        "rayproject/ray-llm:2.49.1-py311-cu128"
    }
    assert "authOptions" not in rendered.cluster
