"""`status` as people run it: a release is found, its state is said, and watching it shows what changes.

The RayServices are put into an API server as KubeRay would leave them (tests/unit/data/release_status, recorded); what
is said of each is tested there too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from generator.chart import render
from tests.cluster.api_server import api_server
from tests.support.output import published
from tests.support.paths import ROOT
from tools.cluster.control_plane import ControlPlane
from tools.cluster.settings import program, run

RECORDED = ROOT / "tests" / "unit" / "data" / "release_status"
TIME = "2026-11-24T03:53:00Z"


def _identity(body: Any) -> Any:
    """What names an object, without the rest of it."""
    metadata = {key: body["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata}


class Api:
    def __init__(self, plane: ControlPlane) -> None:
        self.kubeconfig = plane.admin

    def kubectl(self, *arguments: str, body: Any = None) -> None:
        command = [program("kubectl"), "--kubeconfig", self.kubeconfig, *arguments]
        run(*command, *(["-f", "-"] if body else []), **({"input": json.dumps(body)} if body else {}))

    def put(self, recorded: str, *, namespace: str, name: str) -> None:
        """A RayService with the recorded configuration and status."""
        service = yaml.safe_load((RECORDED / f"{recorded}.yaml").read_text())["service"]
        pod = {"spec": {"containers": [{"name": "ray-head", "image": "ray:1"}]}}
        cluster = {"rayVersion": "2.60.0", "headGroupSpec": {"rayStartParams": {}, "template": pod}}
        body = {
            "apiVersion": "ray.io/v1",
            "kind": "RayService",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/instance": name}},
            "spec": {**service["spec"], "rayClusterConfig": cluster},
        }
        self.kubectl("apply", body=body)
        self.kubectl(
            "apply", "--server-side", "--subresource=status", body={**body, "status": _timed(service["status"])}
        )

    def fetch(self, release: str, *, namespace: str, **status: Any) -> None:
        """The chart's hook that downloads models, as helm makes it, and what Kubernetes would say of it."""
        cache = {"type": "persistentVolumeClaim", "claimName": "models", "prefetch": True}
        values = [ROOT / "values" / "dev" / "falcon3.yaml"]
        overrides = {"modelCache": cache, "fullnameOverride": release}
        objects = render(ROOT / "chart", values, release=release, namespace=namespace, overrides=overrides)
        (job,) = (each for each in objects if each["kind"] == "Job")
        self.kubectl("apply", body=job)
        if status:
            said = _timed({"startTime": TIME, "conditions": [], **status})
            self.kubectl("apply", "--server-side", "--subresource=status", body={**_identity(job), "status": said})

    def status(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=60)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "generator", "status", *arguments, "--kubeconfig", str(self.kubeconfig)]


def _timed(status: Any) -> Any:
    """Conditions with the times that the API asks for."""
    timed = [{**one, "lastTransitionTime": TIME} for one in status["conditions"]]
    return {**status, "conditions": timed}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api_server(tmp_path_factory.mktemp("api")) as plane:
        api = Api(plane)
        for namespace in ("a", "b"):
            api.kubectl("create", "namespace", namespace)
        api.put("serving", namespace="a", name="falcon3")
        api.put("one-wrong-source", namespace="a", name="fleet")
        api.put("serving", namespace="a", name="twice")
        api.put("serving", namespace="b", name="twice")
        yield api


def test_a_release_that_serves(api: Api) -> None:
    done = api.status("falcon3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("falcon3 in namespace a: 1 of 1 applications serve\n")


def test_a_model_with_a_wrong_source_is_named_with_its_cause(api: Api) -> None:
    done = api.status("fleet", "--namespace", "a")
    assert done.returncode == 1
    assert "falcon-h1-0.5b-instruct  could not be deployed: RuntimeError: Failed to create vLLM" in done.stdout
    assert "next: fix falcon-h1-0.5b-instruct" in done.stdout


def test_json(api: Api) -> None:
    document = published("status", api.status("fleet", "--json").stdout)
    (cluster,) = document["clusters"]
    assert {one["name"]: one["state"] for one in cluster["applications"]} == {
        "falcon-h1-0.5b-instruct": "Failed",
        "falcon3-1b-instruct": "Ready",
    }


def test_models_that_are_downloaded_before_anything_is_installed_or_changed(api: Api) -> None:
    api.fetch("fetching", namespace="b")
    api.put("serving", namespace="b", name="upgraded")
    api.fetch("upgraded", namespace="b")

    installed, upgraded = api.status("fetching"), api.status("upgraded")

    assert installed.returncode == 2
    assert "its models are downloaded first, and helm changes nothing before\n" in installed.stderr
    assert "kubectl logs --namespace b --follow job/fetching-prefetch" in installed.stderr
    assert upgraded.returncode == 0
    assert "kubectl logs --namespace b --follow job/upgraded-prefetch" in upgraded.stdout


def test_a_download_that_failed_is_told(api: Api) -> None:
    ended = [{"type": word, "status": "True"} for word in ("FailureTarget", "Failed")]
    api.fetch("trying", namespace="b", failed=1)
    api.fetch("failing", namespace="b", failed=3, conditions=ended)

    assert "(failed attempts so far: 1)" in api.status("trying").stderr
    assert "its models could not be downloaded" in api.status("failing").stderr


def test_a_download_that_is_done_is_not_told(api: Api) -> None:
    ended = [{"type": word, "status": "True"} for word in ("SuccessCriteriaMet", "Complete")]
    api.fetch("done", namespace="b", succeeded=1, completionTime=TIME, conditions=ended)

    assert "no release 'done'" in api.status("done").stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["falcon"], "no release 'falcon'\n  did you mean 'falcon3'?"),
        (["falcon3", "--namespace", "b"], "namespace b: no release 'falcon3'"),
        (["twice"], "'twice' is in a (twice), b (twice)\n  Choose one with --namespace."),
    ],
)
def test_a_release_that_is_not_to_be_found(api: Api, arguments: list[str], what: str) -> None:
    done = api.status(*arguments)
    assert done.returncode == 2
    assert what in done.stderr


def test_who_watches_is_told_what_changes_until_ctrl_c(api: Api) -> None:
    api.put("one-wrong-source", namespace="b", name="watched")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    watching = subprocess.Popen(
        api.command("watched", "--watch"),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in its background has Ctrl-C ignored, in all that they start too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert watching.stdout is not None
    threading.Timer(90, watching.kill).start()  # else a line that never comes would be waited for without end
    lines = iter(watching.stdout.readline, "")
    try:
        assert any("watched: nothing serves yet, 1 of 2 applications run" in line for line in lines)
        api.put("serving", namespace="b", name="watched")
        assert any("watched: 1 of 1 applications serve" in line for line in lines)
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=20) == 130
