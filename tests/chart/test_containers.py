"""Containers, mounts, variables, devices and the network that people add to pods that run Ray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from generator.documents.load import Origin
from generator.formats.check import check_document
from tests.chart.rendering import GROUP, INGRESS, MINIMAL, POLICY, Manifest, Render, Rendered, parse
from tests.support.paths import ROOT

RenderError = Callable[..., str]
SHIPPER = {
    "image": "fluent/fluent-bit:4.1",
    "restartPolicy": "Always",
    "volumeMounts": {"ray-logs": {"mountPath": "/logs", "readOnly": True}},
}
POD: dict[str, Any] = {
    "volumes": {
        "ray-logs": {"mountPath": "/tmp/ray", "emptyDir": {}},
        "settings": {"configMap": {"name": "settings"}},
        "weights": {"mountPath": "/weights", "subPath": "v2", "image": {"reference": "registry.example/weights:2"}},
    },
    "volumeMounts": {
        "settings": {"mountPath": "/settings"},
        "one-file": {"name": "settings", "mountPath": "/etc/one.yaml", "subPath": "one.yaml"},
    },
    "envFrom": {
        "team": {"configMapRef": {"name": "team"}},
        "hub": {"secretRef": {"name": "hub", "optional": True}, "prefix": "HF_"},
    },
    "env": {"MEMORY": {"valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}},
    "initContainers": {"logs": SHIPPER, "10-warm": {"command": ["true"]}},
    "extraContainers": {
        "helper": {
            "command": ["sleep", "infinity"],
            "env": {"NODE": {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}},
            "ports": {"http": {"containerPort": 9000}},
            "resources": {"requests": {"cpu": "10m"}},
            "securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}, "readOnlyRootFilesystem": True},
        }
    },
    "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    "startupProbe": {"tcpSocket": {"port": 52365}, "failureThreshold": 60},
    "hostAliases": [{"ip": "10.0.0.7", "hostnames": ["hub.example"]}],
    "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
}


def added(rendered: Rendered, pod: str) -> dict[str, Manifest]:
    """The containers beside Ray's, by name; those that end first, or start before it, too."""
    spec = rendered.pod(pod)
    return {each["name"]: each for each in [*spec["containers"][1:], *spec["initContainers"]]}


def by_name(entries: list[Manifest]) -> dict[str, Any]:
    return {each["name"]: {key: value for key, value in each.items() if key != "name"} for each in entries}


def test_what_is_said_of_all_pods_is_in_every_pod_beside_ray(render_with: Render) -> None:
    rendered = render_with({"pods": POD})
    for name, template in rendered.templates.items():
        spec = template["spec"]
        assert spec["containers"][0]["name"] == ("ray-head" if name == "head" else "ray-worker"), (
            "KubeRay's is the first"
        )
        containers = added(rendered, name)
        assert list(containers) == ["helper", "10-warm", "logs"]
        helper, shipper = containers["helper"], containers["logs"]
        assert helper["image"] == spec["containers"][0]["image"]
        assert shipper["image"] == "fluent/fluent-bit:4.1" and "imagePullPolicy" not in shipper
        assert shipper["restartPolicy"] == "Always"
        assert shipper["volumeMounts"] == [{"name": "ray-logs", "mountPath": "/logs", "readOnly": True}]
        assert helper["ports"] == [{"name": "http", "containerPort": 9000}]
        assert by_name(helper["env"])["NODE"]["valueFrom"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}
        assert helper["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            "readOnlyRootFilesystem": True,
        }
        assert shipper["securityContext"]["capabilities"] == {"drop": ["ALL"]}

        ray = spec["containers"][0]
        assert ray["envFrom"] == [
            {"prefix": "HF_", "secretRef": {"name": "hub", "optional": True}},
            {"configMapRef": {"name": "team"}},
        ]
        assert by_name(ray["env"])["MEMORY"]["valueFrom"] == {"resourceFieldRef": {"resource": "limits.memory"}}
        assert ray["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
        assert ray["startupProbe"] == {"tcpSocket": {"port": 52365}, "failureThreshold": 60}
        mounts = {each["mountPath"]: each for each in ray["volumeMounts"]}
        assert mounts["/weights"] == {"name": "weights", "mountPath": "/weights", "subPath": "v2"}
        assert mounts["/settings"] == {"name": "settings", "mountPath": "/settings"}
        assert mounts["/etc/one.yaml"] == {"name": "settings", "mountPath": "/etc/one.yaml", "subPath": "one.yaml"}
        volumes = by_name(spec["volumes"])
        assert volumes["weights"] == {"image": {"reference": "registry.example/weights:2"}}
        assert volumes["settings"] == {"configMap": {"name": "settings"}}
        assert spec["hostAliases"] == [{"ip": "10.0.0.7", "hostnames": ["hub.example"]}]
        assert spec["dnsConfig"] == {"options": [{"name": "ndots", "value": "2"}]}
        assert "dnsPolicy" not in spec and "hostNetwork" not in spec


def test_a_container_beside_a_model_does_not_see_its_gpu_unless_it_asks_to(render_with: Render) -> None:
    monitor = {"image": "dcgm-exporter:4", "env": {"NVIDIA_VISIBLE_DEVICES": "all"}}
    rendered = render_with(
        {"pods": {"extraContainers": {"idle": {}, "monitor": monitor}, "initContainers": {"first": {}}}}
    )
    worker = added(rendered, GROUP)
    seen = {name: by_name(each.get("env", [])).get("NVIDIA_VISIBLE_DEVICES") for name, each in worker.items()}
    assert seen == {"idle": {"value": "void"}, "monitor": {"value": "all"}, "first": {"value": "void"}}
    assert "env" not in added(rendered, INGRESS)["idle"], "there is no GPU to hide"


def test_files_that_each_add_a_container_and_a_group_with_its_own(render: Render) -> None:
    first = {"pods": {"extraContainers": {"one": {"image": "one:1"}}}}
    second = {"pods": {"extraContainers": {"two": {"image": "two:1"}}}}
    group = {"workerGroups": {GROUP: {"extraContainers": {"one": {"image": "one:2"}, "three": {"image": "three:1"}}}}}
    rendered = render([MINIMAL, first, second, group])
    images = {pod: [each["image"] for each in rendered.pod(pod)["containers"][1:]] for pod in ("head", GROUP)}
    assert images == {"head": ["one:1", "two:1"], GROUP: ["one:2", "three:1", "two:1"]}


def test_devices_that_the_cluster_gives_by_claims(render_with: Render) -> None:
    group = {
        "resourceClaims": {"nic": {"resourceClaimTemplateName": "roce"}, "shared": {"resourceClaimName": "one"}},
        "resources": {"claims": {"nic": {"request": "port"}, "shared": {}}, "limits": {"cpu": 8}},
    }
    rendered = render_with({"workerGroups": {GROUP: group}})
    assert by_name(rendered.pod(GROUP)["resourceClaims"]) == group["resourceClaims"]
    resources = rendered.container(GROUP)["resources"]
    assert resources["claims"] == [{"name": "nic", "request": "port"}, {"name": "shared"}]
    assert resources["limits"] == {"cpu": 8, "memory": "24Gi", "nvidia.com/gpu": 1}
    assert "resourceClaims" not in rendered.pod("head") and "claims" not in rendered.container("head")["resources"]


def test_gpus_that_a_claim_has(render_with: Render, render_error: RenderError) -> None:
    claims = {"gpus": {"resourceClaimTemplateName": "one-l4"}}
    rendered = render_with({"workerGroups": {GROUP: {"gpuClaim": "gpus", "resourceClaims": claims}}})
    resources = rendered.container(GROUP)["resources"]
    assert resources["claims"] == [{"name": "gpus"}]
    assert resources["limits"] == {"cpu": "6", "memory": "24Gi"} == resources["requests"]
    assert rendered.groups[GROUP]["rayStartParams"]["num-gpus"] == "1", "KubeRay finds no GPU among the limits"
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in rendered.pod(GROUP)["tolerations"]

    message = render_error({"workerGroups": {GROUP: {"gpuClaim": "gpus"}, "cpus": {"gpuClaim": "none"}}})
    assert f"- workerGroups.{GROUP}.resources.claims.gpus: there is no resourceClaims.gpus. Add it" in message
    assert "- workerGroups.cpus.gpuClaim: how many GPUs it has Ray reads from gpusPerWorker, which is 0" in message


def test_pods_on_the_nodes_network_find_the_head(render_with: Render, render_error: RenderError) -> None:
    spec = render_with({"workerGroups": {GROUP: {"hostNetwork": True}}}).pod(GROUP)
    assert (spec["hostNetwork"], spec["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")

    message = render_error(
        {
            "networkPolicy": POLICY,
            "head": {"hostNetwork": True, "dnsPolicy": "ClusterFirst"},
            "workerGroups": {GROUP: {"dnsPolicy": "None", "resources": {"claims": {"nic": {}}}}},
        }
    )
    assert "- head.hostNetwork: no NetworkPolicy holds for pods on the node's own network" in message
    assert "- head.dnsPolicy: with hostNetwork ClusterFirst asks the node's resolver" in message
    assert f"- workerGroups.{GROUP}.dnsPolicy: None needs dnsConfig.nameservers" in message
    assert f"- workerGroups.{GROUP}.resources.claims.nic: there is no resourceClaims.nic" in message


def test_ports_names_and_mounts_that_collide_are_told_once(render_error: RenderError) -> None:
    port = {"ports": {"http": {"containerPort": 7000}}}
    taken = {name: {"containerPort": number} for name, number in {"a": 8000, "b": 8080, "c": 6379, "d": 15000}.items()}
    message = render_error(
        {
            "pods": {
                "volumes": {"data": {"emptyDir": {}, "readOnly": True}},
                "volumeMounts": {
                    "nowhere": {"mountPath": "/nowhere"},
                    "data": {"mountPath": "/home/ray/models/falcon3"},
                },
                "extraContainers": {"one": {"ports": taken | port["ports"]}, "two": port},
                "initContainers": {"one": {}},
            },
            "head": {"extraContainers": {"three": {"volumeMounts": {"model-cache": {"mountPath": "/cache"}}}}},
            "workerGroups": {
                GROUP: {"extraContainers": {"three": {"volumeMounts": {"model-cache": {"mountPath": "/c"}}}}}
            },
        }
    )
    one = "- pods.extraContainers.one.ports"
    assert message.count(f"{one}.a: Serve has that port on the same pods. Choose another than 8000.") == 1
    assert f"{one}.b: Ray itself (metrics) has that port" in message
    assert f"{one}.c: Ray itself (its control store) has that port" in message
    assert f"{one}.d: Ray itself (workers) has the ports from 10002 to 19999" in message
    assert "- pods.extraContainers.two.ports.http: pods.extraContainers.one has 7000/TCP in the same pods" in message
    assert "- pods.initContainers.one: extraContainers has one of that name" in message
    assert "- head.extraContainers.three.volumeMounts.model-cache: the pod has no volume model-cache" in message
    assert f"workerGroups.{GROUP}.extraContainers.three" not in message
    assert "- head.volumeMounts.nowhere: the pods have no volume nowhere" in message
    assert '- head.volumeMounts.data: "family-falcon3" is mounted at /home/ray/models/falcon3 already' in message
    assert "- pods.volumes.data.readOnly: it says how Ray's container has the volume" in message


def test_a_privileged_container_needs_what_kubernetes_wants_beside_it(
    render_error: RenderError, render_with: Render
) -> None:
    def beside(**context: Any) -> dict[str, Any]:
        return {"pods": {"extraContainers": {"probe": {"securityContext": context}}}}

    message = render_error(beside(privileged=True, runAsUser=0))
    assert (
        "- pods.extraContainers.probe.securityContext.privileged: Kubernetes refuses a privileged container" in message
    )
    assert "- pods.extraContainers.probe.securityContext.runAsUser: 0 is root, and runAsNonRoot is true" in message
    render_with(beside(privileged=True, allowPrivilegeEscalation=True, runAsUser=0, runAsNonRoot=False))


def recipes() -> dict[str, dict[str, Any]]:
    """The recipes of docs/how-to.md about what people add, by their headings."""
    text = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
    section = text.split("\n## Sidecars, init containers and objects of your own\n")[1].split("\n## ")[0]
    parts = section.split("\n### ")[1:]
    return {
        part.split("\n")[0]: parse(part.split("```yaml\n")[1].split("```")[0]) for part in parts if "```yaml" in part
    }


@pytest.mark.parametrize("heading", ["Ship logs", "Take devices by a claim"])
def test_the_recipes_of_the_how_to_are_taken(render_with: Render, heading: str) -> None:
    recipe = recipes()[heading]
    environment = {"namespace": "ai", "ray": "2.60.0", "pools": {"l4": {"nodes": 1}}, "serve": {}}
    check_document(environment | recipe, "environment", Origin("dev.yaml"))
    group = recipe.get("pools", {}).get("l4", {}).get("workerGroup", {})
    rendered = render_with(recipe["chart"] | {"workerGroups": {GROUP: group}})
    made = {each["metadata"]["name"] for each in rendered.objects}
    named = {each["configMap"]["name"] for each in rendered.pod(GROUP)["volumes"] if "configMap" in each}
    named |= {each["resourceClaimTemplateName"] for each in rendered.pod(GROUP).get("resourceClaims", [])}
    assert named - made <= {"one-nic"}, "what the recipe names it makes"
