"""What helm renders, as parsed objects, and the smallest values that serve a model."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.chart import render
from tests.support.paths import ROOT

CHART = ROOT / "chart"
VALUES = ROOT / "tests" / "chart" / "values"
Values = dict[str, Any]
Manifest = dict[str, Any]
LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MODEL = "falcon3-1b-instruct"
GROUP = "small-model-workers"
INGRESS = "ingress-workers"
POLICY = {"enabled": True, "operatorNamespace": "kuberay-system"}
MINIMAL: Values = {
    "models": {
        MODEL: {
            "family": "falcon3",
            "llmConfig": {
                "model_loading_config": {"model_source": "tiiuae/Falcon3-1B-Instruct"},
                "placement_group_config": {"bundle_per_worker": {"GPU": 1, GROUP: 1}},
            },
        }
    },
    "workerGroups": {GROUP: {"gpusPerWorker": 1, "maxReplicas": 5}},
}


def program(variable: str, name: str) -> str:
    """The program that the environment variable names, else the one on PATH; without it a test fails."""
    found = shutil.which(os.environ.get(variable) or name)
    if found is None:
        pytest.fail(f"{name} is not there: run `make chart`, or set {variable} to its path", pytrace=False)
    return found


def crd_folders() -> dict[str, Path]:
    """KubeRay versions and the folders of their CRDs, from KUBERAY_CRDS: `<version>=<folder>`, separated as in PATH."""
    pairs = [part.partition("=") for part in os.environ.get("KUBERAY_CRDS", "").split(os.pathsep) if part]
    return {version: Path(folder) for version, _, folder in pairs}


def parse(text: str) -> Any:
    return yaml.load(text, LOADER)


def model(family: str = "falcon3", /, **llm_config: Any) -> Values:
    """A model on GROUP, with more of its LLMConfig."""
    base = copy.deepcopy(MINIMAL["models"][MODEL])
    return {"family": family, "llmConfig": base["llmConfig"] | llm_config}


@dataclasses.dataclass(frozen=True)
class Rendered:
    """The objects of one release, as a cluster would get them."""

    text: str
    objects: list[Manifest]
    hooks: list[Manifest]

    def of(self, kind: str) -> list[Manifest]:
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str) -> Manifest:
        (found,) = self.of(kind)
        return found

    def named(self, kind: str, name: str) -> Manifest:
        (found,) = (each for each in self.of(kind) if each["metadata"]["name"] == name)
        return found

    @property
    def test_pod(self) -> Manifest:
        """The pod that `helm test` runs."""
        (found,) = (each for each in self.hooks if each["kind"] == "Pod")
        return found

    @property
    def service(self) -> Manifest:
        return self.one("RayService")["spec"]

    @property
    def cluster(self) -> Manifest:
        return self.service["rayClusterConfig"]

    @property
    def serve_config(self) -> Manifest:
        return parse(self.service["serveConfigV2"])

    @property
    def applications(self) -> dict[str, Manifest]:
        return {each["name"]: each for each in self.serve_config["applications"]}

    @property
    def groups(self) -> dict[str, Manifest]:
        return {each["groupName"]: each for each in self.cluster["workerGroupSpecs"]}

    @property
    def templates(self) -> dict[str, Manifest]:
        """The pod template of the head and of every worker group."""
        head = {"head": self.cluster["headGroupSpec"]["template"]}
        return head | {name: group["template"] for name, group in self.groups.items()}

    def pod(self, name: str) -> Manifest:
        return self.templates[name]["spec"]

    def container(self, name: str) -> Manifest:
        """Ray's, which is the first of its pod."""
        container: Manifest = self.pod(name)["containers"][0]
        return container

    def env(self, name: str) -> dict[str, Any]:
        return {each["name"]: each.get("value", each.get("valueFrom")) for each in self.container(name).get("env", [])}

    def volumes(self, name: str) -> dict[str, Manifest]:
        """Each volume of a pod's container: its source and how it is mounted."""
        # The token of Kubernetes, which the autoscaler alone mounts, is no volume of the container.
        sources = {each["name"]: each for each in self.pod(name).get("volumes", []) if each["name"] != "kubernetes-api"}
        mounts = {each["name"]: each for each in self.container(name).get("volumeMounts", [])}
        assert sources.keys() == mounts.keys()
        return {key: sources[key] | mounts[key] for key in sources}

    @property
    def files(self) -> dict[str, Manifest]:
        """The models' files, parsed, by the path at which Ray reads them."""
        return {
            f"/home/ray/models/{each['metadata']['name'].removesuffix('-family-config')}/{name}": parse(text)
            for each in self.of("ConfigMap")
            if each["metadata"]["name"].endswith("-family-config")
            for name, text in each["data"].items()
        }


Render = Callable[..., Rendered]


def rendered_by_the_generator(files: list[Path]) -> Rendered:
    """Values files as one release, by the generator's own way to helm."""
    manifests = render(CHART, files, namespace="ai")
    return Rendered(text="---\n".join(map(json.dumps, manifests)), objects=manifests, hooks=[])


def values_files() -> Iterator[Path]:
    """Every values file of the repository: `ct install`'s, those of these tests, and those that the generator wrote."""
    yield from sorted((CHART / "ci").glob("*-values.yaml"))
    yield from sorted(VALUES.glob("*.yaml"))
    yield from sorted((ROOT / "values").glob("*/*.yaml"))
