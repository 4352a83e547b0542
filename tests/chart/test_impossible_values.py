"""Values that no cluster could run: helm's schema and `validate` refuse each, at its own place.

Without that a RayService is accepted, and no pod of it ever comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from generator.documents.load import Origin
from generator.documents.merge import merged
from generator.errors import UserError, UserErrors
from generator.formats.check import check_document
from tests.chart.rendering import GROUP, MINIMAL, MODEL, Render, Values


def at(path: str, value: Any) -> Values:
    """Values with one thing at a path, its steps between slashes."""
    for step in reversed(path.removeprefix("/").split("/")):
        value = {step.replace("~1", "/"): value}
    return value


POD = "/pods/podSecurityContext"
HEAD = "/head/resources"
WORKERS = f"/workerGroups/{GROUP}"
ENGINE = f"/models/{MODEL}/llmConfig/engine_kwargs"
SCALING = f"/models/{MODEL}/llmConfig/deployment_config/autoscaling_config"
HTTP = "/serving/config/http_options"
WRONG: dict[str, list[Any]] = {
    # Variables
    "/pods/env/": ["x"],
    "/pods/env/A=B": ["x"],
    "/pods/env/A\n": ["x"],
    "/pods/env/FOO": [{}, {"value": "a", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    "/pods/env/FOO/valueFrom": [{}, {"secretKeyRef": {"name": "a", "key": "b"}, "fieldRef": {"fieldPath": "a"}}],
    "/pods/env/FOO/valueFrom/secretKeyRef": [None],
    "/pods/env/FOO/valueFrom/secretKeyRef/key": ["", "../x", "a b"],
    "/pods/env/FOO/valueFrom/configMapKeyRef/name": ["", "A", "a..b"],
    "/pods/env/FOO/valueFrom/fieldRef/fieldPath": ["", "status.podIp", "spec.nodeName "],
    # Names
    "/pods/podLabels/a b": ["x"],
    "/pods/podLabels/team": ["a b", "x" * 64],
    "/pods/nodeSelector/a b": ["x"],
    "/pods/nodeSelector/A.example~1x": ["x"],
    "/pods/podAnnotations/a b": ["x"],
    "/commonAnnotations/": ["x"],
    "/serviceAccount/annotations/x~1y~1z": ["x"],
    "/pods/tolerations": [[{"key": "a b"}], [{"tolerationSeconds": -1}]],
    "/pods/priorityClassName": ["A b"],
    "/image/tag": ["a b", ".a", "x" * 129],
    "/image/repository": ["name:tag", "a/Upper", "a//b", "registry.example.com:port/a"],
    "/huggingFace/key": ["", "../x", ".."],
    "/huggingFace/existingSecret": ["-a", "a..b"],
    "/networkPolicy/clients": [[{}]],
    f"{WORKERS}/gpuResourceName": [" ", "gpu", "nvidia.com/"],
    # Paths
    "/pods/volumes/data/mountPath": ["\t", "- a", "a", "/", "/a/../b", "/a:b", "/a//b"],
    "/pods/volumes/data/hostPath": [None],
    "/pods/volumes/data/hostPath/path": ["a", "/a/../b"],
    "/pods/volumes/data/secret/secretName": [""],
    "/pods/volumes/data/secret": [{"secretName": "a", "defaultMode": 512}],
    "/pods/volumes/data/projected": [{"sources": []}, {"sources": [{"secret": {"name": "a"}, "configMap": {}}]}],
    "/pods/volumes/token/projected/sources": [[{"serviceAccountToken": {"path": "token"}}]],
    "/pods/volumes/pod/downwardAPI/items": [[{"path": "name", "fieldRef": {"fieldPath": "status.podIP"}}]],
    "/modelCache/mountPath": ["/a:b", "/a/.."],
    # Quantities
    f"{HEAD}/requests/cpu": [-1, "-1", "1.0001", "1Gi", 1e9],
    f"{HEAD}/requests/memory": [-1, 0.5, "512m", "8GB", "8 Gi", 1e20],
    f"{HEAD}/limits/a b": [1],
    f"{HEAD}/limits/nvidia.com~1gpu": [-1, 0.5, "500m"],
    "/head/sharedMemory": ["-1Gi", "10m"],
    # Users
    f"{POD}/fsGroup": [-1, 1e20, 2**31],
    f"{POD}/runAsUser": [-1, 2**31],
    f"{POD}/supplementalGroups": [[2**31]],
    # Numbers
    "/pods/terminationGracePeriodSeconds": [-1, 2**31],
    f"{WORKERS}/maxReplicas": [0, 10**6],
    f"{WORKERS}/gpusPerWorker": [-1, 1000],
    f"{WORKERS}/rayResources": [{GROUP: 0}, {GROUP: 1e15}, {"a'b": 1}, {"": 1}, {"a b": 1}],
    "/autoscalerOptions/idleTimeoutSeconds": [0, 2**31],
    # Numbers of Ray's and vLLM's
    f"{HTTP}/port": [-1, 0, 70000, 1e20, 8000.5],
    f"{HTTP}/request_timeout_s": [-5, 1e300],
    f"{HTTP}/keep_alive_timeout_s": [-1, 10**9],
    f"{ENGINE}/tensor_parallel_size": [0, -1, 100_000],
    f"{ENGINE}/pipeline_parallel_size": [0, 10**7],
    f"{ENGINE}/data_parallel_size": [10**6],
    f"{ENGINE}/max_model_len": [1e20],
    f"{ENGINE}/kv_cache_memory_bytes": [-5],
    f"{ENGINE}/num_gpu_blocks_override": [0, -1],
    f"{ENGINE}/max_cpu_loras": [0],
    f"{ENGINE}/cudagraph_capture_sizes": [[1e20]],
    f"{SCALING}/max_replicas": [0, 10**6],
    f"{SCALING}/target_ongoing_requests": [1e300],
    f"{SCALING}/upscale_delay_s": [-1, 1e300],
    # What becomes a line of the shell
    "/head/rayStartParams/x; id; ": ["1"],
    "/head/rayStartParams/foo": ["1; touch x", "$(id)", "`id`", "a b", "'", '"$(id)"', "\n", "'a'b'"],
    "/head/rayStartParams/num-cpus": ["|"],
}
# Where a token is pasted by mistake: helm would print it with the pattern (test_secrets.py).
BY_TEMPLATE = {"/huggingFace/existingSecret"}
ONE_BY_ONE = [(path, value) for path, values in WRONG.items() for value in values]


@pytest.mark.parametrize(("path", "value"), ONE_BY_ONE, ids=lambda value: repr(value)[:60])
def test_validate_refuses_what_no_cluster_could_run(path: str, value: Any) -> None:
    with pytest.raises((UserError, UserErrors)) as caught:
        check_document(merged(MINIMAL, at(path, value)), "values", Origin("values.yaml"))
    message = str(caught.value)
    assert "None of" not in message and "is not valid under" not in message, message


@pytest.mark.parametrize("turn", range(max(map(len, WRONG.values()))))
def test_helm_refuses_the_same(helm_template: Callable, turn: int) -> None:
    """Helm lists every fault of its values, so that all fit into a few runs. What a template refuses comes later."""
    chosen = {path: values[turn] for path, values in WRONG.items() if turn < len(values) and path not in BY_TEMPLATE}
    for paths in apart(chosen):
        values = MINIMAL
        for path in paths:
            values = merged(values, at(path, chosen[path]))
        done = helm_template(values)
        assert done.returncode != 0
        assert [path for path in paths if not any(place in done.stderr for place in places(path, chosen[path]))] == []


def apart(paths: Iterable[str]) -> list[list[str]]:
    """The paths in groups, in none of which one lies below another."""
    groups: list[list[str]] = []
    for path in paths:
        fits = (each for each in groups if not any(below(path, other) or below(other, path) for other in each))
        group = next(fits, None)
        if group is None:
            groups.append([path])
        else:
            group.append(path)
    return groups


def below(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/")


def places(path: str, value: Any) -> list[str]:
    """Where helm tells of a fault there: at the path; of a key it names the key, at a path that is not the key's."""
    keys = [path.rpartition("/")[2].replace("~1", "/"), *(value if isinstance(value, dict) else [])]
    written = path.replace("\n", "\\n")
    return [f"at '{written}", *(f"invalid propertyName {told(key)}" for key in keys)]


def told(key: str) -> str:
    return "'" + key.replace("'", "\\'").replace("\n", "\\n") + "'"


PROJECTED = [
    {"secret": {"name": "tls", "items": [{"key": "tls.crt", "path": "tls.crt"}]}},
    {"configMap": {"name": "ca", "optional": True}},
    {"downwardAPI": {"items": [{"path": "cpus", "resourceFieldRef": {"resource": "limits.cpu"}}]}},
    {"serviceAccountToken": {"audience": "vault", "path": "vault-token", "expirationSeconds": 3600}},
]
RIGHT: dict[str, list[Any]] = {
    "/pods/env/FOO": ["", {"value": ""}, {"valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}}],
    "/pods/podLabels/example.com~1team": ["", "a_b.c"],
    "/pods/podAnnotations/example.com~1note": ["any text: {}"],
    "/image/repository": ["", "ray", "localhost:5000/a/b-c", "registry.example.com/a__b.c"],
    "/pods/volumes/data": [
        {"mountPath": "/dev/shm/", "emptyDir": {}},
        {"mountPath": "/a/.b", "hostPath": {"path": "/"}},
        {"mountPath": "/tls", "secret": {"secretName": "tls", "defaultMode": 0o440}},
        {"mountPath": "/c", "configMap": {"name": "c", "items": [{"key": "a", "path": "b", "mode": 0o400}]}},
        {"mountPath": "/pod", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"mountPath": "/all", "projected": {"sources": PROJECTED, "defaultMode": 0o440}},
        {"mountPath": "/csi", "csi": {"driver": "a.example.com", "nodePublishSecretRef": {"name": "creds"}}},
    ],
    f"{HEAD}/requests": [
        {"cpu": 0.5, "memory": 2**33, "ephemeral-storage": "10Gi"},
        {"cpu": "250m", "memory": "1.5Gi"},
    ],
    "/head/rayStartParams/resources": ["'{\"a\": 1}'", '"{\\"a\\": 1}"'],
    f"{WORKERS}/rayResources": [{GROUP: 1, "accelerator_type:L4": 1}],
    POD: [{"runAsUser": 0, "runAsNonRoot": False, "fsGroup": 2**31 - 1}],
}


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, values in RIGHT.items() for value in values])
def test_what_kubernetes_takes_is_taken(render_with: Render, path: str, value: Any) -> None:
    render_with(at(path, value))
    check_document(merged(MINIMAL, at(path, value)), "values", Origin("values.yaml"))
