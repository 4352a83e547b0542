"""modelCache.prefetch: the hub's models are in the cache before anything else of the release is made."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import GROUP, MODEL, Manifest, Render, Rendered, model
from tests.support.hub_stand_in import COMMIT, HubStandIn, Repository
from tests.support.waiting import HANGS_S

CACHE = {"type": "persistentVolumeClaim", "claimName": "weights", "prefetch": True}


def job_of(rendered: Rendered) -> Manifest:
    (found,) = (each for each in rendered.hooks if each["kind"] == "Job")
    return found


def container_of(rendered: Rendered) -> Manifest:
    (found,) = job_of(rendered)["spec"]["template"]["spec"]["containers"]
    return found


def models_of(rendered: Rendered) -> list[str]:
    return container_of(rendered)["args"][2:]


def test_without_it_there_is_no_job(render_with: Render) -> None:
    assert [each["kind"] for each in render_with().hooks] == ["Pod"]


def test_it_is_done_before_an_installation_and_an_upgrade_change_anything(render_with: Render) -> None:
    job = job_of(render_with({"modelCache": CACHE}))

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "serviceAccountName" not in job["spec"]["template"]["spec"], "that is made after the hook"


def test_what_the_hub_has_is_downloaded_each_once(render_with: Render) -> None:
    sources: dict[str, Any] = {
        "pinned": {"model_loading_config": {"model_source": "org/pinned"}, "engine_kwargs": {"revision": COMMIT}},
        "twice": {"model_loading_config": {"model_source": "tiiuae/Falcon3-1B-Instruct"}},
        "adapted": {
            "model_loading_config": {"model_source": "/models/here"},
            "engine_kwargs": {
                "enable_lora": True,
                "lora_modules": [{"name": "a:b", "path": "org/adapter"}, {"name": "a:c", "path": "/adapters/c"}],
            },
        },
        "in-the-image": {"model_loading_config": {"model_source": "/models/here"}},
        "bucket": {"model_loading_config": {"model_source": "s3://bucket/model"}},
        "drafted": {
            "model_loading_config": {"model_source": "org/large"},
            "engine_kwargs": {
                "tokenizer": "org/tokenizer",
                "speculative_config": {"model": "org/draft", "revision": COMMIT, "num_speculative_tokens": 3},
            },
        },
    }
    rendered = render_with(
        {
            "modelCache": CACHE,
            "models": {name: model("falcon3", **config) for name, config in sources.items()},
            "workerGroups": {GROUP: {"maxReplicas": 7}},
            "serving": {"path": "throughput"},
        }
    )

    found = [
        "org/adapter",
        f"org/draft@{COMMIT}",
        "org/large",
        f"org/pinned@{COMMIT}",
        "org/tokenizer",
        "tiiuae/Falcon3-1B-Instruct",
    ]
    assert models_of(rendered) == found


def test_a_release_whose_models_are_elsewhere_has_no_job(render_with: Render) -> None:
    here = {MODEL: model("falcon3", model_loading_config={"model_source": "/models/here"})}

    assert [each["kind"] for each in render_with({"modelCache": CACHE, "models": here}).hooks] == ["Pod"]


def test_it_writes_where_the_workers_read_as_they_may(render_with: Render) -> None:
    rendered = render_with({"modelCache": CACHE, "huggingFace": {"existingSecret": "hub"}})

    pod, container = job_of(rendered)["spec"]["template"]["spec"], container_of(rendered)
    worker = rendered.volumes(GROUP)["model-cache"]
    (cache,) = (each for each in pod["volumes"] if each["name"] == "model-cache")
    assert cache["persistentVolumeClaim"] == worker["persistentVolumeClaim"] == {"claimName": "weights"}
    assert container["volumeMounts"][0]["mountPath"] == worker["mountPath"]
    env = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
    assert env["HF_HOME"] == rendered.env(GROUP)["HF_HOME"]
    assert env["HF_TOKEN"] == rendered.env(GROUP)["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert pod["securityContext"] == rendered.pod(GROUP)["securityContext"]
    assert container["securityContext"].items() >= rendered.container(GROUP)["securityContext"].items()


def test_it_has_the_files_that_every_pod_has_and_may_ask_the_hub(render_with: Render) -> None:
    bundle = {"mountPath": "/etc/corp", "readOnly": True, "configMap": {"name": "corp-ca"}}
    pods = {"env": {"SSL_CERT_FILE": "/etc/corp/ca.pem", "HF_HUB_OFFLINE": "1"}, "volumes": {"corp-ca": bundle}}
    container = container_of(rendered := render_with({"modelCache": CACHE, "pods": pods}))

    env = {each["name"]: each["value"] for each in container["env"]}
    assert (env["SSL_CERT_FILE"], env["HF_HUB_OFFLINE"]) == ("/etc/corp/ca.pem", "0")
    assert rendered.env(GROUP)["HF_HUB_OFFLINE"] == "1"
    assert {"name": "corp-ca", "mountPath": "/etc/corp", "readOnly": True} in container["volumeMounts"]


def test_a_cache_that_only_one_pod_sees_is_refused(render_error: Any) -> None:
    assert "modelCache.prefetch: what one pod downloads" in render_error({"modelCache": {"prefetch": True}})


# The script, as it is rendered, against a stand-in of the hub


@pytest.fixture
def hub() -> Iterator[HubStandIn]:
    stand_in = HubStandIn()
    yield stand_in
    stand_in.server.shutdown()
    stand_in.server.server_close()


@pytest.fixture
def prefetch(render_with: Render, hub: HubStandIn, tmp_path: Path) -> Any:
    script, config, *_ = container_of(render_with({"modelCache": CACHE}))["args"]
    env = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

    def run(*models: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, json.dumps(json.loads(config) | changes), *models]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=HANGS_S, check=False)

    return run


def snapshot(cache: Path, name: str) -> set[str]:
    folder = cache / "hub" / f"models--{name.replace('/', '--')}" / "snapshots" / COMMIT
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_only_what_vllm_would_read_is_downloaded(prefetch: Any, hub: HubStandIn, tmp_path: Path) -> None:
    names = ["config.json", "model.safetensors", "pytorch_model.bin", "original/consolidated.00.pth", "tokenizer.json"]
    hub.repositories["org/safe"] = Repository(dict.fromkeys(names, b"{}"))
    hub.repositories["org/pickled"] = Repository(dict.fromkeys(("config.json", "pytorch_model.bin"), b"{}"))

    done = prefetch("org/safe", f"org/pickled@{COMMIT}")

    assert done.returncode == 0, done.stdout + done.stderr
    assert snapshot(tmp_path, "org/safe") == {"config.json", "model.safetensors", "tokenizer.json"}
    assert snapshot(tmp_path, "org/pickled") == {"config.json", "pytorch_model.bin"}
    assert "2/2 org/pickled: in the cache after" in done.stdout


def test_what_cannot_be_had_is_named_and_the_others_are_downloaded(
    prefetch: Any, hub: HubStandIn, tmp_path: Path
) -> None:
    hub.repositories["org/gated"] = Repository({"config.json": b"{}"}, gated=True)
    hub.repositories["org/open"] = Repository({"config.json": b"{}"})

    done = prefetch("org/gated", "org/nowhere", "org/open")

    assert done.returncode == 1
    assert "error: org/gated: its licence has to be accepted" in done.stdout
    assert "error: org/nowhere: the hub has no such model" in done.stdout
    assert snapshot(tmp_path, "org/open") == {"config.json"}
    assert "Traceback" not in done.stdout + done.stderr


def test_a_hub_that_does_not_answer_is_said_of_every_model(prefetch: Any, hub: HubStandIn) -> None:
    hub.server.shutdown()
    hub.server.server_close()

    done = prefetch("org/one", "org/--two")

    assert done.returncode == 1
    assert "error: org/one: " in done.stdout and "error: org/--two: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
