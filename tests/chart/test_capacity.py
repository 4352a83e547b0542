"""Replicas that are always there, and one of each that may sleep, find room on what the groups may have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chart.rendering import GROUP, MODEL, Render, Values, model

RenderError = Callable[..., str]
WHERE = f"workerGroups.{GROUP}.maxReplicas"


def least(replicas: int, **llm_config: Any) -> Values:
    scaling = {"min_replicas": replicas, "max_replicas": max(replicas, 1), "target_ongoing_requests": 5}
    return model(deployment_config={"autoscaling_config": scaling}, **llm_config)


def group(**settings: Any) -> Values:
    return {"workerGroups": {GROUP: settings}}


def split(**engine: int) -> Values:
    return {"engine_kwargs": engine}


def placed(bundle: Values, **more: Any) -> Values:
    return {"placement_group_config": {"bundle_per_worker": bundle, **more}}


def test_more_replicas_than_there_may_be_workers(render_error: RenderError, render_with: Render) -> None:
    message = render_error({"models": {MODEL: least(9)}})
    assert f"{WHERE}: the least replicas of models and apps need 9 of its workers (9 times " in message
    assert "and there may be 5. Set it to 9 or more, or lower min_replicas" in message
    render_with({"models": {MODEL: least(9)}, **group(maxReplicas=9)})


def test_more_models_than_there_may_be_workers(render_error: RenderError, render_with: Render) -> None:
    models = {"models": {f"model-{number}": model() for number in range(3)}}
    assert f"{WHERE}: the least replicas of models and apps need 4" in render_error(models | group(maxReplicas=1))
    render_with(models | group(maxReplicas=4))
    render_with(models | group(maxReplicas=1, gpusPerWorker=4))


@pytest.mark.parametrize("replicas", [0, 1])
def test_one_replica_wider_than_its_group(render_error: RenderError, render_with: Render, replicas: int) -> None:
    wide = {"models": {MODEL: least(replicas, **split(tensor_parallel_size=8))}}
    message = render_error(wide)
    assert f"models.{MODEL}: one replica needs 8 workers of {GROUP}" in message
    assert f"and there may be 5. Set {WHERE} to 8 or more" in message
    render_with(wide | group(maxReplicas=8))
    render_with(wide | group(maxReplicas=2, gpusPerWorker=4))


def test_ranks_of_data_parallelism_are_there_together(render_error: RenderError) -> None:
    ranks = {"models": {MODEL: least(0, **split(data_parallel_size=6))}}
    assert f"models.{MODEL}: one replica needs 6 workers of {GROUP}" in render_error(ranks)


def test_cpus_are_counted_where_the_group_is_sure(render_error: RenderError, render_with: Render) -> None:
    """Two replicas of four CPUs do not share a worker of six, though its GPU has room for both."""
    half = {**placed({"GPU": 0.5, GROUP: 0.5}), "deployment_config": {"ray_actor_options": {"num_cpus": 4}}}
    two = {"models": {MODEL: model(**half), "second": model(**half)}}
    assert f"{WHERE}: the least replicas of models and apps need 2" in render_error(two | group(maxReplicas=1))
    render_with(two | group(maxReplicas=2))


def test_tenths_are_summed_without_error(render_error: RenderError, render_with: Render) -> None:
    tenth = placed({"GPU": 0.1, GROUP: 0.1})

    def models(number: int) -> Values:
        cpus = {"deployment_config": {"ray_actor_options": {"num_cpus": 0.1}}}
        each = {f"model-{index}": model(**tenth, **cpus) for index in range(number)}
        return {"models": {MODEL: model(**tenth, **cpus), **each}, **group(maxReplicas=1)}

    render_with(models(9))
    assert f"{WHERE}: the least replicas of models and apps need 2" in render_error(models(10))


def test_replicas_that_may_land_anywhere_find_room_on_all_groups(render_error: RenderError) -> None:
    anywhere = {f"model-{number}": model(**placed({"any": 1, "GPU": 1})) for number in range(4)}
    groups = {"workerGroups": {name: {"gpusPerWorker": 1, "rayResources": {name: 1, "any": 1}} for name in ("a", "b")}}
    message = render_error({"models": anywhere, **groups}, base={})
    assert (
        "workerGroups: the least replicas of models and apps need 4 GPU, and all groups together may have 2" in message
    )
    assert "Raise the groups' maxReplicas, or lower min_replicas" in message


def test_the_replicas_of_apps_count_too(render_error: RenderError) -> None:
    own = {"name": "Own", "num_replicas": 5, "ray_actor_options": {"num_gpus": 1, "resources": {GROUP: 1}}}
    apps = {"apps": {"own": {"application": {"import_path": "code:build", "deployments": [own]}}}}
    assert f"{WHERE}: the least replicas of models and apps need 6" in render_error(apps)


def test_an_engine_on_more_workers_than_any_is(render_error: RenderError, helm_template: Callable) -> None:
    """Its bundles are not even listed: that took minutes."""
    message = render_error({"models": {MODEL: model(**split(tensor_parallel_size=1024, pipeline_parallel_size=1024))}})
    assert f"models.{MODEL}.llmConfig.engine_kwargs: tensor_parallel_size" in message
    assert "pipeline_parallel_size is 1048576" in message
    assert "no engine runs on more than 1024. Lower one of them" in message
    render_error({"models": {MODEL: model(**split(tensor_parallel_size=10**9))}})


def whole(*sizes: int) -> Values:
    """A model for each size, each with so many GPUs on one worker."""
    strict = placed({"GPU": 1, GROUP: 1}, strategy="STRICT_PACK")
    models = {
        f"model-{number}": model(**strict, **split(tensor_parallel_size=size)) for number, size in enumerate(sizes)
    }
    return {"models": models}


@pytest.mark.parametrize(
    ("sizes", "workers", "why"),
    [
        ((3, 3, 2), 3, "(1 times 2 GPU, 2 times 3 GPU, each whole on one worker, which has 4 GPU)"),
        ((4, 4, 1), 3, "(9 GPU, of which a worker has 4)"),
    ],
)
def test_replicas_that_are_whole_on_a_worker_leave_room_that_no_other_takes(
    render_error: RenderError, render: Render, sizes: tuple[int, ...], workers: int, why: str
) -> None:
    message = render_error([whole(*sizes), group(gpusPerWorker=4, maxReplicas=2)], base={})
    assert f"{WHERE}: the least replicas of models and apps need {workers} of its workers {why}" in message
    render([whole(*sizes), group(gpusPerWorker=4, maxReplicas=workers)])


@pytest.mark.parametrize("sizes", [(3, 3, 1, 1), (2, 2, 2, 2), (4, 1, 1, 1, 1)])
def test_what_can_be_packed_is_never_refused(render: Render, sizes: tuple[int, ...]) -> None:
    render([whole(*sizes), group(gpusPerWorker=4, maxReplicas=2)])


def apps(**deployment: Any) -> Values:
    """Two deployments on one worker of one GPU."""
    both = [{"name": name, **deployment} for name in ("One", "Two")]
    own = {"own": {"application": {"import_path": "code:build", "deployments": both}}}
    return {"apps": own, **group(gpusPerWorker=1)}


def test_a_deployment_that_says_no_number_is_one_replica(render_error: RenderError, render: Render) -> None:
    on_gpu = {"ray_actor_options": {"num_gpus": 1}}
    assert f"{WHERE}: the least replicas of models and apps need 2" in render_error(apps(**on_gpu), base={})
    render(apps(**on_gpu, autoscaling_config={"min_replicas": 0}))
    render([apps(**on_gpu), group(maxReplicas=2)])


def test_memory_is_compared_with_what_a_worker_has(render_error: RenderError, render_with: Render) -> None:
    actor = {"deployment_config": {"ray_actor_options": {"memory": 10**12}}}
    for values in (actor, placed({"GPU": 1, GROUP: 1, "memory": 10**12})):
        message = render_error({"models": {MODEL: model(**values)}})
        assert f"models.{MODEL}: it asks for " in message
        assert '"memory":1000000000000' in message
        assert "on one worker, which no worker group has" in message
    large = {"resources": {"limits": {"cpu": 6, "memory": "1Ti"}}}
    render_with({"models": {MODEL: model(**actor)}, **group(**large)})
    ingress = {"serving": {"ingress": {"ray_actor_options": {"memory": 10**12}}}}
    assert "an ingress asks for 1000000000000 bytes of memory and an ingress worker has 6442450944" in render_error(
        ingress
    )


def test_memory_is_summed_to_the_byte(render_error: RenderError, render: Render) -> None:
    half = 12 * 2**30
    render(apps(ray_actor_options={"memory": half}))
    message = render_error(apps(ray_actor_options={"memory": half + 1}), base={})
    assert f"{WHERE}: the least replicas of models and apps need 2" in message


def test_replicas_to_start_with_find_room_too(render_error: RenderError) -> None:
    scaling = {"min_replicas": 1, "initial_replicas": 9, "max_replicas": 9, "target_ongoing_requests": 5}
    many = {"models": {MODEL: model(deployment_config={"autoscaling_config": scaling})}}
    message = render_error(many)
    assert f"{WHERE}: the least replicas of models and apps need 9 of its workers" in message
    assert "or lower min_replicas (and initial_replicas, which Ray starts with)" in message


def of_four(strategy: str) -> Values:
    bundles = placed({"GPU": 1, GROUP: 1}, strategy=strategy)
    return {"models": {MODEL: model(**bundles, **split(tensor_parallel_size=4))}}


def test_bundles_that_may_not_share_a_worker(render_error: RenderError, render_with: Render) -> None:
    two = group(gpusPerWorker=2, maxReplicas=2)
    message = render_error(of_four("STRICT_SPREAD") | two)
    assert f"models.{MODEL}: with STRICT_SPREAD each of 4 bundles of a replica has a worker of its own, " in message
    assert f"and there may be 2 ({GROUP}). Set {WHERE} to 4 or more, or the strategy to SPREAD or PACK" in message
    for strategy in ("SPREAD", "PACK"):
        render_with(of_four(strategy) | two)
    render_with(of_four("STRICT_SPREAD") | group(gpusPerWorker=2, maxReplicas=4))


def test_bundles_of_an_app_that_may_share_none_of_two_groups(render_error: RenderError, render_with: Render) -> None:
    deployment = {
        "name": "Own",
        "ray_actor_options": {"num_cpus": 1},
        "placement_group_bundles": [{"CPU": 1}, {"CPU": 1}, {"CPU": 1}, {"CPU": 1, "two": 1}],
        "placement_group_strategy": "STRICT_SPREAD",
    }
    app = {"apps": {"own": {"application": {"import_path": "own:app", "deployments": [deployment]}}}}
    groups = {"workerGroups": {GROUP: {"maxReplicas": 2}, "two": {"maxReplicas": 1}}}
    message = render_error(app | groups)
    assert "with STRICT_SPREAD each of 4 bundles of a replica has a worker of its own, and there may be 3" in message
    assert f"({GROUP}, two). Set {WHERE} to 1 more" in message
    render_with(app | {"workerGroups": {GROUP: {"maxReplicas": 3}, "two": {"maxReplicas": 1}}})
