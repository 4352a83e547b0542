"""Catalog, environment and values files with anything in them: valid, planned and generated, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from generator.documents.files import read_text
from generator.documents.load import Origin, dump_yaml, load_text
from generator.formats.check import check_document
from generator.formats.environment import Environment
from generator.formats.read import read_catalog, read_environment
from generator.plan.plan import make_plan
from generator.project.project import Project
from generator.project.validate import validate_file
from generator.values import family_values, header
from tests.support.fuzzing import Record, fuzz, refusal_of
from tests.support.mutations import damaged, mutated
from tests.support.paths import ROOT

CATALOG = ROOT / "catalog" / "falcon-h1.yaml"
ENVIRONMENTS = ("dev", "original", "prod")
MODEL = {
    "model_loading_config": {"model_source": "a/b"},
    "placement_group_config": {"bundle_per_worker": {"GPU": 1, "small": 1}, "strategy": "PACK"},
    "deployment_config": {"autoscaling_config": {"min_replicas": 1, "max_replicas": 2}, "max_ongoing_requests": 8},
    "runtime_env": {"env_vars": {"A": "1"}},
    "engine_kwargs": {"max_model_len": 8192, "hf_overrides": {"a": 1}},
}
VALUES = {
    "ray": {"version": "2.60.0"},
    "models": {"m": {"family": "f", "llmConfig": MODEL}},
    "workerGroups": {"small": {"gpusPerWorker": 1, "resources": {"limits": {"cpu": 6, "memory": "24Gi"}}}},
    "pods": {
        "env": {"A": "1", "B": {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}},
        "volumes": {"v": {"mountPath": "/v", "emptyDir": {"sizeLimit": "1Gi"}}},
        "tolerations": [{"key": "k", "operator": "Exists"}],
    },
    "serving": {"config": {"http_options": {"port": 8000}}, "routing": "perModel"},
    "networkPolicy": {"enabled": True, "operatorNamespace": "kuberay-system"},
}


def yaml_of(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def texts(seeds: list[Any]) -> st.SearchStrategy[str]:
    """Documents as files: of changed data, and with changed characters."""
    few = mutated(seeds, most=1)  # of more changes hardly a document is left that is valid
    return few.map(yaml.safe_dump) | mutated(seeds).map(yaml.safe_dump) | damaged(list(map(yaml.safe_dump, seeds)))


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode(errors="surrogatepass"))
    return path


def generate(environment: Environment, catalog: Any) -> None:
    """Every step from the plan to the text of the values, which are valid and read as what they were."""
    plan = make_plan("fuzz", environment, catalog, where="environments/fuzz.yaml")
    for family in plan.families:
        values = family_values(plan, family)
        check_document(values, "values", Origin("values"))
        text = dump_yaml(values, header=header(plan, family, made_from=["catalog"]))
        assert load_text(text, "values") == values


def test_a_catalog_is_planned_or_refused(tmp_path: Path, record_property: Record) -> None:
    environment = read_environment(ROOT / "environments" / "dev.yaml")
    served = environment.model_copy(update={"serve": {"falcon-h1": None}})
    seed = yaml_of(CATALOG)
    seed["models"] = dict(list(seed["models"].items())[:1])

    def target(text: str) -> str:
        path = write(tmp_path / "falcon-h1.yaml", text)
        return refusal_of(lambda: generate(served, read_catalog({path: read_text(path)})))

    fuzz(texts([seed]), target, record=record_property, examples=100)


def test_an_environment_is_planned_or_refused(tmp_path: Path, record_property: Record) -> None:
    catalog = Project.at(ROOT).catalog()
    seeds = [yaml_of(ROOT / "environments" / f"{name}.yaml") for name in ENVIRONMENTS]

    def target(text: str) -> str:
        path = write(tmp_path / "fuzz.yaml", text)
        return refusal_of(lambda: generate(read_environment(path), catalog))

    fuzz(texts(seeds), target, record=record_property, examples=100)


def test_values_are_valid_or_refused(tmp_path: Path, record_property: Record) -> None:
    def target(text: str) -> str:
        return refusal_of(lambda: validate_file(write(tmp_path / "values.yaml", text)))

    fuzz(texts([VALUES]), target, record=record_property)
