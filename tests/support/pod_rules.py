"""Values of which each word is right, and which Kubernetes or KubeRay refuses together; and some that they take."""

from __future__ import annotations

from typing import Any

# What every environment says.
ENVIRONMENT = {"namespace": "ai", "ray": "2.60.0", "pools": {"small": {"nodes": 1}}, "serve": {}}
NODES = "pods/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms"
POLICY = {"enabled": True, "operatorNamespace": "kuberay-system"}


def below(path: str, value: Any) -> Any:
    """A mapping with the value at a path, whose steps are between slashes; `~1` is a slash in one."""
    for key in reversed(path.split("/")):
        value = {key.replace("~1", "/"): value}
    return value


def policy(**more: Any) -> Any:
    return below("networkPolicy", {**POLICY, **more})


def clients(cidr: str, *excepted: str) -> Any:
    return policy(clients=[{"ipBlock": {"cidr": cidr, "except": list(excepted)}}])


def term(operator: str, *values: str) -> Any:
    return below(NODES, [{"matchExpressions": [{"key": "a", "operator": operator, "values": list(values)}]}])


def mounted(path: str, **options: Any) -> Any:
    return below("pods/volumes/data", {"mountPath": path, "emptyDir": {}, **options})


def beside(**container: Any) -> Any:
    return below("pods/extraContainers/helper", container)


def before(**container: Any) -> Any:
    return below("head/initContainers/helper", container)


def spread(**constraint: Any) -> Any:
    return {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", **constraint}


REFUSED: list[tuple[Any, str]] = [
    (below("head/resources/limits/foo", 1), "a container has no such resource"),
    (below("head/resources/limits/kubernetes.io~1foo", 1), "a container has no such resource"),
    (below("autoscalerOptions/resources/limits/foo", 1), "a container has no such resource"),
    (
        below("pods/tolerations", [{"key": "a", "operator": "Exists", "value": "b"}]),
        "operator Exists there is no value",
    ),
    (below("pods/tolerations", [{"value": "b"}]), "without a key the operator is Exists"),
    (below("head/tolerations", [{"key": "a", "tolerationSeconds": 5}]), "for the effect NoExecute alone"),
    (below("pods/topologySpreadConstraints", [spread(), spread(maxSkew=2)]), "already, and Kubernetes takes one"),
    (
        below("pods/topologySpreadConstraints", [spread(minDomains=2, whenUnsatisfiable="ScheduleAnyway")]),
        "for whenUnsatisfiable DoNotSchedule alone",
    ),
    (term("In"), "operator In needs values"),
    (term("Exists", "x"), "with operator Exists there are no values"),
    (term("Gt", "1", "2"), "operator Gt needs one value"),
    (
        policy(clients=[{"podSelector": {"matchExpressions": [{"key": "a", "operator": "Lt", "values": ["1"]}]}}]),
        "Lt is for labels of nodes alone",
    ),
    (below("pods/podSecurityContext", {"runAsUser": 0, "runAsNonRoot": True}), "0 is root, and runAsNonRoot is true"),
    (below("head/securityContext", {"runAsUser": 0, "runAsNonRoot": True}), "0 is root, and runAsNonRoot is true"),
    (mounted("/var/run/secrets/kubernetes.io"), "programs take what is in"),
    (mounted("/run/secrets/kubernetes.io/serviceaccount/"), "programs take what is in"),
    (below("pods/podLabels/ray.io~1cluster", "x"), "finds the pods of a cluster by it"),
    (below("head/podLabels/app.kubernetes.io~1created-by", "x"), "the head's Service selects the head by it"),
    (below("pods/podAnnotations/ray.io~1overwrite-container-cmd", "true"), "takes it for an order of its own"),
    (below("commonAnnotations/ray.io~1overwrite-container-cmd", "true"), "with it no pod would start Ray"),
    (clients("10.0.0.0/33"), "is no range of addresses"),
    (clients("10.0.0.0.0/8"), "is no range of addresses"),
    (clients("300.0.0.0/8"), "is no range of addresses"),
    (clients("fd00::/129"), "is no range of addresses"),
    (clients("10.0.0.0/8", "10.1.0.0/40"), "is no range of addresses"),
    (clients("10.0.0.0/8", "11.0.0.0/16"), "from which it is taken out"),
    (clients("10.0.0.0/8", "10.0.0.0/8"), "from which it is taken out"),
    (clients("10.0.0.0/8", "fd00::/16"), "from which it is taken out"),
    (below("pods/extraContainers/autoscaler", {}), "is the name of a container of KubeRay's"),
    (below("ingressWorkers/initContainers/wait-gcs-ready", {}), "is the name of a container of KubeRay's"),
    (beside(resources={"limits": {"nvidia.com/gpu": 1}}), "a model would wait for a device"),
    (beside(resources={"limits": {"nvidia.com/mig-1g.5gb": 1}}), "a model would wait for a device"),
    (before(resources={"requests": {"google.com/tpu": 4}}), "a model would wait for a device"),
    (beside(resources={"limits": {"foo": 1}}), "a container has no such resource"),
    (beside(volumeMounts={"kubernetes-api": {"mountPath": "/api"}}), "the autoscaler's token of Kubernetes"),
    (beside(volumeMounts={"a": {"name": "kubernetes-api", "mountPath": "/a"}}), "the autoscaler's token of Kubernetes"),
    (below("head/volumeMounts/kubernetes-api", {"mountPath": "/api"}), "the autoscaler's token of Kubernetes"),
    (beside(volumeMounts={"a": {"mountPath": "/run/secrets/kubernetes.io"}}), "programs take what is in"),
    (beside(env={"RAY_AUTH_MODE": "disabled"}), "whether Ray's own API asks for a token"),
    (
        beside(envFrom={"a": {"secretRef": {"name": "a"}, "prefix": "RAY_AUTH_"}}),
        "whether Ray's own API asks for a token",
    ),
    (
        below("pods/envFrom/a", {"configMapRef": {"name": "a"}, "prefix": "RAY_AUTH_M"}),
        "whether Ray's own API asks for",
    ),
    (before(readinessProbe={"exec": {"command": ["true"]}}), "a container that ends before Ray's starts takes none"),
    (before(securityContext={"runAsUser": 0, "runAsNonRoot": True}), "0 is root, and runAsNonRoot is true"),
    (mounted("/data", subPath="a", subPathExpr="$(B)"), "takes subPath or subPathExpr"),
    (policy(egress=[{"ports": [{"port": 10, "endPort": 5}]}]), "is less than port"),
    (policy(egress=[{"ports": [{"port": "http", "endPort": 5}]}]), "a range that begins with the number in port"),
    (policy(egress=[{"ports": [{"endPort": 5}]}]), "a range that begins with the number in port"),
]

TAKEN: list[Any] = [
    below("head/resources/limits", {"hugepages-2Mi": "4Mi", "example.com/nic": 1, "ephemeral-storage": "1Gi"}),
    below("pods/tolerations", [{"operator": "Exists"}, {"key": "a", "effect": "NoExecute", "tolerationSeconds": 5}]),
    below("pods/topologySpreadConstraints", [spread(minDomains=2), spread(whenUnsatisfiable="ScheduleAnyway")]),
    term("Gt", "1"),
    term("DoesNotExist"),
    below("pods/podSecurityContext", {"runAsUser": 0, "runAsNonRoot": False}),
    below("head/securityContext", {"runAsUser": 0, "runAsNonRoot": False}),
    mounted("/var/run/secrets/kubernetes.iot"),
    mounted("/var/run/secrets/eks.amazonaws.com"),
    below("head/podLabels/app.kubernetes.io~1name", "x"),
    below("commonAnnotations/ray.io~1initializing-timeout", "30m"),
    before(restartPolicy="Always", readinessProbe={"exec": {"command": ["true"]}}),
    beside(env={"NVIDIA_VISIBLE_DEVICES": "all"}, envFrom={"a": {"secretRef": {"name": "a"}, "prefix": "RAY_"}}),
    beside(volumeMounts={"shared-mem": {"mountPath": "/dev/shm"}}, resources={"limits": {"memory": "1Gi"}}),
    below(
        "pods/volumes/data",
        {
            "ephemeral": {
                "volumeClaimTemplate": {
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
                }
            }
        },
    ),
    clients("0.0.0.0/0", "10.0.0.0/8", "192.168.1.1/32"),
    clients("10.0.0.5/24"),
    clients("fd00::/8", "fd00:1::/32"),
    policy(egress=[{"ports": [{"port": 10, "endPort": 10}]}]),
]
