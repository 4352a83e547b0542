"""What is refused before anything is installed: each message says where, what, and what to do."""

from collections.abc import Callable

import pytest

from tests.chart.rendering import GROUP, INGRESS, MINIMAL, MODEL, Render, model

OLD_RAY = {"ray": {"version": "2.49.1"}}
EMPTY = {"models": {}, "workerGroups": {}}
RenderError = Callable[..., str]


def test_a_release_name_that_is_too_long(render_error: RenderError, render_with: Render) -> None:
    name = "x" * 48
    message = render_error({}, release=name)
    assert f'fullnameOverride: the RayService\'s name "{name}" has 48 characters and KubeRay takes 47' in message
    assert "Choose a shorter release name, or set fullnameOverride" in message
    assert render_with(release="x" * 47).one("RayService")["metadata"]["name"] == "x" * 47
    assert render_with({"fullnameOverride": "short"}, release=name).one("RayService")["metadata"]["name"] == "short"


def test_a_release_name_that_starts_with_a_digit(render_error: RenderError) -> None:
    assert (
        "the RayService's name \"9b\" must be lower-case letters, digits and '-', and start with a letter"
        in render_error({}, release="9b")
    )


def test_an_unknown_ray_release(render_error: RenderError) -> None:
    message = render_error({"ray": {"version": "2.61.0"}})
    assert "ray.version: this chart does not know Ray 2.61.0. Set one that it knows: 2.49.1, 2.60.0" in message


def test_no_models_at_all(render_error: RenderError) -> None:
    message = render_error({}, base=EMPTY)
    assert "models: there is none, and no app. Add one, or give a values file that has some" in message


def test_the_throughput_path_of_a_release_without_it(render_error: RenderError) -> None:
    message = render_error(OLD_RAY | {"serving": {"path": "throughput"}})
    assert "serving.path: Ray 2.49.1 has no throughput path. Set serving.path to standard" in message


def test_several_models_behind_one_route_on_the_throughput_path(render_error: RenderError) -> None:
    message = render_error({"serving": {"path": "throughput", "routing": "unified"}, "models": {"second": model()}})
    assert "serving.routing: the throughput path serves one model for each application" in message
    assert "unified would put 2 into one. Set serving.routing to perModel" in message


def test_options_of_an_ingress_that_the_throughput_path_does_not_have(render_error: RenderError) -> None:
    message = render_error({"serving": {"path": "throughput", "ingress": {"num_replicas": 2}}})
    assert "serving.ingress: the throughput path has no ingress deployment" in message
    assert "Remove serving.ingress, or set serving.path to standard" in message


def test_applications_in_the_serve_config(render_error: RenderError) -> None:
    message = render_error({"serving": {"config": {"applications": []}}})
    assert "serving.config.applications: the chart writes the applications from `models` and `apps`. Say it" in message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"proxy_location": "HeadOnly"}, "proxy_location: with HeadOnly only the head has a proxy"),
        ({"proxy_location": "Disabled"}, "proxy_location: with Disabled nothing answers requests. Remove it"),
        ({"target_capacity": 0}, "target_capacity: with 0 no model and no ingress has a replica"),
        (
            {"http_options": {"ssl_keyfile": "/k"}},
            "http_options.ssl_keyfile: KubeRay asks the proxies for their health",
        ),
        ({"http_options": {"ssl_certfile": "/c"}}, "http_options.ssl_certfile: KubeRay asks the proxies for their"),
        ({"http_options": {"port": 6379}}, "http_options.port: 6379 is a port of Ray itself on the same pods"),
        ({"http_options": {"port": 8265}}, "http_options.port: 8265 is a port of Ray itself on the same pods"),
        ({"http_options": {"port": 10001}}, "http_options.port: 10001 is a port of Ray itself on the same pods"),
        ({"http_options": {"port": 8080}}, "http_options.port: 8080 is a port of Ray itself on the same pods"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value.partition(":")[0],
)
def test_options_of_serve_that_leave_nobody_to_answer(render_error: RenderError, config: dict, message: str) -> None:
    assert f"serving.config.{message}" in render_error({"serving": {"config": config}})


def test_on_the_throughput_path_the_head_alone_may_answer_but_not_nobody(
    render_error: RenderError, render_with: Render
) -> None:
    throughput = {"path": "throughput", "config": {"proxy_location": "HeadOnly"}}
    assert render_with({"serving": throughput}).serve_config["proxy_location"] == "HeadOnly"
    message = render_error({"serving": {"path": "throughput", "config": {"proxy_location": "Disabled"}}})
    assert "serving.config.proxy_location: with Disabled nothing answers requests" in message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0:0:0:0:0:0:0:1", "evil", "10.0.0.1", ""])
def test_an_address_that_the_service_does_not_reach(helm_template: Callable, host: str) -> None:
    """The readiness of a pod would be asked there, and would say that it is ready."""
    done = helm_template([MINIMAL, {"serving": {"config": {"http_options": {"host": host}}}}])
    assert "at '/serving/config/http_options/host': value must be one of '0.0.0.0', '::'" in done.stderr


def test_serving_on_every_address_of_either_kind(render_with: Render) -> None:
    config = {"http_options": {"host": "::"}}
    assert render_with({"serving": {"config": config}}).serve_config["http_options"]["host"] == "::"


@pytest.mark.parametrize(("port", "of"), [(10002, "workers"), (19999, "workers"), (44217, "the autoscaler's metrics")])
def test_a_port_of_ray_is_told_with_whose_it_is(render_error: RenderError, port: int, of: str) -> None:
    message = render_error({"serving": {"config": {"http_options": {"port": port}}}})
    assert f"serving.config.http_options.port: {port} is a port of Ray itself on the same pods ({of})" in message


@pytest.mark.parametrize("port", [8404, 8500, 9101, 30000])
def test_a_port_of_haproxy_is_taken_where_it_answers(render_error: RenderError, render_with: Render, port: int) -> None:
    serving = {"config": {"http_options": {"port": port}}}
    render_with({"serving": serving})
    told = f"serving.config.http_options.port: {port} is a port of Ray itself on the same pods"
    assert told in render_error({"serving": {**serving, "path": "throughput"}})
    assert told in render_error({"serving": serving, "pods": {"env": {"RAY_SERVE_ENABLE_HA_PROXY": "1"}}})


def test_two_ports_of_serve_are_two(render_error: RenderError, render_with: Render) -> None:
    def both(functions: list[str], **options: int) -> dict:
        grpc = {"grpc_servicer_functions": functions, **options}
        return {"serving": {"config": {"http_options": {"port": 9000}, "grpc_options": grpc}}}

    render_with(both([]))
    render_with(both(["code:add"], port=9001))
    assert "serving.config.grpc_options.port: 9000 is the port of http_options" in render_error(both(["code:add"]))
    assert "grpc_options.port: 8265 is a port of Ray itself" in render_error(both(["code:add"], port=8265))


def test_a_token_that_the_release_cannot_ask_for(render_error: RenderError) -> None:
    message = render_error(OLD_RAY | {"auth": {"mode": "token"}})
    assert "auth.mode: Ray 2.49.1 has no token authentication. Set auth.mode to auto or disabled" in message


@pytest.mark.parametrize(
    ("version", "used", "right"),
    [
        ("2.49.1", "placement_group_config", "resources_per_bundle"),
        ("2.60.0", "resources_per_bundle", "placement_group_config"),
    ],
)
def test_the_placement_field_of_another_release(render_error: RenderError, version: str, used: str, right: str) -> None:
    loading = {"model_source": "x/y"}
    config = {"model_loading_config": loading, used: {"GPU": 1}}
    base = MINIMAL | {"models": {MODEL: {"family": "falcon3", "llmConfig": config}}}
    message = render_error({"ray": {"version": version}}, base=base)
    assert f"models.{MODEL}.llmConfig.{used}: Ray {version} does not take it. Say it in {right}" in message


def test_two_models_behind_one_route_with_one_deployment_name(render_error: RenderError, render_with: Render) -> None:
    twins = {"models": {"h1-0.5b": model(), "h1-0_5b": model()}}
    message = render_error(twins | {"serving": {"routing": "unified"}})
    assert "models.h1-0_5b: behind one route, Ray would give it the deployment name of models.h1-0.5b" in message
    assert "(LLMServer:h1-0_5b). Rename one of them, by its key or its model_id, or set serving.routing" in message
    assert {"h1-0.5b", "h1-0_5b"} < render_with(twins).applications.keys(), "applications of their own keep them apart"


@pytest.mark.parametrize(
    "asking",
    [
        {"placement_group_config": {"bundle_per_worker": {"GPU": 1, "smal-model-workers": 1}}},
        {"placement_group_config": {"bundles": [{"CPU": 1}, {"GPU": 1, "smal-model-workers": 1}]}},
        {"deployment_config": {"ray_actor_options": {"resources": {"smal-model-workers": 1}}}},
    ],
    ids=["in every bundle", "in one bundle", "of the replica"],
)
def test_a_resource_that_no_worker_group_has(render_error: RenderError, asking: dict) -> None:
    message = render_error({"models": {MODEL: {"llmConfig": asking}}, "workerGroups": {"a": {}}})
    assert f'models.{MODEL}: it asks for the resource "smal-model-workers", which no worker group has' in message
    assert f"so it would stay pending forever. Did you mean one of: a, {GROUP}?" in message


def test_every_model_that_asks_for_what_is_not_there_is_named_and_no_other(render_error: RenderError) -> None:
    wrong = {"placement_group_config": {"bundle_per_worker": {"GPU": 1, "smal": 1}}}
    several = {"a-good": model(), "b-bad": model(**wrong), "c-good": model(), "d-bad": model(**wrong)}
    message = render_error({"models": several})
    assert [name for name in several if f"models.{name}: " in message] == ["b-bad", "d-bad"]


def scaled(least: int) -> dict:
    return {"autoscaling_config": {"min_replicas": least, "max_replicas": 2, "target_ongoing_requests": 5}}


ONE_BUNDLE = {"placement_group_config": {"bundles": [{"GPU": 1, GROUP: 1}]}}
TWO_RANKS = {"tensor_parallel_size": 2}
ONLY: dict[str, tuple[dict, dict, str]] = {
    "replicas": ({"deployment_config": scaled(1)}, {"deployment_config": scaled(3)}, "3 is more than max_replicas, 2"),
    "GPUs": (ONE_BUNDLE, {**ONE_BUNDLE, "engine_kwargs": TWO_RANKS}, "pipeline_parallel_size is 2"),
    "stages": (ONE_BUNDLE, {**ONE_BUNDLE, "engine_kwargs": {"pipeline_parallel_size": 2}}, "parallel_size is 2"),
    "accelerator": ({}, {"accelerator_type": "L4"}, 'it asks for "accelerator_type:L4"'),
}


@pytest.mark.parametrize(("right", "wrong", "told"), ONLY.values(), ids=ONLY)
def test_a_model_that_differs_from_a_right_one_in_this_alone(
    render_error: RenderError, right: dict, wrong: dict, told: str
) -> None:
    message = render_error({"models": {"a-right": model(**right), "b-wrong": model(**wrong)}})
    assert "models.b-wrong" in message and told in message
    assert "models.a-right" not in message


def test_workers_without_cpus(render_error: RenderError) -> None:
    error = render_error({"workerGroups": {GROUP: {"resources": {"limits": {"cpu": 0}, "requests": {"cpu": 0}}}}})
    assert f"- workerGroups.{GROUP}.resources: it gives a worker no CPU" in error


def test_a_model_on_cpus_beside_one_that_asks_for_a_gpu_nobody_has(render_error: RenderError) -> None:
    loading = {"model_loading_config": {"model_source": "x/y"}}
    on_cpus, on_gpus = ({**loading, "accelerator_config": {"kind": kind}} for kind in ("cpu", "gpu"))
    both = {"a-right": {"family": "x", "llmConfig": on_cpus}, "b-wrong": {"family": "x", "llmConfig": on_gpus}}
    message = render_error({}, base={"models": both, "workerGroups": {GROUP: {}}})
    assert "models.b-wrong: it asks for a GPU and no worker group has one" in message
    assert "models.a-right" not in message


def test_rays_own_resources_and_those_of_any_group_may_be_asked_for(render_with: Render) -> None:
    bundle = {"CPU": 1, "GPU": 1, "memory": 1000, "fast": 1, "unused": 0}
    llm_config = {"placement_group_config": {"bundle_per_worker": bundle}}
    render_with(
        {"models": {MODEL: {"llmConfig": llm_config}}, "workerGroups": {GROUP: {"rayResources": {GROUP: 1, "fast": 1}}}}
    )


@pytest.mark.parametrize(
    "asking",
    [
        {"accelerator_type": "L4"},
        {"placement_group_config": {"bundle_per_worker": {"GPU": 1, GROUP: 1, "accelerator_type:L4": 0.001}}},
    ],
    ids=["by its field", "in a bundle"],
)
def test_a_kind_of_gpu_that_the_autoscaler_cannot_see_in_a_group_without_workers(
    render_error: RenderError, render_with: Render, asking: dict
) -> None:
    wanted = {"models": {MODEL: {"llmConfig": asking}}}
    message = render_error(wanted)
    assert f'models.{MODEL}: it asks for "accelerator_type:L4", which the autoscaler knows of no group' in message
    assert "Remove it (accelerator_type, or the bundles' key): the worker group's name already places" in message
    render_with(wanted | {"workerGroups": {GROUP: {"rayResources": {GROUP: 1, "accelerator_type:L4": 1}}}})


@pytest.mark.parametrize("placement", [None, {"bundles": [{"GPU": 1}]}], ids=["by default", "in a bundle"])
def test_a_model_on_a_gpu_where_no_group_has_one(render_error: RenderError, placement: dict | None) -> None:
    config = {"model_loading_config": {"model_source": "x/y"}}
    if placement:
        config["placement_group_config"] = placement
    base = {"models": {MODEL: {"family": "falcon3", "llmConfig": config}}, "workerGroups": {"cpu-workers": {}}}
    message = render_error({}, base=base)
    assert f"models.{MODEL}: it asks for a GPU and no worker group has one, so it would stay pending forever" in message
    assert "Set workerGroups.<name>.gpusPerWorker, or place the model on CPUs" in message


def placed(placement: dict, *, cpus: int = 1, **engine: int) -> dict:
    """The smallest values with the model placed anew; GROUP's workers have one GPU and 6 CPUs."""
    config = {
        "model_loading_config": {"model_source": "x/y"},
        "placement_group_config": placement,
        "deployment_config": {"ray_actor_options": {"num_cpus": cpus}},
        "engine_kwargs": engine,
    }
    return MINIMAL | {"models": {MODEL: {"family": "falcon3", "llmConfig": config}}}


ONE = {"GPU": 1, GROUP: 1}


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        (placed({"bundle_per_worker": {"GPU": 2, GROUP: 1}}), '"GPU":2'),
        (placed({"bundle_per_worker": {**ONE, "CPU": 8}}), '"CPU":9'),
        (placed({"bundle_per_worker": ONE}, cpus=7), '"CPU":7'),
        (placed({"bundle_per_worker": {"GPU": 1, GROUP: 2}}), f'"{GROUP}":2'),
        (placed({"bundle_per_worker": ONE, "strategy": "STRICT_PACK"}, tensor_parallel_size=2), '"GPU":2'),
        (placed({"bundles": [ONE, {**ONE, "CPU": 8}]}, tensor_parallel_size=2), '"CPU":8'),
    ],
    ids=["GPUs", "CPUs of a bundle", "CPUs of the replica", "the group's name", "all on one worker", "one of several"],
)
def test_a_model_that_is_too_large_for_any_worker(render_error: RenderError, values: dict, asked: str) -> None:
    message = render_error({}, base=values)
    assert f"models.{MODEL}: it asks for {{" in message
    assert asked in message.partition(" on one worker")[0]
    assert "so it would stay pending forever. Ask for less, or make a group's workers larger" in message


def test_a_model_of_two_gpus_may_be_spread_or_have_a_worker_of_two(render: Render) -> None:
    render(placed({"bundle_per_worker": ONE}, tensor_parallel_size=2, cpus=6))
    strict = placed({"bundle_per_worker": ONE, "strategy": "STRICT_PACK"}, tensor_parallel_size=2)
    render([strict, {"workerGroups": {GROUP: {"gpusPerWorker": 2}}}])


def test_an_older_ray_puts_all_gpus_of_a_model_on_one_worker(render_error: RenderError) -> None:
    config = {
        "model_loading_config": {"model_source": "x/y"},
        "resources_per_bundle": {"GPU": 1},
        "deployment_config": {"ray_actor_options": {"resources": {GROUP: 1}}},
        "engine_kwargs": {"tensor_parallel_size": 2},
    }
    message = render_error({}, base=MINIMAL | OLD_RAY | {"models": {MODEL: {"family": "a", "llmConfig": config}}})
    assert f'models.{MODEL}: it asks for {{"CPU":1,"GPU":2,"{GROUP}":1}} on one worker' in message


def test_bundles_that_are_not_one_for_each_gpu(render_error: RenderError, render: Render) -> None:
    message = render_error({}, base=placed({"bundles": [ONE]}, tensor_parallel_size=2))
    assert "placement_group_config.bundles: 1 of them have a GPU, and tensor_parallel_size" in message
    assert "is 2. Give one bundle for each, or say bundle_per_worker once" in message
    render(placed({"bundles": [{"CPU": 1}, ONE, ONE]}, tensor_parallel_size=2))


@pytest.mark.parametrize(
    "values",
    [
        placed({"bundle_per_worker": {"GPU": 1}}),
        placed({"bundles": [ONE, {"GPU": 1}]}, tensor_parallel_size=2),
    ],
    ids=["in no bundle", "not in every bundle"],
)
def test_a_model_that_could_land_on_any_of_several_gpu_groups(
    render_error: RenderError, render: Render, values: dict
) -> None:
    other = {"workerGroups": {"large-model-workers": {"gpusPerWorker": 1}}}
    message = render_error(other, base=values)
    assert f"models.{MODEL}: it asks for a GPU of no worker group in particular, so it could land on any of" in message
    assert f"large-model-workers, {GROUP}. Name one of them in every bundle, as large-model-workers: 1" in message
    render(values)
    render([values, {"workerGroups": {"cpu-workers": {}}}])
    selector = {"deployment_config": {"placement_group_bundle_label_selector": [{"ray.io/node-group": GROUP}]}}
    render([values, other, {"models": {MODEL: {"llmConfig": selector}}}])


def test_a_model_on_cpus_needs_no_gpu_group(render: Render) -> None:
    config = {
        "model_loading_config": {"model_source": "x/y"},
        "placement_group_config": {"bundles": [{"CPU": 2, "cpu-workers": 1}]},
    }
    render({"models": {MODEL: {"family": "falcon3", "llmConfig": config}}, "workerGroups": {"cpu-workers": {}}})


def scaled(**autoscaling: object) -> dict:
    return {"models": {MODEL: {"llmConfig": {"deployment_config": {"autoscaling_config": autoscaling}}}}}


def test_a_model_with_more_replicas_at_least_than_at_most(render_error: RenderError) -> None:
    where = f"models.{MODEL}.llmConfig.deployment_config.autoscaling_config.min_replicas"
    message = render_error(scaled(min_replicas=6, max_replicas=5, target_ongoing_requests=51))
    assert f"{where}: 6 is more than max_replicas, 5. Raise max_replicas, or lower min_replicas" in message


def test_a_model_that_may_grow_but_is_not_told_when(render_error: RenderError, render_with: Render) -> None:
    message = render_error(scaled(max_replicas=5))
    assert f"models.{MODEL}.llmConfig.deployment_config.autoscaling_config.target_ongoing_requests: without" in message
    assert "Say how many requests a replica should have under way, or set max_replicas to 1" in message
    render_with(scaled(min_replicas=0, max_replicas=1))
    render_with(scaled(min_replicas=5, max_replicas=5))
    render_with(scaled(max_replicas=5, target_ongoing_requests=51))


@pytest.mark.parametrize("kind", ["cpu", "tpu"])
def test_a_model_on_another_kind_of_device_asks_for_no_gpu(render: Render, kind: str) -> None:
    config = {"model_loading_config": {"model_source": "x/y"}, "accelerator_config": {"kind": kind}}
    render({"models": {MODEL: {"family": "falcon3", "llmConfig": config}}, "workerGroups": {"cpu-workers": {}}})


def named(name: str) -> dict:
    return {"model_loading_config": {"model_id": name, "model_source": "x/y"}}


def test_one_name_for_clients_twice_behind_one_route(render_error: RenderError, render_with: Render) -> None:
    twins = {"models": {"first": model(**named("Qwen/Qwen3-8B")), "second": model(**named("Qwen/Qwen3-8B"))}}
    message = render_error(twins | {"serving": {"routing": "unified"}})
    assert "Ray would give it the deployment name of models.first (LLMServer:Qwen--Qwen3-8B)" in message
    render_with(twins)  # applications of their own keep them apart


def test_a_model_cache_without_its_claim_or_folder(render_error: RenderError) -> None:
    message = render_error({"modelCache": {"type": "persistentVolumeClaim"}})
    assert "modelCache.claimName: it is empty. Name an existing PersistentVolumeClaim" in message
    message = render_error({"modelCache": {"type": "hostPath"}})
    assert "modelCache.hostPath: it is empty. Name a folder of the nodes" in message


def test_labels_of_ray_start_which_kuberay_refuses(render_error: RenderError) -> None:
    labels = {"rayStartParams": {"labels": "a=b"}}
    message = render_error({"head": labels, "ingressWorkers": labels, "workerGroups": {GROUP: labels}})
    for where in ("head", "ingressWorkers", f"workerGroups.{GROUP}"):
        assert f"{where}.rayStartParams.labels: KubeRay refuses it" in message


def test_a_dashboard_that_the_operator_cannot_reach(render_error: RenderError) -> None:
    message = render_error({"head": {"rayStartParams": {"dashboard-host": "127.0.0.1"}}})
    assert "head.rayStartParams.dashboard-host: KubeRay hands the models to the dashboard from another pod" in message
    assert "at 127.0.0.1 it could not reach it. Remove it" in message


@pytest.mark.parametrize("cpus", ["2k", "1Ki", "two"])
def test_cpus_in_a_unit_that_is_not_understood(render_error: RenderError, cpus: str) -> None:
    odd = {"resources": {"limits": {"cpu": cpus}}}
    message = render_error({"ingressWorkers": odd, "workerGroups": {GROUP: odd}})
    for where in ("ingressWorkers", f"workerGroups.{GROUP}"):
        assert f'{where}.resources: "{cpus}" is no number of CPUs that is understood here. Write CPUs' in message
    assert "an ingress asks for" not in message
    assert "pending" not in message


def test_two_volumes_at_one_path(render_error: RenderError) -> None:
    def volume(path: str) -> dict:
        return {"mountPath": path, "emptyDir": {}}

    message = render_error({"pods": {"volumes": {"a": volume("/data"), "b": volume("/data")}}})
    for where in ("head", "ingressWorkers", f"workerGroups.{GROUP}"):
        assert f'{where}.volumes: "a" and "b" are both mounted at /data. Give one of them another mountPath' in message
    message = render_error({"workerGroups": {GROUP: {"volumes": {"weights": volume("/home/ray/huggingface")}}}})
    assert f'workerGroups.{GROUP}.volumes: "model-cache" and "weights" are both mounted at' in message


def test_a_family_that_no_config_map_can_hold(render_error: RenderError, render_with: Render) -> None:
    big = {"models": {MODEL: {"llmConfig": {"engine_kwargs": {"hf_overrides": {"text": "x" * 2**20}}}}}}
    message = render_error(big)
    assert 'models: the files of family "falcon3" have' in message
    assert "a ConfigMap holds 1048576. Split the family, or set serving.delivery to inline" in message
    render_with(big | {"serving": {"delivery": "inline"}})


def test_worker_groups_with_names_that_are_taken(render_error: RenderError, render_with: Render) -> None:
    message = render_error({"workerGroups": {INGRESS: {}, "headgroup": {}}})
    assert f"workerGroups.{INGRESS}: that is the name of the ingress workers' group. Rename it" in message
    assert "workerGroups.headgroup: that is KubeRay's name for the head. Rename it" in message
    render_with({"workerGroups": {INGRESS: {}}, "serving": {"path": "throughput"}})


def test_fewer_replicas_at_most_than_at_least(render_error: RenderError) -> None:
    message = render_error({"workerGroups": {GROUP: {"minReplicas": 6}}, "ingressWorkers": {"minReplicas": 200}})
    assert f"workerGroups.{GROUP}.minReplicas: 6 is more than maxReplicas, 5" in message
    assert "ingressWorkers.minReplicas: 200 is more than maxReplicas, 100" in message


def test_ray_resources_said_in_two_places(render_error: RenderError) -> None:
    message = render_error({"workerGroups": {GROUP: {"rayStartParams": {"resources": "{}"}}}})
    assert (
        f"workerGroups.{GROUP}.rayStartParams.resources: the chart writes it from rayResources. Say it there" in message
    )


def test_more_ingresses_than_the_ingress_workers_can_ever_hold(render_error: RenderError, render_with: Render) -> None:
    models = {
        "models": {f"model-{number}": model() for number in range(8)},
        "workerGroups": {GROUP: {"maxReplicas": 9}},
    }
    message = render_error(models | {"ingressWorkers": {"maxReplicas": 2}})
    assert "ingressWorkers.maxReplicas: 9 applications have an ingress each, of which a worker holds 4, and" in message
    assert "there may be 2 of these workers. Set it to 3 or more" in message
    render_with(models | {"ingressWorkers": {"maxReplicas": 3}})
    render_with(
        models | {"ingressWorkers": {"maxReplicas": 2, "resources": {"limits": {"cpu": "1500m", "memory": "8Gi"}}}}
    )
    render_with(models | {"ingressWorkers": {"maxReplicas": 1}, "serving": {"routing": "unified"}})
    render_with(models | {"ingressWorkers": {"maxReplicas": 1}, "serving": {"path": "throughput"}})


def test_an_ingress_larger_than_its_worker(render_error: RenderError) -> None:
    message = render_error({"serving": {"ingress": {"ray_actor_options": {"num_cpus": 2}}}})
    assert (
        "serving.ingress.ray_actor_options.num_cpus: an ingress asks for 2 CPUs and an ingress worker has 1" in message
    )
    assert "Lower it, or raise ingressWorkers.resources" in message


def test_an_ingress_that_asks_for_what_its_workers_lack(render_error: RenderError, render_with: Render) -> None:
    asking = {"serving": {"ingress": {"ray_actor_options": {"resources": {"fast": 1}}}}}
    message = render_error(asking)
    assert 'serving.ingress.ray_actor_options.resources: the ingress asks for "fast"' in message
    assert "Remove it, or add it to ingressWorkers.rayResources" in message
    render_with(asking | {"ingressWorkers": {"rayResources": {"fast": 1}}})


def test_an_ingress_that_asks_for_more_than_its_workers_have(render_error: RenderError, render_with: Render) -> None:
    where = "serving.ingress.ray_actor_options"
    asking = {"serving": {"ingress": {"ray_actor_options": {"resources": {INGRESS: 5}}}}}
    message = render_error(asking)
    assert f"{where}.resources: an ingress asks for 5 {INGRESS} and an ingress worker has 1" in message
    assert "Lower it, or raise ingressWorkers.rayResources" in message
    render_with(asking | {"ingressWorkers": {"rayResources": {INGRESS: 5}}})
    gpus = {"serving": {"ingress": {"ray_actor_options": {"num_gpus": 1}}}}
    assert f"{where}.num_gpus: an ingress asks for 1 GPUs and an ingress worker has 0" in render_error(gpus)


def test_more_least_ingresses_than_their_workers_hold(render_error: RenderError, render_with: Render) -> None:
    many = {"serving": {"ingress": {"num_replicas": 9}}, "ingressWorkers": {"maxReplicas": 2}}
    message = render_error(many)
    assert "ingressWorkers.maxReplicas: 1 application has 9 ingresses, of which a worker holds 4, and" in message
    assert "there may be 2 of these workers. Set it to 3 or more" in message
    render_with(many | {"ingressWorkers": {"maxReplicas": 3}})


def test_requests_above_limits(render_error: RenderError, render_with: Render) -> None:
    def sizes(requests: dict, limits: dict) -> dict:
        both = {"resources": {"requests": requests, "limits": limits}}
        return {"head": both, "workerGroups": {GROUP: both}, "autoscalerOptions": both}

    message = render_error(sizes({"memory": "9Gi", "cpu": "2500m"}, {"memory": 2**33, "cpu": 2}))
    for where in ("head", f"workerGroups.{GROUP}", "autoscalerOptions"):
        assert f"{where}.resources.requests.memory: 9Gi is more than the limit, " in message
        assert f"{where}.resources.requests.cpu: 2500m is more than the limit, 2. Raise the limit" in message
    render_with(sizes({"memory": "8Gi", "cpu": 2}, {"memory": 2**33, "cpu": "2000m"}))
    message = render_error({"head": {"resources": {"requests": {"example.com/fpga": 1}}}})
    assert "head.resources.requests: it asks for 1 example.com/fpga, and limits say nothing of it" in message
    assert "say it in limits alone" in message


def test_resources_that_ray_counts_itself(render_error: RenderError) -> None:
    for name in ("CPU", "GPU", "memory", "object_store_memory"):
        message = render_error({"workerGroups": {GROUP: {"rayResources": {name: 8}}}})
        assert f"workerGroups.{GROUP}.rayResources.{name}: Ray counts it itself, and does not start with it" in message
        assert "pending" not in message


def test_an_engine_without_a_gpu_among_gpus(render_error: RenderError, render_with: Render) -> None:
    without = {"placement_group_config": {"bundle_per_worker": {GROUP: 1}}}
    config = {"model_loading_config": {"model_source": "x/y"}, **without}
    base = {
        "models": {MODEL: {"family": "falcon3", "llmConfig": config}},
        "workerGroups": {GROUP: {"gpusPerWorker": 1}},
    }
    message = render_error({}, base=base)
    assert f"models.{MODEL}: its bundles have no GPU, and the workers that hold them ({GROUP}) are there for" in message
    assert "Add GPU: 1 to every bundle, or set accelerator_config to {kind: cpu}" in message
    render_with(
        {
            "workerGroups": {"cpus": {}},
            "models": {"second": model(placement_group_config={"bundle_per_worker": {"cpus": 1}})},
        }
    )


@pytest.mark.parametrize("options", [{"autoscaling_config": {"min_replicas": 0}}, {"num_replicas": 0}])
def test_an_ingress_that_may_go_to_zero_and_then_nothing_wakes(render_error: RenderError, options: dict) -> None:
    message = render_error({"serving": {"ingress": options}})
    assert "without a running ingress nothing takes" in message
    assert "Set it to 1 or more, or remove it" in message


def test_replicas_that_are_a_number_and_a_span(render_error: RenderError, render_with: Render) -> None:
    both = {"num_replicas": 2, "autoscaling_config": {"min_replicas": 1, "max_replicas": 2}}
    app = {"import_path": "code:build", "deployments": [{"name": "Own", **both}]}
    deployment = {"deployment_config": both}
    values = {
        "models": {MODEL: {"llmConfig": deployment}},
        "serving": {"ingress": both},
        "apps": {"own": {"application": app}},
    }
    message = render_error(values)
    for where in (
        f"models.{MODEL}.llmConfig.deployment_config",
        "serving.ingress",
        "apps.own.application.deployments (Own)",
    ):
        assert f"{where}: it has num_replicas and autoscaling_config, and Ray takes one of them. Remove" in message
    auto = {**both, "num_replicas": "auto", "autoscaling_config": {"max_replicas": 2, "target_ongoing_requests": 5}}
    render_with({"models": {MODEL: {"llmConfig": {"deployment_config": auto}}}})


def test_more_ingresses_at_least_than_at_most(render_error: RenderError) -> None:
    message = render_error({"serving": {"ingress": {"autoscaling_config": {"min_replicas": 9}}}})
    assert "serving.ingress.autoscaling_config.min_replicas: 9 is more than max_replicas, 4" in message


def test_everything_that_is_wrong_is_told_at_once(render_error: RenderError) -> None:
    message = render_error({"modelCache": {"type": "hostPath"}, "workerGroups": {"headgroup": {}}}, release="x" * 48)
    assert [
        line
        for line in ("fullnameOverride", "workerGroups.headgroup", "modelCache.hostPath")
        if f"- {line}: " in message
    ] == [
        "fullnameOverride",
        "workerGroups.headgroup",
        "modelCache.hostPath",
    ]


OWN = {"repository": "example.com/ray"}
IMAGES: dict[str, tuple[dict, str]] = {
    "a tag of another release": (
        {"image": {"tag": "2.55.1-py312-cu128"}},
        "image.tag: rayproject/ray-llm:2.55.1-py312-cu128 is not known to have Ray 2.60.0, by whose words everything",
    ),
    "a tag that moves": ({"pods": {"image": {"tag": "latest"}}}, "pods.image.tag: rayproject/ray-llm:latest is not"),
    "a number that begins alike": ({"image": {"tag": "2.60.01"}}, "image.tag: rayproject/ray-llm:2.60.01 is not"),
    "of one group": (
        {"workerGroups": {GROUP: {"image": {"repository": "docker.io/rayproject/ray-llm", "tag": "nightly"}}}},
        f"workerGroups.{GROUP}.image.tag: rayproject/ray-llm:nightly is not known to have Ray 2.60.0",
    ),
    "AMD's GPUs": (
        {"workerGroups": {GROUP: {"gpuResourceName": "amd.com/gpu"}}},
        f"workerGroups.{GROUP}.image: its workers have amd.com/gpu, and rayproject/ray-llm is for NVIDIA's GPUs. "
        "Name an image of your own with Ray 2.60.0, vLLM and ROCm",
    ),
    "Arm's processors": (
        {"workerGroups": {GROUP: {"nodeSelector": {"kubernetes.io/arch": "arm64"}}}},
        f"workerGroups.{GROUP}.image: its nodes are arm64, and rayproject/ray-llm is for amd64. Name an image",
    ),
    "TPUs": (
        {"workerGroups": {GROUP: {"gpuResourceName": "google.com/tpu", "gpusPerWorker": 4}}},
        f"workerGroups.{GROUP}.gpuResourceName: google.com/tpu is no GPU to Ray, which counts it as TPU. Remove it and "
        "gpusPerWorker, set resources.limits to {google.com/tpu: 4}, and ask for TPU in the models' bundles",
    ),
    "Ascend": (
        {"workerGroups": {GROUP: {"gpuResourceName": "huawei.com/Ascend910"}}},
        "counts it as NPU. Remove it and gpusPerWorker, set resources.limits to {huawei.com/Ascend910: 1} and "
        "rayResources to {NPU: 1}, and ask for NPU in the models' bundles",
    ),
    "a kind of TPU": (
        {"models": {MODEL: {"llmConfig": {"accelerator_type": "TPU-V6E", "accelerator_config": {"kind": "tpu"}}}}},
        'so it would stay pending forever. Say it in the rayResources of its group, as {"accelerator_type:TPU-V6E": 1}',
    ),
}


@pytest.mark.parametrize(("change", "told"), IMAGES.values(), ids=IMAGES)
def test_pods_whose_image_or_devices_are_others_than_ray_takes_them_for(
    render_error: RenderError, change: dict, told: str
) -> None:
    message = render_error(change)
    assert told in message and message.count("\n- ") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"image": {"tag": "2.60.0.1a2b3c-py312-cu130"}},
        {"image": {**OWN, "tag": "2.55.1"}},
        {"workerGroups": {GROUP: {"gpuResourceName": "amd.com/gpu", "image": OWN}}},
        {"workerGroups": {GROUP: {"nodeSelector": {"kubernetes.io/arch": "arm64"}, "image": OWN}}},
        {"workerGroups": {GROUP: {"gpuResourceName": "nvidia.com/gpu.shared"}}},
    ],
    ids=["a build of the release", "a tag of one's own", "AMD's GPUs", "Arm's processors", "shared GPUs"],
)
def test_images_of_ones_own_and_other_names_of_gpus_are_taken(render_with: Render, change: dict) -> None:
    render_with(change)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"image": {"repository": "lmsysorg/sglang"}},
            "- image.repository: models run on vLLM, and lmsysorg/sglang has",
        ),
        (
            {"models": {MODEL: {"llmConfig": {"server_cls": "engines.sglang.SGLangServer"}}}},
            f"models.{MODEL}.llmConfig.server_cls: models run on vLLM, and SGLang is not served",
        ),
    ],
    ids=["image", "class"],
)
def test_sglang_is_not_served(render_error: RenderError, change: dict, told: str) -> None:
    message = render_error(change)
    assert told in message and message.count("\n- ") == 1


def test_a_group_of_tpus_renders_with_their_toleration_and_without_gpus(render: Render) -> None:
    group = {
        "gpusPerWorker": 0,
        "resources": {"limits": {"google.com/tpu": 4}},
        "rayResources": {GROUP: 1, "accelerator_type:TPU-V6E": 1},
    }
    config = {"accelerator_type": "TPU-V6E", "accelerator_config": {"kind": "tpu", "topology": "2x4"}}
    config["placement_group_config"] = {"bundle_per_worker": {"TPU": 4, GROUP: 1}}
    rendered = render(MINIMAL | {"models": {MODEL: model(**config)}, "workerGroups": {GROUP: group}})
    assert "num-gpus" not in rendered.groups[GROUP]["rayStartParams"]
    assert {"key": "google.com/tpu", "operator": "Exists", "effect": "NoSchedule"} in rendered.pod(GROUP)["tolerations"]
