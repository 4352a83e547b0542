"""The examples for Argo CD and Flux: objects that both take, over files that a project has."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, LOADER, program
from tests.support.paths import ROOT
from tests.support.waiting import HANGS_S
from tools.kubernetes_schemas import crd_schemas

EXAMPLES = ROOT / "examples" / "gitops"
OBJECTS = {
    f"{path.parent.name}/{path.name}": path
    for path in sorted(EXAMPLES.glob("*/**/*.yaml"))
    if path.name not in ("kustomization.yaml", "names.yaml")
}
VERSION = yaml.load((CHART / "Chart.yaml").read_text(encoding="utf-8"), LOADER)["version"]


@pytest.fixture(scope="module")
def gitops_schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folders = os.environ.get("GITOPS_CRDS")
    if not folders:
        pytest.fail("GITOPS_CRDS (folders with CRDs, separated by ':') is not set: run `make chart`", pytrace=False)
    out = tmp_path_factory.mktemp("gitops")
    for folder in folders.split(os.pathsep):
        for name, schema in crd_schemas(Path(folder)).items():
            (out / name).write_text(json.dumps(schema), encoding="utf-8")
    return out


def judged(text: str, schemas: Path) -> list[tuple[str, str]]:
    """The kind of every object and what kubeconform says of it, in one run: Argo CD's schemas are large."""
    location = f"{schemas}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
    command = [program("KUBECONFORM", "kubeconform"), "-strict", "-verbose", "-output", "json"]
    command += ["-n", "1", "-schema-location", location]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=HANGS_S, check=False)
    return [(each["kind"], each["status"]) for each in json.loads(done.stdout)["resources"]]


def objects(name: str) -> list[dict[str, Any]]:
    return list(yaml.load_all(OBJECTS[name].read_text(encoding="utf-8"), LOADER))


def test_argo_cd_and_flux_know_every_field_and_no_other(gitops_schemas: Path) -> None:
    text = "---\n".join(path.read_text(encoding="utf-8") for path in OBJECTS.values())
    wrong = text.replace("valueFiles:", "valuesFiles:").replace("chartRef:", "chartsRef:").replace("ref: {", "refs: {")

    told = judged(f"{text}\n---\n{wrong}", gitops_schemas)

    kinds = ["Application", "ApplicationSet", "HelmRelease", "OCIRepository"]
    assert sorted(told) == sorted((kind, status) for kind in kinds for status in ("statusInvalid", "statusValid"))


@pytest.mark.parametrize("name", ["argo-cd/application.yaml", "argo-cd/applicationset.yaml"])
def test_argo_cd_renders_the_values_of_an_environment_with_this_chart(name: str) -> None:
    (found,) = objects(name)
    spec = found["spec"].get("template", found)["spec"]
    chart, project = spec["sources"]
    assert (chart["chart"], chart["targetRevision"]) == ("ray-serve-llm", VERSION)
    (pattern,) = chart["helm"]["valueFiles"]
    inside = pattern.removeprefix(f"${project['ref']}/").replace("{{ .path.path }}", "values/dev")
    assert sorted(ROOT.glob(inside)) == sorted((ROOT / "values" / "dev").iterdir())


def test_flux_reads_every_values_file_of_the_environment_from_one_config_map() -> None:
    chart, release = objects("dev/release.yaml")
    folder = OBJECTS["dev/release.yaml"].parent
    made = yaml.load((folder / "kustomization.yaml").read_text(encoding="utf-8"), LOADER)
    (config_map,) = made["configMapGenerator"]
    assert chart["spec"]["ref"]["tag"] == VERSION
    assert release["spec"]["chartRef"]["name"] == chart["metadata"]["name"]
    assert [(each["name"], each["valuesKey"]) for each in release["spec"]["valuesFrom"]] == [
        (config_map["name"], Path(file).name) for file in config_map["files"]
    ]
    # In a project the folder is flux/dev.
    files = {(ROOT / "flux" / "dev" / file).resolve() for file in config_map["files"]}
    assert files == set((ROOT / "values" / "dev").iterdir())


READY = {"type": "Ready", "status": "True", "message": "3 endpoints"}
UPGRADE = {"type": "UpgradeInProgress", "status": "True"}
LOADS = {"falcon3": {"status": "RUNNING"}, "falcon-h1": {"status": "DEPLOYING"}}
FAILED = {"falcon3": {"status": "DEPLOY_FAILED", "message": "ValueError: no such argument"}}


@pytest.mark.parametrize(
    ("status", "health", "message"),
    [
        (None, "Progressing", "waiting for KubeRay"),
        ({"observedGeneration": 1, "conditions": [READY]}, "Progressing", "waiting for KubeRay"),
        ({"observedGeneration": 2, "conditions": [READY]}, "Healthy", "3 endpoints"),
        ({"observedGeneration": 2, "conditions": [READY, UPGRADE]}, "Progressing", "a second cluster comes up"),
        ({"observedGeneration": 2, "conditions": [{**READY, "status": "False"}]}, "Progressing", "3 endpoints"),
        (
            {"observedGeneration": 2, "conditions": [READY], "activeServiceStatus": {"applicationStatuses": LOADS}},
            "Progressing",
            "falcon-h1 is DEPLOYING",
        ),
        (
            {"observedGeneration": 2, "conditions": [READY], "pendingServiceStatus": {"applicationStatuses": FAILED}},
            "Degraded",
            "falcon3 is DEPLOY_FAILED: ValueError: no such argument",
        ),
    ],
)
def test_argo_cds_health_of_a_release(tmp_path: Path, status: dict[str, Any], health: str, message: str) -> None:
    script = (EXAMPLES / "argo-cd" / "rayservice-health.lua").read_text(encoding="utf-8")
    obj = {"metadata": {"generation": 2}, "status": status}
    path = tmp_path / "run.lua"
    path.write_text(f"obj = {lua(obj)}\nhs = (function()\n{script}\nend)()\nprint(hs.status)\nprint(hs.message)\n")
    done = subprocess.run(
        [program("GLUA", "glua"), str(path)], capture_output=True, text=True, timeout=HANGS_S, check=False
    )
    said = done.stdout.splitlines()
    assert said[0] == health, done.stdout + done.stderr
    assert said[1].startswith(message)


def lua(value: Any) -> str:
    """The same value as Lua writes it; None leaves its key out."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{json.dumps(key)}] = {lua(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(lua, value)) + "}"
    return "nil" if value is None else json.dumps(value)
