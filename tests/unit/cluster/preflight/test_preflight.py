"""What preflight says of API objects: the same functions read a live cluster's (tests/cluster)."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from generator.cluster.finding import Finding
from generator.cluster.nodes import Node, Used, matches, of_others, read_node, room, untolerated, used
from generator.cluster.pods import PodGroup, pod_groups, pod_requests
from generator.cluster.preflight.access import api_findings, operator_access_findings
from generator.cluster.preflight.images import Image, image_findings, pull_state
from generator.cluster.preflight.kuberay import crd_findings, operator_findings, unknown_field_findings
from generator.cluster.preflight.objects import pod_fix, probe_pod
from generator.cluster.preflight.pools import Demand, pool_findings, update_findings
from generator.cluster.preflight.references import (
    Reference,
    claim_findings,
    key_findings,
    keys_in,
    redis_references,
    references,
    variable_findings,
)
from generator.cluster.preflight.upgrade import gate_findings, gateway_class, gateway_class_finding
from generator.units import quantity

GIB = 2**30


def node(name: str = "node-1", *, labels: dict[str, str] | None = None, **fields: Any) -> Node:
    allocatable = {"pods": "110", "cpu": "8", "memory": "32Gi", **fields.pop("allocatable", {})}
    return read_node(
        {
            "metadata": {"name": name, "labels": labels or {}},
            "spec": fields.pop("spec", {}),
            "status": {
                "allocatable": allocatable,
                "conditions": [{"type": "Ready", "status": fields.pop("ready", "True")}],
                "images": [{"names": fields.pop("images", [])}],
            },
        }
    )


def gpu_node(name: str = "gpu-1", **fields: Any) -> Node:
    labels = {"gpu": "l4", "kubernetes.io/hostname": name, **fields.pop("labels", {})}
    return node(name, labels=labels, allocatable={"nvidia.com/gpu": "1"}, **fields)


def group(name: str = "l4-workers", **spec: Any) -> PodGroup:
    limits = spec.pop("limits", {"cpu": "6", "memory": "24Gi", "nvidia.com/gpu": "1"})
    container = {"name": "ray-worker", "image": "ray:1", "resources": {"limits": limits}, **spec.pop("container", {})}
    full = {"containers": [container], **spec}
    return PodGroup(name=name, labels={}, spec=full, minimum=0, most=5, requests=pod_requests(full))


def found(
    pods: PodGroup, nodes: list[Node], *, minimum: int = 1, peak: int = 1, used: Used | None = None, **more: Any
) -> list[Finding]:
    demand = Demand(minimum=minimum, peak=peak, gpu=more.get("gpu", ""), gpu_memory_gib=more.get("gib", 0))
    return list(pool_findings(pods, demand, nodes, used or {}, autoscaled=more.get("autoscaled", False)))


class TestRoom:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("500m", 0.5),
            ("2", 2),
            (2, 2),
            ("24Gi", 24 * GIB),
            ("1k", 1000),
            ("1e3", 1000),
            ("1.5M", 1.5e6),
            ("1E", 1e18),
        ],
    )
    def test_quantities(self, text: str | int, number: float) -> None:
        assert quantity(text) == pytest.approx(number)

    def test_a_pod_asks_for_its_requests_or_else_its_limits_and_for_the_largest_init_container(self) -> None:
        spec = {
            "initContainers": [{"resources": {"requests": {"cpu": "3", "memory": "1Gi"}}}],
            "containers": [
                {"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "2Gi"}}},
                {"resources": {"limits": {"cpu": "500m"}}},
            ],
        }
        assert pod_requests(spec) == {"pods": 1, "cpu": 3, "memory": 2 * GIB}

    def test_an_init_container_that_stays_counts_beside_the_others(self) -> None:
        def asking(cpu: str, **more: str) -> dict[str, Any]:
            return {"resources": {"requests": {"cpu": cpu}}, **more}

        first, staying = asking("3"), asking("500m", restartPolicy="Always")
        assert pod_requests({"initContainers": [staying, first], "containers": [asking("1")]})["cpu"] == 3.5
        assert pod_requests({"initContainers": [first, staying], "containers": [asking("1")]})["cpu"] == 3
        assert pod_requests({"initContainers": [staying], "containers": [asking("1"), asking("1")]})["cpu"] == 2.5

    def test_the_head_counts_the_autoscaler_beside_it(self) -> None:
        template = {"spec": {"containers": [{"resources": {"limits": {"cpu": "2", "memory": "8Gi"}}}]}}
        cluster = {"enableInTreeAutoscaling": True, "headGroupSpec": {"template": template}, "workerGroupSpecs": []}
        (head,) = pod_groups([{"kind": "RayService", "spec": {"rayClusterConfig": cluster}}])
        assert head.requests == {"pods": 1, "cpu": 2.5, "memory": 8.5 * GIB}

    def test_room_is_what_the_scarcest_resource_leaves(self) -> None:
        assert room({"pods": 1, "cpu": 2, "memory": GIB}, node()) == 4
        assert room({"cpu": 0.1}, node(allocatable={"cpu": "300m"})) == 3
        assert room({"pods": 1, "cpu": 2}, node(), {"cpu": 3}) == 2
        assert room({"nvidia.com/gpu": 1}, node()) == 0

    def test_pods_of_the_release_itself_make_room_and_those_that_ended_take_none(self) -> None:
        def pod(name: str, *, labels: dict[str, str], phase: str = "Running") -> dict[str, Any]:
            return {
                "metadata": {"name": name, "namespace": "ai", "labels": labels},
                "spec": {"nodeName": "node-1", "containers": [{"resources": {"requests": {"cpu": "1"}}}]},
                "status": {"phase": phase},
            }

        mine = {"app.kubernetes.io/instance": "llm"}
        pods = [pod("a", labels=mine), pod("b", labels={}), pod("c", labels={}, phase="Succeeded")]
        assert used(of_others(pods, release="llm", namespace="ai")) == {"node-1": {"pods": 1, "cpu": 1}}
        assert used(of_others(pods, release="llm", namespace="other"))["node-1"]["cpu"] == 2


class TestPlacementRules:
    @pytest.mark.parametrize(
        ("expression", "chosen"),
        [
            ({"key": "gpu", "operator": "In", "values": ["l4", "h100"]}, True),
            ({"key": "gpu", "operator": "NotIn", "values": ["l4"]}, False),
            ({"key": "gpu", "operator": "Exists"}, True),
            ({"key": "gpu", "operator": "DoesNotExist"}, False),
            ({"key": "memory", "operator": "Gt", "values": ["20000"]}, True),
            ({"key": "memory", "operator": "Lt", "values": ["20000"]}, False),
            ({"key": "absent", "operator": "Gt", "values": ["1"]}, False),
        ],
    )
    def test_node_affinity(self, expression: dict[str, Any], chosen: bool) -> None:
        terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
        spec = {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}
        assert matches(spec, node(labels={"gpu": "l4", "memory": "23034"})) is chosen

    @pytest.mark.parametrize(
        ("toleration", "kept_away"),
        [
            ({"key": "nvidia.com/gpu", "operator": "Exists"}, False),
            ({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}, False),
            ({"key": "nvidia.com/gpu", "value": "other"}, True),
            ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute"}, True),
            ({"operator": "Exists"}, False),
        ],
    )
    def test_tolerations(self, toleration: dict[str, str], kept_away: bool) -> None:
        taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
        assert bool(untolerated({"tolerations": [toleration]}, node(spec={"taints": [taint]}))) is kept_away


class TestPools:
    def test_enough(self) -> None:
        (finding,) = found(group(nodeSelector={"gpu": "l4"}), [gpu_node("a"), gpu_node("b"), node()], peak=2)
        assert finding.level == "pass"
        assert finding.message == (
            "2 nodes hold 2 pods of 6 CPUs, 24 GiB, 1 nvidia.com/gpu; the plan needs 1 at minimum, 2 at peak"
        )

    def test_a_misspelt_label_value_names_the_nearest(self) -> None:
        (finding,) = found(group(nodeSelector={"gpu": "l40"}), [gpu_node(), node()])
        assert (finding.level, finding.message) == ("fail", "0 of 2 nodes match nodeSelector gpu=l40")
        assert finding.fix == "Nodes have gpu = l4 (1 node); did you mean 'l4'?"

    def test_a_label_that_no_node_has_shows_those_of_gpu_nodes(self) -> None:
        (finding,) = found(group(nodeSelector={"accelerator": "l4"}), [gpu_node(), node(labels={"other": "x"})])
        assert finding.fix == "No node has the label accelerator. Labels of GPU nodes: gpu=l4"

    @pytest.mark.parametrize("why", [{"minimum": 0}, {"autoscaled": True}])
    def test_nodes_that_may_come_are_a_warning(self, why: dict[str, Any]) -> None:
        (finding,) = found(group(nodeSelector={"gpu": "h100"}), [gpu_node()], **why)
        assert finding.level == "warn"

    def test_a_taint_gives_the_toleration_to_write(self) -> None:
        tainted = gpu_node(spec={"taints": [{"key": "team", "value": "ml", "effect": "NoSchedule"}]})
        (finding,) = found(group(), [tainted])
        assert finding.level == "fail"
        assert "team=ml:NoSchedule (1 node)" in finding.message
        assert finding.fix == (
            "Add to the pool: tolerations: [{key: team, operator: Equal, value: ml, effect: NoSchedule}]"
        )

    @pytest.mark.parametrize(
        ("state", "word"), [({"ready": "False"}, "not Ready"), ({"spec": {"unschedulable": True}}, "cordoned")]
    )
    def test_nodes_that_take_no_pods(self, state: dict[str, Any], word: str) -> None:
        (finding,) = found(group(), [gpu_node(**state)])
        assert finding.message == f"of 1 node that match none takes pods: {word} (1 node)"

    def test_a_worker_larger_than_every_node_says_what_is_asked_and_what_there_is(self) -> None:
        wide = group(limits={"cpu": "6", "memory": "48Gi", "nvidia.com/gpu": "4"})
        (finding,) = found(wide, [gpu_node("a"), gpu_node("b")])
        assert finding.level == "fail"
        assert "a pod asks for 48 GiB and the largest of 2 nodes has 32 GiB" in finding.message
        assert "a pod asks for 4 nvidia.com/gpu and the largest of 2 nodes has 1 nvidia.com/gpu" in finding.message
        assert "gpusPerNode" in finding.fix

    def test_a_disk_that_holds_no_worker_says_what_nodes_have_and_what_would_do(self) -> None:
        pods = group(container={"resources": {"requests": {"cpu": "6", "ephemeral-storage": "30Gi"}}})
        small = node(allocatable={"ephemeral-storage": "20Gi"})
        (finding,) = found(pods, [small, small])
        assert finding.level == "fail"
        assert "a pod asks for 30 GiB of disk and the largest of 2 nodes has 20 GiB of disk" in finding.message
        assert finding.fix.startswith("Set the pool's `diskPerNode` to 20Gi and plan again")
        (finding,) = found(pods, [small, node(allocatable={"ephemeral-storage": "60Gi"})])
        assert finding.level == "pass"
        assert finding.message.startswith("1 node holds 1 pods of 6 CPUs, 30 GiB of disk;")

    def test_nodes_that_declare_no_disk_take_no_pod_that_asks_for_some(self) -> None:
        """Kubernetes' scheduler takes it for none: fitsRequest in its plugin noderesources/fit.go."""
        pods = group(container={"resources": {"requests": {"cpu": "6", "ephemeral-storage": "30Gi"}}})
        (finding,) = found(pods, [node()])
        assert (finding.level, "localStorageCapacityIsolation" in finding.fix) == ("fail", True)
        (finding,) = found(group(container={"resources": {"requests": {"ephemeral-storage": "0"}}}), [node()])
        assert finding.level == "pass"

    def test_no_gpu_anywhere_is_a_missing_device_plugin(self) -> None:
        (finding,) = found(group(), [node()])
        assert "device plugin" in finding.fix

    def test_too_few_for_the_minimum(self) -> None:
        (finding,) = found(group(), [gpu_node()], minimum=3, peak=5)
        assert (finding.level, finding.fix[:9]) == ("fail", "Add nodes")

    def test_other_pods_in_the_way_and_a_peak_that_waits_are_warnings(self) -> None:
        used = {"gpu-1": {"nvidia.com/gpu": 1}}
        (busy,) = found(group(), [gpu_node()], used=used)
        assert busy.level == "warn"
        assert "1 node holds 1 pods" in busy.message
        assert "0 of them now, beside other pods" in busy.message
        (peak,) = found(group(), [gpu_node()], peak=2)
        assert peak.message.endswith("beyond 1 they wait")

    def test_a_smaller_gpu_than_planned_and_shared_gpus(self) -> None:
        small = gpu_node(labels={"nvidia.com/gpu.memory": "15360"})
        assert "a node's GPU has 15.0 GiB" in found(group(), [small], gpu="L4-24GB", gib=22.5)[0].message
        right = gpu_node(labels={"nvidia.com/gpu.memory": "23034"})
        assert [f.level for f in found(group(), [right], gpu="L4-24GB", gib=22.5)] == ["pass"]
        shared = gpu_node(labels={"nvidia.com/gpu.sharing-strategy": "time-slicing"})
        assert found(group(), [shared], gpu="L4-24GB", gib=22.5)[0].level == "warn"

    def test_an_update_needs_room_for_a_second_cluster(self) -> None:
        running = {"a": {"nvidia.com/gpu": 1}}
        demand = Demand(minimum=1, peak=2, update=1)
        assert list(update_findings(group(), demand, [gpu_node("a"), gpu_node("b")], running)) == []
        (finding,) = update_findings(group(), demand, [gpu_node("a")], running)
        assert finding.level == "warn"
        assert finding.message.endswith("which needs 1 more; 0 fit beside what runs now")

    def test_a_cluster_without_nodes(self) -> None:
        assert found(group(), [])[0].message == "the cluster has no nodes"


class TestKubeRay:
    def operator(self, image: str, *, args: list[str] | None = None, ready: int = 1) -> dict[str, Any]:
        container = {"image": image, "args": args or []}
        return {
            "metadata": {"name": "kuberay-operator", "namespace": "kuberay-system", "labels": {}},
            "spec": {"template": {"spec": {"containers": [container]}}},
            "status": {"readyReplicas": ready},
        }

    def test_crds(self) -> None:
        served = {"spec": {"versions": [{"name": "v1", "served": True}]}}
        assert [f.level for f in crd_findings({"rayservices.ray.io": served})] == ["pass"]
        (missing,) = crd_findings({"rayservices.ray.io": None, "rayclusters.ray.io": None})
        assert missing.message == "no CRD rayservices.ray.io and no CRD rayclusters.ray.io"
        old = {"spec": {"versions": [{"name": "v1alpha1", "served": True}, {"name": "v1", "served": False}]}}
        (finding,) = crd_findings({"rayservices.ray.io": old})
        assert "serves v1alpha1 and not v1" in finding.message

    @pytest.mark.parametrize(
        ("image", "level"),
        [
            ("quay.io/kuberay/operator:v1.6.1", "pass"),
            ("registry.local:5000/kuberay/operator:v1.4.2", "pass"),
            ("quay.io/kuberay/operator:v1.3.2", "fail"),
            ("quay.io/kuberay/operator@sha256:00", "warn"),
        ],
    )
    def test_the_operator_says_its_version_by_its_image(self, image: str, level: str) -> None:
        assert next(operator_findings([self.operator(image)], "ai")).level == level

    def test_an_operator_that_does_not_run_or_watches_other_namespaces(self) -> None:
        image = "quay.io/kuberay/operator:v1.6.1"
        (stopped,) = operator_findings([self.operator(image, ready=0)], "ai")
        assert stopped.message.endswith("does not run")
        watching = self.operator(image, args=["--watch-namespace=a,b"])
        assert "watches only a, b" in next(operator_findings([watching], "ai")).message
        assert [f.level for f in operator_findings([watching], "b")] == ["pass"]

    def test_an_operator_that_cannot_be_seen_may_be_elsewhere(self) -> None:
        assert [f.level for f in operator_findings([], "ai")] == ["warn"]

    @pytest.mark.parametrize(
        ("args", "level"),
        [
            ([], "fail"),
            (["--feature-gates=RayServiceIncrementalUpgrade=true"], "pass"),
            (["-feature-gates", "RayClusterStatusConditions=true,RayServiceIncrementalUpgrade=True"], "pass"),
            (["--feature-gates=RayServiceIncrementalUpgrade=false"], "fail"),
            (["--feature-gates=RayServiceIncrementalUpgradeX=true"], "fail"),
        ],
    )
    def test_an_update_in_steps_needs_its_gate(self, args: list[str], level: str) -> None:
        (finding,) = gate_findings([self.operator("quay.io/kuberay/operator:v1.6.2", args=args)])
        assert finding.level == level
        if level == "fail":
            assert (
                "has the gate RayServiceIncrementalUpgrade off, and would ignore a changed cluster" in finding.message
            )
            assert "--feature-gates=RayServiceIncrementalUpgrade=true" in finding.fix

    def test_an_update_in_steps_needs_its_gateway_class(self) -> None:
        steps = {"type": "NewClusterWithIncrementalUpgrade", "clusterUpgradeOptions": {"gatewayClassName": "istio"}}
        service = {"kind": "RayService", "spec": {"upgradeStrategy": steps}}
        assert gateway_class([service]) == "istio"
        assert gateway_class([{"kind": "RayService", "spec": {"upgradeStrategy": {"type": "NewCluster"}}}]) is None
        accepted = {"status": {"conditions": [{"type": "Accepted", "status": "True"}]}}
        levels = [gateway_class_finding("istio", found).level for found in (None, {}, accepted)]
        assert levels == ["fail", "warn", "pass"]

    def test_fields_that_this_kuberay_lacks_are_named_with_what_to_do(self) -> None:
        # What an API server with the CRDs of KubeRay 1.4.2 answers to a strict dry run.
        message = (
            'RayService in version "v1" cannot be handled as a RayService: strict decoding error: unknown field '
            '"spec.rayClusterConfig.authOptions", unknown field "spec.rayClusterConfig.fancy"'
        )
        known, unknown = unknown_field_findings(message)
        assert "it came with 1.5.1" in known.message
        assert "auth: {mode: disabled}" in known.fix
        assert "does not know spec.rayClusterConfig.fancy" in unknown.message
        assert unknown_field_findings("admission webhook denied the request") == []


class TestAccess:
    POLICY: ClassVar[dict[str, Any]] = {
        "kind": "NetworkPolicy",
        "spec": {
            "ingress": [
                {"from": [{"podSelector": {}}]},
                {
                    "from": [
                        {
                            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "kuberay-operator"}},
                            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kuberay-system"}},
                        }
                    ],
                    "ports": [{"port": 8265}],
                },
            ]
        },
    }

    def release(self, **cluster: Any) -> dict[str, Any]:
        return {"kind": "RayService", "spec": {"rayClusterConfig": {"rayVersion": "2.49.1", **cluster}}}

    def operator(self, namespace: str, **labels: str) -> dict[str, Any]:
        return {
            "metadata": {"name": "kuberay-operator", "namespace": namespace},
            "spec": {"template": {"metadata": {"labels": labels}}},
        }

    def test_a_release_that_every_pod_can_run_code_in(self) -> None:
        (finding,) = api_findings([self.release()])
        assert finding.level == "warn"
        assert finding.message.startswith("every pod of the cluster can run code in this release: Ray 2.49.1 asks for")
        assert "networkPolicy: {enabled: true, operatorNamespace: …}" in finding.fix

    def test_a_token_or_a_policy_is_enough(self) -> None:
        told = [
            next(api_findings(manifests))
            for manifests in (
                [self.release(authOptions={"mode": "token"})],
                [self.release(), self.POLICY],
                [self.release(authOptions={"mode": "token"}), self.POLICY],
            )
        ]
        assert {finding.level for finding in told} == {"pass"}
        assert told[2].message == "Ray's own API asks for a token and is behind a NetworkPolicy"

    def test_an_operator_that_the_policy_keeps_out(self) -> None:
        label = {"app.kubernetes.io/component": "kuberay-operator"}
        manifests = [self.release(), self.POLICY]
        assert list(operator_access_findings(manifests, [self.operator("kuberay-system", **label)])) == []
        assert list(operator_access_findings([self.release()], [self.operator("elsewhere")])) == []
        for kept_out in (self.operator("elsewhere", **label), self.operator("kuberay-system")):
            (finding,) = operator_access_findings(manifests, [kept_out])
            assert finding.level == "fail"
            assert "keeps the operator" in finding.message
            assert f"operatorNamespace: {kept_out['metadata']['namespace']}" in finding.fix


class TestReferences:
    def test_everything_that_pods_name_is_found_once(self) -> None:
        token = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}}}
        worker = group(
            imagePullSecrets=[{"name": "registry"}],
            container={"env": [token], "envFrom": [{"configMapRef": {"name": "settings", "optional": True}}]},
            volumes=[
                {"name": "cache", "persistentVolumeClaim": {"claimName": "models"}},
                {"name": "files", "projected": {"sources": [{"secret": {"name": "tls", "items": [{"key": "ca"}]}}]}},
                {"name": "api", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}},
            ],
        )
        named = [(r.kind, r.name, r.key, r.optional) for r in references([worker, worker])]
        assert named == [
            ("ConfigMap", "settings", "", True),
            ("PersistentVolumeClaim", "models", "", False),
            ("Secret", "hf-token", "token", False),
            ("Secret", "registry", "", False),
            ("Secret", "tls", "ca", False),
        ]

    def test_the_secret_of_redis_is_the_rayservices(self) -> None:
        secret = {"name": "ray-redis", "key": "redis-password"}
        options = {"redisAddress": "redis:6379", "redisPassword": {"valueFrom": {"secretKeyRef": secret}}}
        service = {"spec": {"rayClusterConfig": {"gcsFaultToleranceOptions": options}}}
        (reference,) = redis_references(service)
        assert key_findings(reference, None, "ai").message == "Secret ai/ray-redis does not exist (password of Redis)"
        finding = key_findings(reference, self.metadata("other"), "ai")
        assert finding.fix == "It has other. Add the key, or name another (gcsFaultTolerance.redis.key)."
        assert redis_references({"spec": {"rayClusterConfig": {}}}) == []

    TOKEN = Reference(kind="Secret", name="hf-token", key="token", purpose="environment variable HF_TOKEN")

    def metadata(self, *keys: str) -> dict[str, Any]:
        return {"managedFields": [{"fieldsV1": {"f:data": {".": {}, **{f"f:{key}": {} for key in keys}}}}]}

    def test_the_keys_of_a_secret_are_known_without_its_values(self) -> None:
        assert keys_in(self.metadata("token", "other")) == {"token", "other"}
        assert keys_in({}) is None
        assert key_findings(self.TOKEN, self.metadata("token"), "ai").level == "pass"
        assert key_findings(self.TOKEN, {}, "ai").level == "warn"

    def test_a_missing_secret_says_how_to_make_it_and_a_missing_key_what_is_there(self) -> None:
        missing = key_findings(self.TOKEN, None, "ai")
        assert missing.message == "Secret ai/hf-token does not exist (environment variable HF_TOKEN)"
        assert missing.fix.startswith("kubectl create secret generic hf-token -n ai --from-file=token=")
        other = key_findings(self.TOKEN, self.metadata("tokens"), "ai")
        assert (other.level, other.fix) == ("fail", "It has tokens; did you mean 'tokens'?")

    def test_an_image_pull_secret_holds_a_login(self) -> None:
        login = Reference(kind="Secret", name="registry", purpose="image pull")
        assert key_findings(login, self.metadata(".dockerconfigjson"), "ai").level == "pass"
        assert "holds no registry login" in key_findings(login, self.metadata("token"), "ai").message

    def test_keys_that_become_variables_which_undo_a_value(self) -> None:
        source = {"secretRef": {"name": "team"}, "prefix": "VLLM_"}
        (reference,) = references([group(container={"envFrom": [source]})])
        keys = ("SERVER_DEV_MODE", "TORCH_PROFILER_DIR", "LOGGING_LEVEL")
        told = list(variable_findings(reference, keys, "ai"))
        assert [finding.level for finding in told] == ["warn", "fail"], "the first may be 0, which does nothing"
        assert told[1].message.startswith("Secret ai/team gives pods VLLM_TORCH_PROFILER_DIR: it adds /start_profile")
        assert told[1].fix == "Remove it."
        assert list(variable_findings(self.TOKEN, ["RAY_AUTH_MODE"], "ai")) == []

    def test_a_claim_that_the_release_makes(self) -> None:
        cache = Reference(kind="PersistentVolumeClaim", name="llm-model-cache", purpose="volume model-cache")
        claim = {"spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "nfs"}}
        classes = [{"metadata": {"name": "nfs"}, "volumeBindingMode": "Immediate"}]
        (finding,) = claim_findings(cache, claim, classes, namespace="ai", pods=3, is_new=True)
        assert (finding.level, finding.message) == ("pass", "claim ai/llm-model-cache is made with the release (nfs)")
        (finding,) = claim_findings(cache, claim, [], namespace="ai", pods=3, is_new=True)
        assert "waits for the StorageClass nfs, which does not exist" in finding.message

    def test_what_is_optional_may_be_missing(self) -> None:
        optional = Reference(kind="ConfigMap", name="x", key="y", purpose="volume z", optional=True)
        assert key_findings(optional, None, "ai").level == "pass"

    @pytest.mark.parametrize(
        ("claim", "level", "words"),
        [
            (None, "fail", "does not exist"),
            ({"phase": "Bound"}, "pass", "is bound"),
            ({"phase": "Pending", "storageClassName": "late"}, "pass", "is bound when the first pod uses it (late)"),
            ({"phase": "Pending", "storageClassName": "now"}, "warn", "has no volume yet"),
            ({"phase": "Pending", "storageClassName": "gone"}, "fail", "StorageClass gone, which does not exist"),
            ({"phase": "Pending"}, "fail", "the cluster has no default"),
            ({"phase": "Lost"}, "fail", "has lost its volume"),
        ],
    )
    def test_claims(self, claim: dict[str, str] | None, level: str, words: str) -> None:
        classes = [
            {"metadata": {"name": "late"}, "volumeBindingMode": "WaitForFirstConsumer"},
            {"metadata": {"name": "now"}, "volumeBindingMode": "Immediate"},
        ]
        cache = Reference(kind="PersistentVolumeClaim", name="models", purpose="volume model-cache")
        there = claim and {
            "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": claim.get("storageClassName")},
            "status": {"phase": claim["phase"]},
        }
        (finding,) = claim_findings(cache, there, classes, namespace="ai", pods=3)
        assert finding.level == level
        assert words in finding.message

    def test_one_node_only_is_said_where_several_pods_mount(self) -> None:
        cache = Reference(kind="PersistentVolumeClaim", name="models", purpose="volume model-cache")
        claim = {"spec": {"accessModes": ["ReadWriteOnce"]}, "status": {"phase": "Bound"}}
        assert [f.level for f in claim_findings(cache, claim, [], namespace="ai", pods=1)] == ["pass"]
        assert [f.level for f in claim_findings(cache, claim, [], namespace="ai", pods=2)] == ["pass", "warn"]


class TestImages:
    @pytest.mark.parametrize(
        ("policy", "images", "level"),
        [
            ("Always", ["ray:1"], "warn"),  # the node asks the registry all the same
            ("Never", ["ray:1"], "pass"),
            ("Never", [], "fail"),
            ("IfNotPresent", ["docker.io/library/ray:1"], "pass"),
            ("IfNotPresent", [], "warn"),
        ],
    )
    def test_what_nodes_tell(self, policy: str, images: list[str], level: str) -> None:
        image = Image(name="ray:1", policy=policy, groups=[group()])
        assert image_findings(image, [node(images=images)]).level == level

    @pytest.mark.parametrize(
        ("status", "level"),
        [
            ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, None),
            ({"containerStatuses": [{"state": {"terminated": {"exitCode": 0}}}]}, "pass"),
            ({"containerStatuses": [{"state": {"waiting": {"reason": "CreateContainerError"}}}]}, "pass"),
            ({"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]}, "fail"),
            ({"conditions": [{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1"}]}, "warn"),
            ({}, None),
        ],
    )
    def test_what_a_pull_says(self, status: dict[str, Any], level: str | None) -> None:
        image = Image(name="ray:1", policy="IfNotPresent", groups=[group()])
        finding = pull_state(image, {"spec": {"nodeName": "node-1"}, "status": status})
        assert (finding and finding.level) == level


def test_a_probe_needs_no_service_account_of_the_release_and_keeps_the_rest() -> None:
    pod = probe_pod(group(serviceAccountName="falcon3", priorityClassName="high"))
    assert "serviceAccountName" not in pod["spec"]
    assert pod["spec"]["priorityClassName"] == "high"
    assert pod["spec"]["containers"][0]["command"] == ["true"]


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ('violates PodSecurity "restricted:latest": hostPath volumes', "choose another level"),
        ("exceeded quota: small, requested: limits.cpu=6", "ResourceQuota"),
        ("maximum memory usage per Container is 8Gi, but limit is 24Gi", "LimitRange"),
        ("no PriorityClass with name high was found", "priorityclasses"),
        ('RuntimeClass "nvidia" not found', "runtimeclasses"),
    ],
)
def test_a_refused_pod_says_what_to_do(message: str, word: str) -> None:
    assert word in pod_fix(message)
