"""What strangers' API servers say to `preflight`: findings or one message, whatever nodes and CRDs they tell of."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st

from generator.cli.cluster import _print_finding
from generator.cluster.answers import typed_answers
from generator.cluster.api import Cluster, _HttpCluster
from generator.cluster.pods import pod_groups
from generator.cluster.preflight.images import images, pull_finding
from generator.cluster.preflight.preflight import Installation, preflight
from generator.project.project import Project
from tests.support.fuzzing import Record, check_printable, fuzz, refusal_of
from tests.support.mutations import NUMBERS, TEXTS, damaged, mutated
from tests.support.paths import ROOT

POOL = "small-model-workers"
CONTAINER = {
    "name": "ray",
    "image": "rayproject/ray-llm:2.60.0",
    "resources": {"limits": {"cpu": "6", "memory": "24Gi"}},
    "env": [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}}}],
}
GPU_CONTAINER = {**CONTAINER, "resources": {"limits": {"cpu": "6", "memory": "24Gi", "nvidia.com/gpu": "1"}}}
VOLUMES = [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}]
RAY_SERVICE: dict[str, Any] = {
    "apiVersion": "ray.io/v1",
    "kind": "RayService",
    "metadata": {"name": "falcon3"},
    "spec": {
        "serveService": {"spec": {"type": "LoadBalancer"}},
        "rayClusterConfig": {
            "rayVersion": "2.60.0",
            "authOptions": {"mode": "token"},
            "headGroupSpec": {"template": {"spec": {"containers": [CONTAINER]}}},
            "workerGroupSpecs": [
                {
                    "groupName": POOL,
                    "maxReplicas": 5,
                    "template": {
                        "spec": {
                            "containers": [GPU_CONTAINER],
                            "volumes": VOLUMES,
                            "nodeSelector": {"gpu": "l4"},
                            "tolerations": [{"key": "gpu", "operator": "Exists"}],
                        }
                    },
                }
            ],
        },
    },
}
PEER = {
    "podSelector": {"matchLabels": {"app.kubernetes.io/component": "kuberay-operator"}},
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kuberay-system"}},
}
NETWORK_POLICY: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "falcon3"},
    "spec": {"ingress": [{"ports": [{"port": 8265}], "from": [PEER]}]},
}
EDGE: list[dict[str, Any]] = [
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "falcon3"},
        "spec": {"parentRefs": [{"name": "public", "namespace": "gateways"}], "hostnames": ["llm.example.com"]},
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "falcon3"},
        "spec": {"ingressClassName": "nginx", "tls": [{"secretName": "certificate"}]},
    },
]
TEAM = {"from": "Selector", "selector": {"matchLabels": {"team": "ml"}}}
LISTENER = {"name": "https", "port": 443, "hostname": "*.example.com", "allowedRoutes": {"namespaces": TEAM}}
GATEWAY = {
    "metadata": {"name": "public", "namespace": "gateways"},
    "spec": {"listeners": [LISTENER]},
    "status": {"conditions": [{"type": "Programmed", "status": "False", "message": "no address"}]},
}
LABELS = {"gpu": "l4", "nvidia.com/gpu.memory": "23034", "nvidia.com/gpu.sharing-strategy": "none"}
NODE = {
    "metadata": {"name": "n", "labels": LABELS},
    "spec": {"taints": [{"key": "gpu", "effect": "NoSchedule", "value": "yes"}]},
    "status": {
        "allocatable": {"pods": "110", "cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "1"},
        "conditions": [{"type": "Ready", "status": "True"}],
        "images": [{"names": ["docker.io/rayproject/ray-llm:2.60.0"]}],
    },
}
OPERATOR = {
    "metadata": {"name": "kuberay-operator", "namespace": "kuberay-system", "labels": {"app": "kuberay-operator"}},
    "spec": {
        "template": {
            "metadata": {"labels": {"app.kubernetes.io/component": "kuberay-operator"}},
            "spec": {
                "containers": [{"image": "quay.io/kuberay/operator:v1.6.1", "args": ["-watch-namespace=ai"]}],
            },
        }
    },
    "status": {"readyReplicas": 1},
}
POD = {
    "metadata": {"name": "other", "namespace": "x"},
    "spec": {"nodeName": "n", "containers": [{"resources": {"requests": {"cpu": "500m"}}}]},
    "status": {"phase": "Running"},
}
MANAGED = {"managedFields": [{"fieldsV1": {"f:data": {"f:token": {}}}}]}
CLAIM = {"spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast"}, "status": {"phase": "Pending"}}
CLASS = {"metadata": {"name": "fast"}, "volumeBindingMode": "Immediate"}
ANSWERS: dict[str, Any] = {
    "/version": {"gitVersion": "v1.34.4"},
    "/customresourcedefinitions/": {"spec": {"versions": [{"name": "v1", "served": True}]}},
    "/deployments": {"items": [OPERATOR]},
    "/namespaces/ai": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted", "team": "ml"}}},
    "/apis/gateway.networking.k8s.io/v1": {"resources": [{"name": "httproutes", "kind": "HTTPRoute"}]},
    "/gateways/public": GATEWAY,
    "/ingressclasses": {"items": [{"metadata": {"name": "nginx"}}]},
    "/services/": {
        "metadata": {"name": "falcon3-serve-svc", "namespace": "ai", "annotations": {"a": "b"}},
        "spec": {"type": "ClusterIP"},
    },
    "/apis/ray.io/v1": {"resources": [{"name": "rayservices", "kind": "RayService"}]},
    "/apis/networking.k8s.io/v1": {
        "resources": [{"name": "networkpolicies", "kind": "NetworkPolicy"}, {"name": "ingresses", "kind": "Ingress"}]
    },
    "/api/v1": {"resources": [{"name": "secrets", "kind": "Secret"}]},
    "/selfsubjectaccessreviews": {"status": {"allowed": True}},
    "/rayservices/": {"metadata": {"annotations": {"meta.helm.sh/release-name": "falcon3"}}},
    "/nodes": {"metadata": {}, "items": [NODE]},
    "/v1/pods": {"items": [POD]},
    "/apis": {"groups": [{"name": "karpenter.sh"}]},
    "/secrets/": {"metadata": MANAGED},
    "/persistentvolumeclaims/": CLAIM,
    "/storageclasses": {"items": [CLASS]},
}
"""What a sound cluster answers, by the end of a path, or by a part of it that ends in a slash. All else is `{}`."""
PROBE: dict[str, Any] = {
    "metadata": {"name": "preflight-pull-x"},
    "spec": {"nodeName": "n"},
    "status": {
        "containerStatuses": [
            {"state": {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "rayproject/x"'}}}
        ],
        "conditions": [{"type": "PodScheduled", "status": "True", "reason": "Unschedulable", "message": "no node"}],
    },
}
PROBES = [PROBE, {**PROBE, "status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 0}}}]}}]
REFUSALS: dict[str, Any] = {
    "message": 'pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: 0, limited: 0',
    "reason": 'strict decoding error: unknown field "spec.rayClusterConfig.authOptions"',
}
QUANTITIES = ("", "0", "-1", "1e999", "-1e999", "nan", "5Qi", "1m", "9" * 400, "1Ei", None, [], 10**400)


class OddServer:
    """Stands in for the client's connections."""

    def __init__(self, answers: Any, codes: dict[str, int]) -> None:
        self.answers = answers if isinstance(answers, dict) else {}
        self.codes = codes

    def request(self, method: str, url: str, **_: Any) -> SimpleNamespace:
        path = url.removeprefix("https://odd").partition("?")[0]
        ends = [
            str(key) for key in self.answers if path.endswith(str(key)) or (str(key)[-1:] == "/" and str(key) in path)
        ]
        key = max(ends, key=len, default="")
        body = next((answer for each, answer in self.answers.items() if str(each) == key), {})
        code = self.codes.get(key, 200)
        data = body if isinstance(body, str) else json.dumps(body if code == 200 else REFUSALS)
        headers = SimpleNamespace(getlist=lambda name: ['299 - "would violate PodSecurity \x1b[31m"'])
        return SimpleNamespace(status=code, data=data.encode(errors="surrogatepass"), headers=headers)

    def cluster(self) -> Cluster:
        settings = SimpleNamespace(host="https://odd", auth_settings=dict)
        client = SimpleNamespace(configuration=settings, rest_client=SimpleNamespace(pool_manager=self))
        return _HttpCluster(client, "ai")


@pytest.fixture(scope="module")
def wanted() -> Installation:
    plan = Project.at(ROOT).plan("dev")
    manifests = [RAY_SERVICE, NETWORK_POLICY, *EDGE]
    groups = pod_groups(manifests)
    return Installation(
        release="falcon3", namespace="ai", plan=plan, names=["falcon3"], files=[Path("falcon3.yaml")],
        manifests=manifests, groups=groups,
    )  # fmt: skip


def refusal(answers: Any, codes: dict[str, int], wanted: Installation, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command does with such a server; what it prints drives no terminal."""

    def shown() -> None:
        cluster = OddServer(answers, codes).cluster()
        with typed_answers(cluster):
            for finding in preflight(cluster, wanted, pull_seconds=None, report=lambda _: None):
                _print_finding(finding)

    message = refusal_of(shown)
    check_printable(capsys.readouterr().out)
    return message


def test_an_api_server_that_answers_anything(
    wanted: Installation, capsys: pytest.CaptureFixture[str], record_property: Record
) -> None:
    assert refusal(ANSWERS, {}, wanted, capsys) == ""
    codes = st.dictionaries(
        st.sampled_from(list(ANSWERS)), st.sampled_from([400, 401, 403, 404, 409, 422, 500]), max_size=3
    )
    fuzz(
        st.tuples(mutated([ANSWERS], most=2), codes),
        lambda given: refusal(*given, wanted, capsys),
        record=record_property,
        examples=12,
        slow=10,
    )


def with_amounts(amounts: dict[str, Any], labels: dict[str, Any]) -> dict[str, Any]:
    node = {**NODE, "metadata": {"name": "n", "labels": {**LABELS, **labels}}}
    node["status"] = {**NODE["status"], "allocatable": {**NODE["status"]["allocatable"], **amounts}}  # type: ignore[dict-item]
    return {**ANSWERS, "/nodes": {"items": [node]}, "/apis": {"groups": []}}


def test_nodes_of_any_amounts_and_labels(
    wanted: Installation, capsys: pytest.CaptureFixture[str], record_property: Record
) -> None:
    names = st.sampled_from(["cpu", "memory", "nvidia.com/gpu", "pods"])
    amounts = st.dictionaries(names, st.sampled_from([*QUANTITIES, *NUMBERS]), min_size=1)
    labels = st.dictionaries(st.sampled_from(list(LABELS)), st.sampled_from(TEXTS), max_size=2)
    fuzz(
        st.builds(with_amounts, amounts, labels),
        lambda answers: refusal(answers, {}, wanted, capsys),
        record=record_property,
        examples=12,
        slow=10,
    )


def test_answers_of_other_characters(
    wanted: Installation, capsys: pytest.CaptureFixture[str], record_property: Record
) -> None:
    whole = st.sampled_from(list(ANSWERS)).flatmap(
        lambda key: damaged([json.dumps(ANSWERS[key])], most=2).map(lambda text: {**ANSWERS, key: text})
    )
    fuzz(whole, lambda answers: refusal(answers, {}, wanted, capsys), record=record_property, examples=8, slow=10)


def test_pods_that_try_to_pull(
    wanted: Installation, capsys: pytest.CaptureFixture[str], record_property: Record
) -> None:
    """`--pull`; after the first look at a pod its time is up."""
    image = images(wanted.groups)[0]

    def shown(made: Any, seen: Any) -> None:
        cluster = OddServer({"/ai/pods": made, "/ai/pods/": seen}, {}).cluster()
        with typed_answers(cluster):
            _print_finding(pull_finding(cluster, image, "ai", seconds=0, report=lambda _: None))

    def refusal(given: tuple[Any, Any]) -> str:
        message = refusal_of(lambda: shown(*given))
        check_printable(capsys.readouterr().out)
        return message

    shown(PROBE, PROBE)
    assert "cannot be pulled (ImagePullBackOff)" in capsys.readouterr().out
    fuzz(st.tuples(st.just(PROBE) | mutated([PROBE], most=1), mutated(PROBES)), refusal, record=record_property)


@pytest.mark.parametrize("amount", [10**400, "1e999", "-1e999", "nan", "", "Gi", [], True])
def test_an_amount_that_is_none_is_a_message(
    wanted: Installation, capsys: pytest.CaptureFixture[str], amount: Any
) -> None:
    said = refusal(with_amounts({"cpu": amount}, {}), {}, wanted, capsys)
    assert "an answer is not what the types of the Kubernetes API say (ValueError: " in said


def test_a_list_whose_pages_never_end_is_a_message(wanted: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    answers = {**ANSWERS, "/nodes": {"metadata": {"continue": "again"}, "items": [NODE]}}
    assert "the list /api/v1/nodes has no end" in refusal(answers, {}, wanted, capsys)
