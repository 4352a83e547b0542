"""A key of Ray's or vLLM's that is none here: why, or what replaced it, and never a guess that means another thing."""

from __future__ import annotations

from typing import Any

import pytest

from generator.documents.merge import merged
from generator.facts.releases import releases
from generator.facts.replaced import replaced_keys
from generator.formats.check import document_faults
from generator.formats.explain import Fault
from tests.support.pod_rules import ENVIRONMENT, below


def fault(path: str, ray: str = "2.60.0") -> Fault:
    """What is told of a key below a model's llmConfig."""
    value: Any = "x"
    for key in reversed(path.split("/")):
        value = {key: value}
    config = merged({"model_loading_config": {"model_source": "a/b"}}, value)
    config["model_loading_config"] |= {"model_source": "a/b"}
    (only,) = document_faults(
        {"ray": {"version": ray}, "models": {"m": {"family": "f", "llmConfig": config}}}, "values"
    )
    assert only.path == ("models", "m", "llmConfig", *path.split("/"))
    return only


@pytest.mark.parametrize(
    ("path", "what", "fix"),
    [
        ("engine_kwargs/task", "unknown key 'task' for Ray 2.60.0", "Say runner (pooling for"),
        ("engine_kwargs/device", "unknown key", "Remove it. vLLM runs on what its image is built for."),
        ("engine_kwargs/enable_reasoning", "unknown key", "Remove it. reasoning_parser alone turns it on."),
        ("engine_kwargs/model", "not accepted: Ray sets it from model_loading_config", "Remove it."),
        ("engine_kwargs/served_model_name", "given here, the replica fails at start", "Remove it."),
        ("engine_kwargs/swap_space", "unknown key", "Ray 2.49.1 knows it, this one does not. Remove it"),
        ("engine_kwargs/max_modle_len", "unknown key", "did you mean 'max_model_len'?"),
        ("deployment_config/ray_actor_options/num_gpus", "the engine's bundles already ask for the GPUs", "Remove it."),
        ("model_loading_config/accelerator_type", "unknown key", "It stands beside model_loading_config"),
        ("resources_per_bundle", "unknown key", "Say placement_group_config.bundle_per_worker."),
        ("experimental_configs/num_router_replicas", "unknown key", "Say serving.ingress.autoscaling_config."),
    ],
)
def test_the_reason_or_the_way_on_is_told(path: str, what: str, fix: str) -> None:
    told = fault(path)
    assert what in told.what
    assert told.fix.startswith(fix)
    assert "did you mean" not in told.fix or fix.startswith("did you mean")


def test_only_the_same_place_of_another_release_counts_as_knowing_it() -> None:
    """Another definition has the key too: `ray_actor_options` of apps have num_gpus in both releases."""
    assert "knows it" not in fault("deployment_config/ray_actor_options/num_gpus", "2.49.1").fix
    assert fault("engine_kwargs/runner", "2.49.1").fix.startswith("Ray 2.60.0 knows it, this one does not.")


def test_no_row_of_the_table_is_of_a_key_that_every_release_knows() -> None:
    engines = [release.arguments()["EngineArguments"]["properties"] for release in releases().values()]
    assert [key for key in replaced_keys()["engine_kwargs"] if all(key in engine for engine in engines)] == []


@pytest.mark.parametrize(
    ("place", "word", "instead"),
    [
        ("pods", "sidecars", "Say extraContainers, by name"),
        ("head", "sidecarContainers", "Say extraContainers, by name"),
        ("workerGroups/l4", "extraVolumeMounts", "Say a volume's mountPath, or volumeMounts by name"),
        ("", "extraManifests", "Say extraObjects, by name"),
    ],
)
def test_words_of_other_charts_for_what_people_add(place: str, word: str, instead: str) -> None:
    path = f"{place}/{word}" if place else word
    documents: list[tuple[Any, str]] = [(below(path, []), "values")]
    if not place.startswith("workerGroups"):
        documents.append(({"chart": below(path, [])} | ENVIRONMENT, "environment"))
    for data, kind in documents:
        (only,) = document_faults(data, kind)
        assert (only.what, only.fix) == (f"unknown key '{word}'", f"{instead}.")
