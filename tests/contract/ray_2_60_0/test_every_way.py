"""Ray 2.60.0's own builders make the fleet that uses every way of serving."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve.llm import LLMConfig
from ray.serve.schema import ServeDeploySchema
from vllm.engine.arg_utils import AsyncEngineArgs

from tests.contract.rendered import Case, Rendered, deployment_names, ignored_keys, render_case
from tests.support.every_way import MODELS, every_way
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    values = tuple(every_way(tmp_path_factory.mktemp("ways")).values)
    return render_case(Case("every way", values, {}), tmp_path_factory.mktemp("files"))


def test_ray_serve_reads_every_key_of_the_applications(rendered: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(
        ROOT / "chart" / "files"
    )  # Ray imports the schedule's policy, as pods do from their files

    ServeDeploySchema.model_validate(rendered.serve_config)

    assert ignored_keys(rendered.serve_config, ServeDeploySchema) == []


def read(entry: Any) -> dict[str, Any]:
    """An LLMConfig of an application's args, which may be a file."""
    found: dict[str, Any] = yaml.safe_load(Path(entry).read_text(encoding="utf-8")) if isinstance(entry, str) else entry
    return found


@pytest.mark.parametrize("model_id", MODELS)
def test_its_builder_makes_the_application_and_vllm_takes_the_arguments(rendered: Rendered, model_id: str) -> None:
    (application,) = (each for each in rendered.serve_config["applications"] if each["name"] == model_id)
    module, _, builder = application["import_path"].partition(":")

    built = deployment_names(getattr(import_module(module), builder)(application["args"]))

    assert {deployment["name"] for deployment in application.get("deployments", [])} <= built
    for entries in application["args"].values():
        for entry in entries if isinstance(entries, list) else [entries]:
            AsyncEngineArgs(**LLMConfig.model_validate(read(entry)).get_engine_config().get_initialization_kwargs())
