"""What keeps a release up: budgets in a drain, a head that comes back to its cluster, and updates in steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import GROUP, INGRESS, MINIMAL, MODEL, POLICY, Render, Rendered, Values, model

KUBERNETES = ("--kube-version", "1.34")


def replicas(least: int, **more: Any) -> Values:
    scaling = {"min_replicas": least, "max_replicas": 5, "target_ongoing_requests": 5, **more}
    return {"deployment_config": {"autoscaling_config": scaling}}


def models(*configs: Values) -> Values:
    return {
        "models": {MODEL if number == 0 else f"more-{number}": model(**each) for number, each in enumerate(configs)}
    }


def budgets(rendered: Rendered) -> dict[str, int]:
    """How many pods stay, by KubeRay's name of the group."""
    return {
        each["spec"]["selector"]["matchLabels"]["ray.io/group"]: each["spec"]["minAvailable"]
        for each in rendered.of("PodDisruptionBudget")
    }


TWO_PARTS = {"engine_kwargs": {"tensor_parallel_size": 1, "pipeline_parallel_size": 2}}
SPREAD: Values = {
    "serving": {"ingress": {"num_replicas": 3, "max_replicas_per_node": 1}},
    "ingressWorkers": {"minReplicas": 3},
}
KEPT: dict[str, tuple[Values, dict[str, int]]] = {
    "one replica": ({}, {}),
    "two": (models(replicas(2)), {GROUP: 1}),
    "more only at first": (models(replicas(1, initial_replicas=3)), {}),
    "none at the least": (models(replicas(0)), {}),
    "three models": (models({}, {}, {}), {GROUP: 2}),
    "two replicas of two pods each: only one of them is ready": (models(replicas(2) | TWO_PARTS), {GROUP: 1}),
    "one replica of two pods": (models(TWO_PARTS), {}),
    "idle workers, which are never ready": ({"workerGroups": {GROUP: {"minReplicas": 3}}}, {}),
    "ranks of data parallelism": (models({"engine_kwargs": {"data_parallel_size": 3}}), {GROUP: 2}),
    "a program outside sets them": (
        {"models": {MODEL: {**model(deployment_config={"num_replicas": 3}), "scaling": {"external": True}}}},
        {},
    ),
    "two ingresses, which one worker holds": ({"ingressWorkers": {"minReplicas": 2}}, {}),
    "ingresses on workers of their own": (SPREAD, {INGRESS: 2}),
    "ingresses of more models than a worker holds": (models(*[{}] * 5), {GROUP: 4, INGRESS: 1}),
    "asked for": (
        {
            "head": {"podDisruptionBudget": {"enabled": True}},
            "ingressWorkers": {"podDisruptionBudget": {"minAvailable": 1}},
            "workerGroups": {GROUP: {"podDisruptionBudget": {"enabled": True, "minAvailable": 4}}},
        },
        {"headgroup": 1, INGRESS: 1, GROUP: 4},
    ),
    "asked of every group": (
        {"pods": {"podDisruptionBudget": {"enabled": True}}},
        {"headgroup": 1, INGRESS: 1, GROUP: 1},
    ),
    "switched off": (models(replicas(3)) | {"pods": {"podDisruptionBudget": {"enabled": False}}}, {}),
    "switched off but for one group": (
        models(replicas(3))
        | {
            "pods": {"podDisruptionBudget": {"enabled": False}},
            "workerGroups": {GROUP: {"podDisruptionBudget": {"enabled": True}}},
        },
        {GROUP: 2},
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_a_budget_keeps_all_but_one_of_the_pods_that_are_always_ready(render_with: Render, case: str) -> None:
    values, kept = KEPT[case]
    assert budgets(render_with(values)) == kept


def test_a_budget_counts_the_pods_of_one_group(
    render_with: Render, schemas: dict[str, Path], kubeconform: Callable
) -> None:
    values = models(replicas(2)) | {"head": {"podDisruptionBudget": {"enabled": True}}}
    rendered = render_with(values, arguments=KUBERNETES)
    worker, head = (rendered.named("PodDisruptionBudget", f"falcon3-{name}")["spec"] for name in (GROUP, "headgroup"))
    # No percentage: a RayCluster has no scale subresource, of which Kubernetes would ask.
    assert worker["minAvailable"] == 1
    assert worker["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    labels = rendered.templates[GROUP]["metadata"]["labels"]
    expected = {**labels, "ray.io/group": GROUP, "ray.io/node-type": "worker"}
    assert worker["selector"]["matchLabels"].items() <= expected.items()
    # The Job that clears Redis after a cluster has the head's labels, but for this one.
    assert head["selector"]["matchLabels"]["ray.io/node-type"] == "head"
    done = kubeconform(max(schemas), rendered.text)
    assert done.returncode == 0, done.stdout


def test_a_cluster_that_does_not_know_the_policy_is_not_told_of_it(render_with: Render) -> None:
    spec = render_with(models(replicas(2)), arguments=("--kube-version", "1.26")).one("PodDisruptionBudget")["spec"]
    assert "unhealthyPodEvictionPolicy" not in spec


def test_a_budget_makes_no_new_cluster(render: Render) -> None:
    budget = {"head": {"podDisruptionBudget": {"enabled": True}}}
    assert render([MINIMAL, budget]).cluster == render(MINIMAL).cluster


def test_a_budget_that_nothing_could_meet(render_error: Callable[..., str]) -> None:
    message = render_error(
        {
            "head": {"podDisruptionBudget": {"minAvailable": 2}},
            "ingressWorkers": {"podDisruptionBudget": {"enabled": False, "minAvailable": 1}},
            "workerGroups": {GROUP: {"podDisruptionBudget": {"minAvailable": 6}}},
        }
    )
    assert "head.podDisruptionBudget.minAvailable: 2 pods can never be there, since there is 1 at the most" in message
    assert f"workerGroups.{GROUP}.podDisruptionBudget.minAvailable: 6 pods can never be there" in message
    assert f"Lower it, or raise workerGroups.{GROUP}.maxReplicas" in message
    assert "ingressWorkers.podDisruptionBudget.minAvailable: there is no budget where enabled is false" in message
    message = render_error({"pods": {"podDisruptionBudget": {"minAvailable": 2}}})
    assert "pods.podDisruptionBudget.minAvailable: it would be that of every group, and of the one head" in message


REDIS = {"address": "rediss://redis.data.svc:6379", "username": "ray", "existingSecret": "ray-redis"}
EGRESS = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
SHUT = {"networkPolicy": {**POLICY, "egress": [EGRESS]}}


def test_a_head_with_a_redis_comes_back_to_its_cluster(
    render_with: Render, schemas: dict[str, Path], kubeconform: Callable
) -> None:
    rendered = render_with({"gcsFaultTolerance": {"redis": REDIS}} | SHUT)
    # No storage namespace: both clusters of an update would share it.
    assert rendered.cluster["gcsFaultToleranceOptions"] == {
        "redisAddress": REDIS["address"],
        "redisUsername": {"value": "ray"},
        "redisPassword": {"valueFrom": {"secretKeyRef": {"name": "ray-redis", "key": "redis-password"}}},
    }
    policy = rendered.named("NetworkPolicy", "falcon3-redis")["spec"]
    head = rendered.templates["head"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= head.items()
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "head"
    (rule,) = policy["egress"]
    assert rule["ports"] == [{"port": 6379}]
    assert rule["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}}]
    for version in schemas:
        if not version.startswith("1.4"):  # which lacks what this renders beside it: `authOptions`
            done = kubeconform(version, rendered.text)
            assert done.returncode == 0, f"KubeRay {version}: {done.stdout}"


@pytest.mark.parametrize(
    ("address", "to"),
    [
        ("redis:6379", [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ai"}}}]),
        ("redis://10.1.2.3:6380", [{"ipBlock": {"cidr": "10.1.2.3/32"}}]),
        ("redis.example.com:6379", None),  # a policy knows no names of hosts
    ],
)
def test_the_head_alone_may_leave_for_redis(render_with: Render, address: str, to: Any) -> None:
    redis = {"gcsFaultTolerance": {"redis": {"address": address}}}
    rendered = render_with(redis | SHUT)
    assert rendered.named("NetworkPolicy", "falcon3-redis")["spec"]["egress"][0].get("to") == to
    assert rendered.named("NetworkPolicy", "falcon3") == render_with(SHUT).one("NetworkPolicy")
    assert "redisPassword" not in rendered.cluster["gcsFaultToleranceOptions"]


def test_what_kuberay_refuses_of_a_redis_is_told_with_what_to_write(render_error: Callable[..., str]) -> None:
    message = render_error(
        {
            "gcsFaultTolerance": {"redis": {"username": "ray"}},
            "head": {"env": {"RAY_REDIS_ADDRESS": "redis:6379", "REDIS_USERNAME": "ray"}},
            "pods": {"env": {"RAY_external_storage_namespace": "mine"}},
            "commonAnnotations": {"ray.io/ft-enabled": "true", "ray.io/external-storage-namespace": "mine"},
        }
    )
    for said in (
        "gcsFaultTolerance.redis.username: nothing asks Redis without an address",
        "gcsFaultTolerance.redis.username: a user of Redis has a password",
        "head.env.RAY_REDIS_ADDRESS: KubeRay refuses a head that keeps its state in Redis without the",
        "Say it in gcsFaultTolerance.redis.address",
        "head.env.REDIS_USERNAME: KubeRay refuses it on the head (here or in pods.env)",
        "pods.env.RAY_external_storage_namespace: the two clusters of an update would keep their state in one place",
        "commonAnnotations.ray.io/ft-enabled: the head would keep its state in Redis without the",
        "commonAnnotations.ray.io/external-storage-namespace: the two clusters of an update would keep their state",
    ):
        assert said in message
    password = {"valueFrom": {"secretKeyRef": {"name": "ray-redis", "key": "password"}}}
    beside = {"gcsFaultTolerance": {"redis": REDIS}, "head": {"env": {"REDIS_PASSWORD": password}}}
    assert "head.env.REDIS_PASSWORD: KubeRay refuses it on the head" in render_error(beside)


LINUX = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
NODES = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [LINUX]}]}}
OPTIONS = {"gatewayClassName": "istio", "stepSizePercent": 20, "intervalSeconds": 60}
STEPS: Values = {"upgradeStrategy": {"type": "NewClusterWithIncrementalUpgrade", "clusterUpgradeOptions": OPTIONS}}
SURGE: Values = {"upgradeStrategy": {"clusterUpgradeOptions": {"maxSurgePercent": 25}}}


def test_an_update_in_steps_is_said_in_kuberays_words(
    render: Render, schemas: dict[str, Path], kubeconform: Callable
) -> None:
    asleep = models(replicas(0))
    rendered = render([MINIMAL, asleep, STEPS, {"auth": {"mode": "disabled"}}])
    assert rendered.service["upgradeStrategy"] == STEPS["upgradeStrategy"]
    taken = {version: kubeconform(version, rendered.text).returncode == 0 for version in schemas}
    assert taken == {version: not version.startswith("1.4") for version in schemas}


def test_an_update_in_steps_that_could_not_go_on(render_error: Callable[..., str]) -> None:
    message = render_error({"upgradeStrategy": {"clusterUpgradeOptions": OPTIONS}})
    assert "upgradeStrategy.clusterUpgradeOptions: nothing reads it with type NewCluster" in message
    message = render_error({"upgradeStrategy": {"type": "NewClusterWithIncrementalUpgrade"}})
    assert (
        "upgradeStrategy.clusterUpgradeOptions: it is empty, and with NewClusterWithIncrementalUpgrade KubeRay"
        in message
    )
    scaling = {"min_replicas": 0, "initial_replicas": 1, "max_replicas": 2}
    own = {
        "import_path": "code:build",
        "deployments": [{"name": "Own", "autoscaling_config": {**scaling, "min_replicas": 1, "initial_replicas": 2}}],
    }
    ranks = {"engine_kwargs": {"data_parallel_size": 2}}
    message = render_error(
        [models(replicas(0, initial_replicas=1), ranks), {"apps": {"own": {"application": own}}}, STEPS, SURGE]
    )
    where = f"models.{MODEL}.llmConfig.deployment_config.autoscaling_config.initial_replicas"
    assert (
        f"{where}: with NewClusterWithIncrementalUpgrade Ray never goes below it again, so it never sleeps" in message
    )
    assert "issues/62682" in message
    where = "apps.own.application.deployments (Own).autoscaling_config.initial_replicas"
    assert (
        f"{where}: with NewClusterWithIncrementalUpgrade Ray never goes below it again, so min_replicas, 1, does"
        in message
    )
    assert "models.more-1.llmConfig.engine_kwargs.data_parallel_size: its ranks start together, and at 25%" in message
    whole = {"upgradeStrategy": {"clusterUpgradeOptions": {"maxSurgePercent": 100}}}
    assert "data_parallel_size" not in render_error([models(replicas(0, initial_replicas=1), ranks), STEPS, whole])


def test_ingress_workers_prefer_zones_and_nodes_without_one(render_with: Render) -> None:
    rendered = render_with({"pods": {"affinity": {"nodeAffinity": NODES}}})
    affinity = rendered.pod(INGRESS)["affinity"]
    assert affinity["nodeAffinity"] == NODES
    terms = affinity["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    keys = [each["podAffinityTerm"]["topologyKey"] for each in terms]
    assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    labels = rendered.templates[INGRESS]["metadata"]["labels"]
    for each in terms:
        assert each["podAffinityTerm"]["labelSelector"]["matchLabels"].items() <= labels.items()
        # KubeRay's name of the cluster: in an update the old one's pods do not count.
        assert each["podAffinityTerm"]["matchLabelKeys"] == ["ray.io/cluster"]
    # Karpenter would bring a node for each worker of a GPU group.
    assert rendered.pod(GROUP)["affinity"] == {"nodeAffinity": NODES}
    for where in ("pods", "ingressWorkers"):
        assert render_with({where: {"affinity": {"podAntiAffinity": {}}}}).pod(INGRESS)["affinity"] == {
            "podAntiAffinity": {}
        }
