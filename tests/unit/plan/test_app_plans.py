"""Code of one's own in an environment: its place in the plan, its values, a message for everything that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.cli.plan_report import plan_json, plan_lines
from generator.documents.load import Origin, dump_yaml, load_text
from generator.errors import UserError
from generator.formats.check import check_document
from generator.formats.read import read_environment
from generator.plan.plan import Plan, make_plan
from generator.project.project import Project
from generator.values import app_values, has_header, header
from tests.support.builders import catalog, environment, model
from tests.support.paths import ROOT

L4 = {"gpu": "L4-24GB", "nodes": 10}
IN_PLACE = {"serving": {"delivery": "inline"}}
H100 = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": 1, "cpusPerNode": 80, "memoryPerNode": "800Gi"}
CPUS = {"nodes": 1, "cpusPerNode": 4, "memoryPerNode": "32Gi"}
APP: dict[str, Any] = {"deployment": "Answers", "application": {"import_path": "code:build", "args": {"a": 1}}}


def plan(pools: dict[str, Any], *, models: dict[str, Any] | None = None, **fields: Any) -> Plan:
    served = environment(pools, serve={"family": {}} if models else {}, **{"apps": {"mine": APP}, **fields})
    known = catalog(family=models) if models else catalog()
    return make_plan("test", served, known, where="environments/test.yaml")


def app(pools: dict[str, Any], **own: Any) -> dict[str, Any]:
    found = app_values(plan(pools, apps={"mine": {**APP, **own}}), "mine", {"code.py": "x = 1\n"})
    check_document(found, "values", Origin("values/test/mine.yaml"))
    assert load_text(dump_yaml(found), "values/test/mine.yaml") == found
    return found["apps"]["mine"]


def deployment(pools: dict[str, Any], **own: Any) -> dict[str, Any]:
    (found,) = app(pools, **own)["application"]["deployments"]
    return found


def test_an_apps_values_have_its_code_its_application_and_every_pool():
    found = app_values(plan({"small": L4, "big": H100}, apps={"mine": {**APP, "pool": "big"}}), "mine", {"a.py": "x\n"})
    assert found["apps"]["mine"]["files"] == {"a.py": "x\n"}
    assert found["apps"]["mine"]["application"]["args"] == {"a": 1}
    assert list(found["workerGroups"]) == ["small", "big"]
    assert "models" not in found


def test_a_replica_takes_its_gpus_and_the_pools_name_itself():
    found = deployment({"big": H100}, gpus=4, pool="big")
    assert found["ray_actor_options"] == {"num_gpus": 4, "num_cpus": 39, "resources": {"big": 4}}


def test_a_replica_on_a_cpu_pool_takes_cpus():
    found = deployment({"cpus": CPUS}, gpus=2)
    assert found["ray_actor_options"] == {"num_cpus": 2, "resources": {"cpus": 2}}


def test_scaling_follows_the_sequences_as_a_models_does():
    found = deployment({"small": L4}, sequences=10, replicas={"min": 0, "max": 3})
    assert found["autoscaling_config"] == {"min_replicas": 0, "max_replicas": 3, "target_ongoing_requests": 8}
    assert found["max_ongoing_requests"] == 20


@pytest.mark.parametrize(("nodes", "ray", "surges"), [(1, "2.60.0", False), (2, "2.60.0", True), (2, "2.49.1", False)])
def test_an_update_surges_where_there_is_a_spare_slot_and_the_release_can(nodes, ray, surges):
    decided = plan({"small": {**L4, "nodes": nodes}}, ray=ray, chart=IN_PLACE)
    (found,) = app_values(decided, "mine", {})["apps"]["mine"]["application"]["deployments"]
    assert ("max_surge_percent" in found) is surges
    assert any(str(note).startswith("mine: pool small has no room") for note in decided.warnings) is (nodes == 1)


def test_rays_own_words_win_last_and_other_deployments_stay():
    own = [{"name": "Front", "num_replicas": 2}, {"name": "Answers", "max_ongoing_requests": 7}]
    found = app({"small": L4}, application={"import_path": "code:build", "deployments": own})["application"]
    assert [one["name"] for one in found["deployments"]] == ["Answers", "Front"]
    assert found["deployments"][0]["max_ongoing_requests"] == 7
    assert found["deployments"][0]["ray_actor_options"]["num_gpus"] == 1
    assert found["deployments"][1] == own[0]


@pytest.mark.parametrize(
    ("own", "key"), [({"configMap": "code"}, "configMap"), ({}, None)], ids=["a ConfigMap", "image"]
)
def test_code_that_is_elsewhere_is_named_or_left_out(own, key):
    found = app_values(plan({"small": L4}, apps={"mine": {**APP, **own}}), "mine", {})["apps"]["mine"]
    assert set(found) == {"application"} | ({key} if key else set())


def test_pools_hold_models_and_apps_together():
    decided = plan({"small": {**L4, "nodes": 3}}, models={"m": model()}, apps={"mine": {**APP, "gpus": 1}})
    assert (decided.pools["small"].workers_min, decided.pools["small"].workers_peak) == (2, 4)
    assert decided.models["m"].surge
    with pytest.raises(UserError, match=r"cannot hold its models at minimum: 2 worker pods .*m 1 x 1, mine 1 x 1"):
        plan({"small": {**L4, "nodes": 1}}, models={"m": model()})


def test_a_model_goes_elsewhere_when_an_app_has_taken_its_pool():
    decided = plan(
        {"small": {**L4, "nodes": 1}, "big": H100}, models={"m": model()}, apps={"mine": {**APP, "pool": "small"}}
    )
    assert decided.models["m"].placement.node_pool.name == "big"


def test_worker_pods_are_as_wide_as_the_widest_app():
    assert plan({"big": H100}, apps={"mine": {**APP, "gpus": 3}}).pools["big"].slots_per_worker == 4


def test_the_report_names_apps_in_words_and_as_json():
    decided = plan({"small": L4})
    lines = [line.strip() for line, _ in plan_lines(decided)]
    assert "mine  app, 1 x L4-24GB on small; 64 sequences; replicas 1 to 1" in lines
    assert plan_json(decided)["apps"]["mine"] == {
        "pool": "small", "gpu": "L4-24GB", "gpus": 1, "max_num_seqs": 64,
        "min_replicas": 1, "max_replicas": 1, "surge": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("own", "pools", "message"),
    [
        ({}, {"small": L4, "big": H100}, "apps.mine: 'pool' is missing\n  Add `pool:`, one of: small, big."),
        ({"pool": "smal"}, {"small": L4}, "apps.mine.pool: unknown pool 'smal'\n  did you mean 'small'?"),
        ({"gpus": 2}, {"small": L4}, "a replica of 2 GPUs fits on no node of pool 'small', which has 1"),
        (
            {"application": {"import_path": "ray.serve.llm.build_pd_openai_app"}},
            {"small": L4},
            "apps.mine.application.import_path: build_pd_openai_app builds models, and `deployment` and `gpus` would",
        ),
        ({"gpus": 5}, {"cpus": CPUS}, "a replica of 5 CPUs fits on no node of pool 'cpus', which has 4"),
    ],
    ids=["no pool", "an unknown pool", "too many GPUs", "a builder of Ray's", "too many CPUs"],
)
def test_a_place_that_cannot_be_is_refused(own, pools, message):
    with pytest.raises(UserError) as refused:
        plan(pools, apps={"mine": {**APP, **own}})
    assert message in str(refused.value)


def test_a_models_name_is_no_apps():
    with pytest.raises(UserError, match="model 'm' is served too, and Ray's applications go by these names"):
        plan({"small": L4}, models={"m": model()}, apps={"m": APP})


ENVIRONMENT = """\
namespace: ai
ray: 2.60.0
pools: {small: {gpu: L4-24GB, nodes: 2}}
apps:
  mine:
    files: [code.py]
    deployment: Answers
    application: {import_path: "code:build"}
"""
WRONG = {
    "a family's name": ("apps:", "serve: {mine: }\napps:", "family and app 'mine' would have the same values file"),
    "two places": (
        "files: [code.py]",
        "files: [code.py]\n    configMap: x",
        "has its code in `files` and in `configMap`",
    ),
    "no deployment": ("    deployment: Answers\n", "", "'deployment' is missing"),
    "an unknown word": ("deployment:", "deploymnt:", "unknown key 'deploymnt'\n  did you mean 'deployment'?"),
    "no import path": ('{import_path: "code:build"}', "{args: {}}", "'import_path' is missing"),
    "a key of nobody": ("{import_path:", "{route_prefx: /a, import_path:", "unknown key 'route_prefx' for Ray 2.60.0"),
    "a misspelt option": (
        '"code:build"}',
        '"code:build", deployments: [{name: Answers, max_ongoing_request: 1}]}',
        "did you mean 'max_ongoing_requests'?",
    ),
    "a route that ends in a slash": ('"code:build"}', '"code:build", route_prefix: /a/}', "'/a/' has characters"),
    "apps as values": ("apps:\n", "chart: {apps: {}}\napps:\n", "unknown key 'apps'"),
}


@pytest.mark.parametrize(("old", "new", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_environment_is_told_in_words(tmp_path: Path, old: str, new: str, message: str):
    assert old in ENVIRONMENT
    path = tmp_path / "test.yaml"
    path.write_text(ENVIRONMENT.replace(old, new))
    with pytest.raises(UserError) as refused:
        read_environment(path)
    assert message in str(refused.value)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for folder in ("catalog", "environments", "code"):
        (tmp_path / folder).mkdir()
    (tmp_path / "catalog" / "falcon3.yaml").write_text((ROOT / "catalog" / "falcon3.yaml").read_text())
    (tmp_path / "environments" / "test.yaml").write_text(ENVIRONMENT)
    (tmp_path / "code.py").write_text("x = 1\n")
    return Project(root=tmp_path)


def test_an_apps_values_file_says_whose_it_is_and_is_removed_with_it(project: Project):
    found = project.generated_values(["test"])
    (path,) = found.texts
    text = found.texts[path]
    assert path == project.values_path("test", "mine")
    assert "for app mine. What is written here is lost.\n# Made from environments/test.yaml and code.py: edit" in text
    assert has_header(text, "test", "mine")
    assert not has_header(text, "test", "other")
    assert "      code.py: |\n        x = 1\n" in text

    path.parent.mkdir(parents=True)
    path.write_text(text)
    project.environment_path("test").write_text(ENVIRONMENT.replace("  mine:", "  other:"))
    assert project.generated_values(["test"]).stale == [path]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["cod.py"], "apps.mine.files: 'cod.py': no such file\n  did you mean 'code.py'?"),
        (["code.py", "code/code.py"], "'code.py' is there twice"),
        (["/etc/passwd"], "'/etc/passwd' is no path in this project"),
        (["../code.py"], "'../code.py' is no path in this project"),
        (["bytes.py"], "'bytes.py': not UTF-8 text"),
    ],
    ids=["missing", "the same name", "absolute", "outside", "no text"],
)
def test_a_file_that_cannot_be_delivered_is_named(project: Project, files: list[str], message: str):
    (project.root / "code" / "code.py").write_text("")
    (project.root / "bytes.py").write_bytes(b"\xff")
    changed = ENVIRONMENT.replace("[code.py]", f"[{', '.join(files)}]")
    project.environment_path("test").write_text(changed)
    with pytest.raises(UserError) as refused:
        project.generated_values(["test"])
    assert message in str(refused.value)


def test_a_note_on_an_app_is_in_its_own_header():
    decided = plan({"small": {**L4, "nodes": 2}}, models={"m": model()}, chart=IN_PLACE)
    assert "Note: mine: pool small has no room" in header(decided, "mine", made_from=["environments/test.yaml"])
    assert "mine" not in header(decided, "family", made_from=["catalog/a.yaml", "environments/test.yaml"])
