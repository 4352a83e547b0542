"""Every LLMConfig of a release is built by the builder of Ray's that is for it, and checked alike wherever it is."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import GROUP, INGRESS, MINIMAL, MODEL, Render, model

RenderError = Callable[..., str]
OLD_BUNDLES = {"placement_group_config": None, "resources_per_bundle": {"GPU": 1, GROUP: 1}}
ROLES = {"prefill": "kv_producer", "decode": "kv_consumer"}


def half(name: str, **engine: Any) -> dict[str, Any]:
    transfer = {"kv_connector": "NixlConnector", "kv_role": ROLES[name]}
    return {"llmConfig": model(engine_kwargs={"kv_transfer_config": transfer, **engine})["llmConfig"]}


PAIR = {"family": "falcon3", **{name: half(name) for name in ROLES}}
GROUPED = model(engine_kwargs={"data_parallel_size": 4})
BOTH = {"models": {"pair": PAIR, "grouped": GROUPED}, "workerGroups": MINIMAL["workerGroups"]}
OLD = {"ray": {"version": "2.49.1"}, "models": {MODEL: {"llmConfig": OLD_BUNDLES}}}


def app(builder: str = "build_openai_app", deployments: list[Any] | None = None, **arguments: Any) -> dict[str, Any]:
    """An app of one of Ray's builders beside the smallest values' model."""
    application = {"import_path": f"ray.serve.llm:{builder}", "args": arguments}
    return {"apps": {"own": {"application": application | ({"deployments": deployments} if deployments else {})}}}


def config(**changes: Any) -> dict[str, Any]:
    """An LLMConfig as an app has it, with its id."""
    whole = copy.deepcopy(MINIMAL["models"][MODEL]["llmConfig"]) | changes
    return whole | {"model_loading_config": {"model_id": "own", "model_source": "x/y"}}


def test_each_way_has_its_builder_its_files_and_workers_for_all_its_replicas(render: Render) -> None:
    rendered = render([BOTH, {"workerGroups": {GROUP: {"maxReplicas": 6}}}])
    files = {"prefill_config": "Prefill-pair", "decode_config": "Decode-pair", "llm_config": "grouped"}
    for name, builder in {"pair": "build_pd_openai_app", "grouped": "build_dp_openai_app"}.items():
        application = rendered.applications[name]
        assert application["import_path"] == f"ray.serve.llm:{builder}"
        options = application["args"].pop("ingress_deployment_config")
        assert options["ray_actor_options"]["resources"] == {INGRESS: 0.01}
        for key, path in application["args"].items():
            assert path == f"/home/ray/models/falcon3/{files.pop(key)}.yaml"
            delivered = rendered.files[path]
            assert delivered["model_loading_config"]["model_id"] == name
            assert delivered["deployment_config"]["graceful_shutdown_timeout_s"] == 600
    assert not files
    assert rendered.groups[GROUP]["replicas"] == 4 + 2  # ranks of the group, and the halves


def test_inline_has_the_halves_themselves(render: Render) -> None:
    alone = {"models": {"pair": PAIR}, "workerGroups": MINIMAL["workerGroups"], "serving": {"delivery": "inline"}}
    rendered = render([alone, {"serving": {"routing": "unified", "path": "throughput"}}])
    arguments = rendered.applications["models"]["args"]
    assert {name: arguments[f"{name}_config"]["engine_kwargs"] for name in ROLES} == {
        name: PAIR[name]["llmConfig"]["engine_kwargs"] for name in ROLES
    }
    assert set(arguments) == {"prefill_config", "decode_config"}


MODELS_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "halves beside a whole": (
        {"models": {MODEL: PAIR}},
        f"models.{MODEL}: it has llmConfig and prefill and decode. Give llmConfig, or prefill and decode",
    ),
    "one half": (
        {"models": {"pair": {"family": "falcon3", "prefill": half("prefill")}}},
        "models.pair: it has prefill. Give llmConfig, or prefill and decode, each with an llmConfig of its own.",
    ),
    "no connector": (
        {"models": {"pair": {**PAIR, "decode": model()}}},
        "models.pair.decode.llmConfig.engine_kwargs.kv_transfer_config: prefill hands its cache to decode",
    ),
    "a resource of no group in a half": (
        {"models": {"pair": {**PAIR, "decode": {"llmConfig": config(placement_group_config={"bundles": [{"x": 1}]})}}}},
        'models.pair.decode: it asks for the resource "x", which no worker group has',
    ),
    "one route for two builders": (
        {"models": {"pair": PAIR}, "serving": {"routing": "unified"}},
        "models.pair.prefill: Ray builds it an application of its own, which cannot be behind one route",
    ),
    "a strategy for ranks": (
        {"models": {"grouped": model(
            engine_kwargs={"data_parallel_size": 2},
            placement_group_config={"bundle_per_worker": {"GPU": 1, GROUP: 1}, "strategy": "STRICT_PACK"},
        )}},
        "models.grouped.llmConfig.placement_group_config.strategy: it is STRICT_PACK, and Ray places the 2 ranks",
    ),
    "a fixed ingress of a data parallel model": (
        {"models": {"grouped": GROUPED}, "serving": {"ingress": {"num_replicas": 2}}},
        "serving.ingress.num_replicas: build_dp_openai_app, which builds models.grouped, sets autoscaling_config",
    ),
    "a group in a release without": (
        [OLD, {"models": {MODEL: {"llmConfig": {"engine_kwargs": {"data_parallel_size": 2}}}}}],
        f"models.{MODEL}.llmConfig.engine_kwargs.data_parallel_size: it is 2, and Ray 2.49.1 builds no data parallel",
    ),
    "halves in a release without": (
        [OLD, {"models": {"pair": PAIR}}],
        "models.pair.prefill: with Ray 2.49.1 the chart disaggregates no model. Say it in llmConfig",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "message"), MODELS_REFUSED.values(), ids=MODELS_REFUSED)
def test_what_a_builder_does_not_take_of_a_model_is_refused(
    render_error: RenderError, values: Any, message: str
) -> None:
    assert f"- {message}" in render_error(values)


FIRST = "apps.own.application.args.llm_configs[0]"
THROUGHPUT = {"serving": {"path": "throughput"}}
TWO = {"workerGroups": {"other": {"gpusPerWorker": 1}}}
APPS_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a kind of GPU": (
        app(llm_configs=[config(accelerator_type="H100")]),
        f'{FIRST}: it asks for "accelerator_type:H100"',
    ),
    "a resource of no group": (
        app("build_dp_openai_app", llm_config=config(placement_group_config={"bundles": [{"GPU": 1, "far": 1}]})),
        'apps.own.application.args.llm_config: it asks for the resource "far", which no worker group has',
    ),
    "bundles without a group": (
        app(llm_configs=[config(placement_group_config={"bundle_per_worker": {"GPU": 1}})]) | TWO,
        f"{FIRST}: it asks for a GPU of no worker group in particular",
    ),
    "a number of ranks": (
        app(llm_configs=[config(engine_kwargs={"data_parallel_size": 2})]),
        f"{FIRST}.engine_kwargs.data_parallel_size: it is 2, and build_openai_app builds no data parallel group",
    ),
    "more replicas than workers": (
        app(llm_configs=[config(deployment_config={"num_replicas": 6})]),
        f"workerGroups.{GROUP}.maxReplicas: the least replicas of models and apps need 7 of its workers",
    ),
    "options over what is built": (
        app(
            "build_pd_openai_app",
            [{"name": "Decode:own", "ray_actor_options": {"num_gpus": 2}}],
            **{f"{name}_config": config(engine_kwargs=half(name)["llmConfig"]["engine_kwargs"]) for name in ROLES},
        ),
        "apps.own.application.deployments: what it says would be written over what Ray makes of "
        "apps.own.application.args.decode_config. Say it in apps.own.application.args.decode_config.deployment_config",
    ),
    "two models on the throughput path": (
        app(llm_configs=[config(), config()]) | THROUGHPUT,
        "apps.own.application.args.llm_configs: the throughput path serves one model for each",
    ),
    "an ingress on the throughput path": (
        app(llm_configs=[config()], ingress_deployment_config={"num_replicas": 1}) | THROUGHPUT,
        "apps.own.application.args.ingress_deployment_config: the throughput path has no ingress deployment",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "message"), APPS_REFUSED.values(), ids=APPS_REFUSED)
def test_an_apps_llm_config_is_checked_as_a_models(render_error: RenderError, values: Any, message: str) -> None:
    assert f"- {message}" in render_error(values)


def test_an_apps_llm_config_has_the_time_to_drain_and_its_workers_from_the_start(render_with: Render) -> None:
    quick, own = (config(deployment_config=each) for each in ({}, {"graceful_shutdown_timeout_s": 5}))
    built = app(llm_configs=["/in/the/image.yaml", quick, own | {"model_loading_config": {"model_id": "b"}}])
    rendered = render_with(built)
    found = rendered.applications["own"]["args"]["llm_configs"]
    assert found[0] == "/in/the/image.yaml"
    assert [each["deployment_config"]["graceful_shutdown_timeout_s"] for each in found[1:]] == [600, 5]
    assert rendered.groups[GROUP]["replicas"] == 3
