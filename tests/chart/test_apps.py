"""Code of one's own: its files reach every pod, Ray finds them, and what cannot work is refused with what to do."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import CHART, GROUP, INGRESS, MINIMAL, MODEL, Render

RenderError = Callable[..., str]
CODE = '"""A page.\n\n  Indented, with a tab\t, quotes "\' and an ü."""\n'
APP: dict[str, Any] = {
    "files": {"page.py": CODE, "words.py": "WORDS = 1\n"},
    "application": {
        "import_path": "page:build",
        "args": {"size": 3},
        "deployments": [{"name": "Page", "ray_actor_options": {"num_gpus": 1, "resources": {GROUP: 1}}}],
    },
}
ALONE = {"apps": {"pages": APP}, "workerGroups": MINIMAL["workerGroups"]}


def changed(**application: Any) -> dict[str, Any]:
    """The app beside the smallest values' model, with its application changed."""
    app = copy.deepcopy(APP)
    app["application"] |= application
    return {"apps": {"pages": app}}


def on(deployment: dict[str, Any]) -> dict[str, Any]:
    return changed(deployments=[{"name": "Page"} | deployment])


def test_an_application_is_what_the_values_say_with_its_name_route_and_files(render: Render) -> None:
    application = render(ALONE).applications["pages"]
    (deployment,) = APP["application"]["deployments"]
    assert application == APP["application"] | {
        "name": "pages",
        "route_prefix": "/inference/pages",
        "runtime_env": {"env_vars": {"PYTHONPATH": "/home/ray/apps/pages:${PYTHONPATH}"}},
        "deployments": [deployment | {"graceful_shutdown_timeout_s": 600}],
    }


@pytest.mark.parametrize(("said", "seconds"), [({}, 900), ({"graceful_shutdown_timeout_s": 0}, 0)])
def test_a_replica_of_an_app_that_leaves_has_as_long_as_a_request_may_take(
    render_with: Render, said: dict, seconds: float
) -> None:
    options = {"serving": {"config": {"http_options": {"request_timeout_s": 900}}}}
    (deployment,) = render_with(on(said) | options).applications["pages"]["deployments"]
    assert deployment["graceful_shutdown_timeout_s"] == seconds


def test_a_route_of_its_own_and_the_same_name_are_taken(render: Render) -> None:
    application = {"import_path": "a:b", "name": "pages", "route_prefix": "/p/q"}
    values = {"apps": {"pages": {"application": application}}, "workerGroups": MINIMAL["workerGroups"]}
    assert render(values).applications["pages"] == application


def test_a_path_and_variables_that_the_values_set_are_kept_behind_the_files(render_with: Render) -> None:
    runtime = {"pip": ["x"], "env_vars": {"A": "b", "PYTHONPATH": "/opt/code"}}
    found = render_with(changed(runtime_env=runtime)).applications["pages"]["runtime_env"]
    assert found == {"pip": ["x"], "env_vars": {"A": "b", "PYTHONPATH": "/home/ray/apps/pages:/opt/code"}}


@pytest.mark.parametrize("beside", [{}, {"models": MINIMAL["models"]}], ids=["alone", "beside a model"])
def test_the_files_are_mounted_on_every_pod_byte_for_byte(render: Render, beside: dict) -> None:
    rendered = render([ALONE, beside])
    (files,) = [each for each in rendered.of("ConfigMap") if each["metadata"]["name"] == "pages-app-files"]
    assert files["data"] == APP["files"]
    for name in rendered.templates:
        volume = rendered.volumes(name)["app-pages"]
        assert (volume["mountPath"], volume["readOnly"]) == ("/home/ray/apps/pages", True)
        assert volume["configMap"] == {"name": "pages-app-files"}


def test_code_in_a_configmap_of_the_cluster_is_mounted_alike(render: Render) -> None:
    app = {"configMap": "my-code", "application": APP["application"]}
    rendered = render([{"workerGroups": MINIMAL["workerGroups"]}, {"apps": {"pages": app}}])
    assert rendered.of("ConfigMap") == []
    assert rendered.volumes(GROUP)["app-pages"]["configMap"] == {"name": "my-code"}
    assert rendered.applications["pages"]["runtime_env"]["env_vars"]["PYTHONPATH"].startswith("/home/ray/apps/pages:")


def test_code_in_the_image_is_neither_mounted_nor_looked_for(render: Render) -> None:
    app = {"application": {"import_path": "a:b"}}
    rendered = render({"apps": {"pages": app}, "workerGroups": MINIMAL["workerGroups"]})
    assert "app-pages" not in rendered.volumes("head")
    assert "runtime_env" not in rendered.applications["pages"]


@pytest.mark.parametrize(
    ("change", "new_cluster"),
    [
        ({"apps": {"pages": {"files": {"page.py": "other"}}}}, True),
        ({"apps": {"pages": {"application": {"args": {"size": 4}}}}}, False),
        ({"models": {MODEL: {"llmConfig": {"engine_kwargs": {"max_model_len": 10}}}}}, False),
    ],
    ids=["code", "arguments", "a model"],
)
def test_a_changed_file_makes_a_new_cluster_and_a_changed_argument_does_not(
    render: Render, change: dict, new_cluster: bool
) -> None:
    def checksums(values: list) -> set[str]:
        rendered = render(values)
        return {each["metadata"]["annotations"]["checksum/apps"] for each in rendered.templates.values()}

    before, after = checksums([MINIMAL, ALONE]), checksums([MINIMAL, ALONE, change])
    assert len(before) == len(after) == 1
    assert (before != after) is new_cluster


def test_apps_alone_have_no_ingress_workers_and_leave_the_head_to_wake_them(render: Render) -> None:
    rendered = render(ALONE)
    assert list(rendered.groups) == [GROUP]
    assert rendered.service["excludeHeadPodFromServeSvc"] is False
    assert list(rendered.applications) == ["pages"]


def test_beside_models_the_ingress_workers_are_there_and_the_head_is_out_of_the_service(render_with: Render) -> None:
    rendered = render_with(changed())
    assert list(rendered.groups) == [INGRESS, GROUP]
    assert rendered.service["excludeHeadPodFromServeSvc"] is True
    assert list(rendered.applications) == [MODEL, "pages"]


@pytest.mark.parametrize("serving", [{"routing": "unified"}, {"path": "throughput"}], ids=["unified", "throughput"])
def test_an_app_keeps_its_route_whatever_the_models_do(render_with: Render, serving: dict) -> None:
    rendered = render_with(changed() | {"serving": serving})
    assert rendered.applications["pages"]["route_prefix"] == "/inference/pages"
    assert len(rendered.applications) == 2


REFUSED = {
    "another name": (changed(name="page"), '.application.name: it is "page", and the key is the name. Remove it'),
    "two places for its code": ({"apps": {"pages": APP | {"configMap": "x"}}}, ": its code is in `files` and in"),
    "an unknown resource": (
        on({"ray_actor_options": {"resources": {"smal": 1}}}),
        f'.application.deployments (Page): it asks for the resource "smal", which no worker group has, so it would '
        f"stay pending forever. Did you mean one of: {GROUP}? Else add workerGroups.smal",
    ),
    "an unknown resource of a bundle": (
        on({"placement_group_bundles": [{"CPU": 1}, {"GPU": 1, "smal": 1}]}),
        'it asks for the resource "smal"',
    ),
    "too many GPUs": (
        on({"ray_actor_options": {"num_gpus": 2, "resources": {GROUP: 1}}}),
        f'it asks for {{"GPU":2,"{GROUP}":1}} on one worker, which no worker group has',
    ),
    "bundles for one worker": (
        on({"placement_group_bundles": [{"GPU": 1}, {"GPU": 1}], "placement_group_strategy": "STRICT_PACK"}),
        'it asks for {"GPU":2} on one worker, which no worker group has',
    ),
    "a kind of GPU": (
        on({"ray_actor_options": {"num_gpus": 1, "accelerator_type": "L4"}}),
        'it asks for "accelerator_type:L4", which the autoscaler knows of no group',
    ),
    "replicas the wrong way round": (
        on({"autoscaling_config": {"min_replicas": 3, "max_replicas": 2}}),
        "autoscaling_config.min_replicas: 3 is more than max_replicas, 2. Raise max_replicas, or lower min_replicas",
    ),
    "a model's route": (
        changed(route_prefix=f"/inference/{MODEL}"),
        f".application.route_prefix: /inference/{MODEL} is the route of models.{MODEL} already. Choose another",
    ),
    "below a model's route": (
        changed(route_prefix=f"/inference/{MODEL}/v1"),
        f"/inference/{MODEL}/v1 would take requests of models.{MODEL}, which is at /inference/{MODEL}. Choose another",
    ),
    "the models' one route": (
        changed(route_prefix="/") | {"serving": {"routing": "unified"}},
        ".application.route_prefix: / is the route of the models already. Choose another",
    ),
    "the models' API": (
        changed(route_prefix="/llm/v1") | {"serving": {"routing": "unified", "routePrefix": "/llm"}},
        ".application.route_prefix: /llm/v1 would take requests of the models, which are at /llm/v1. Choose another",
    ),
    "a route below that of all models": (
        changed(route_prefix="/v1/pages") | {"serving": {"routing": "unified"}},
        "/v1/pages would take requests of the models, which are at /v1. Choose another",
    ),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused(render_error: RenderError, values: dict, message: str) -> None:
    text = render_error(values)
    assert "- apps.pages" in text
    assert message in text


def test_an_app_has_no_models_name(render_error: RenderError) -> None:
    message = render_error({"apps": {MODEL: {"application": {"import_path": "a:b", "route_prefix": "/a"}}}})
    assert f"apps.{MODEL}: the application of models.{MODEL} has that name. Rename the app" in message
    unified = {"apps": {"models": {"application": {"import_path": "a:b"}}}, "serving": {"routing": "unified"}}
    assert "apps.models: behind one route, the application of all models has that name" in render_error(unified)


def test_two_apps_have_two_routes(render_error: RenderError) -> None:
    second = {"application": {"import_path": "a:b", "route_prefix": "/inference/pages"}}
    message = render_error(changed() | {"apps": {"pages": APP, "second": second}})
    assert "apps.second.application.route_prefix: /inference/pages is the route of apps.pages already" in message


def test_apps_and_nothing_to_run_on(render_error: RenderError) -> None:
    assert "workerGroups: there is none for the apps to run on" in render_error({}, base={"apps": {"pages": APP}})


def test_a_gpu_where_no_group_has_one(render_error: RenderError) -> None:
    app = copy.deepcopy(APP)
    app["application"]["deployments"] = [{"name": "Page", "ray_actor_options": {"num_gpus": 1}}]
    message = render_error({}, base={"apps": {"pages": app}, "workerGroups": {"cpu-workers": {}}})
    assert "it asks for a GPU and no worker group has one, so it would stay pending forever" in message


def test_a_gpu_of_any_group(render_error: RenderError) -> None:
    groups = {"workerGroups": {GROUP: {"gpusPerWorker": 1}, "big": {"gpusPerWorker": 8}}}
    message = render_error([on({"ray_actor_options": {"num_gpus": 1}}), groups])
    assert f"it asks for a GPU of no worker group in particular, so it could land on any of big, {GROUP}" in message


def test_files_that_no_configmap_holds(render_error: RenderError) -> None:
    message = render_error({"apps": {"pages": APP | {"files": {"page.py": "x" * 1048576}}}})
    assert "apps.pages.files: they have 1048583 bytes, and a ConfigMap holds 1048576. Put the code into the" in message


def test_the_files_and_a_family_do_not_meet(render_error: RenderError) -> None:
    family = {"models": {MODEL: {"family": "pages"}}, "serving": {"appsPath": "/home/ray/models"}}
    assert '"app-pages" and "family-pages" are both mounted at /home/ray/models/pages' in render_error(
        changed() | family
    )


@pytest.mark.parametrize("key", ["route_prfix", "importpath"])
def test_helm_refuses_a_key_that_ray_would_pass_over(helm_template: Callable[..., Any], key: str) -> None:
    done = helm_template([MINIMAL, changed(**{key: "/x"})])
    assert f"additional properties '{key}' not allowed" in done.stderr


@pytest.mark.parametrize("route", ["/a/", "a", "/a//b", "/{a}", "/-/routes", ""])
def test_helm_refuses_routes_that_ray_would_not_take_or_answers_itself(
    helm_template: Callable[..., Any], route: str
) -> None:
    assert "/apps/pages/application/route_prefix" in helm_template([MINIMAL, changed(route_prefix=route)]).stderr


def test_the_scenario_for_clusters_serves_both(render: Render) -> None:
    rendered = render([CHART / "ci" / "apps-values.yaml"])
    assert list(rendered.applications) == ["falcon3-1b-instruct", "tokens"]
