"""The pods: where models land, what they may use, what they may do."""

import json
from typing import Any

import pytest

from tests.chart.rendering import CHART, GROUP, INGRESS, MODEL, POLICY, Render, Rendered, model, parse
from tests.support.paths import ROOT


def group(**settings: Any) -> dict[str, Any]:
    return {"workerGroups": {GROUP: settings}}


def ray_resources(rendered: Rendered, name: str) -> dict[str, int]:
    """What Ray's autoscaler reads: it drops the outer quotes and takes backslashes out (autoscaling_config.py)."""
    text = rendered.groups[name]["rayStartParams"]["resources"]
    assert text[0] == text[-1] == "'", "KubeRay trims quotes and parses the rest as JSON, so nothing in it is escaped"
    assert "\\" not in text
    return json.loads(text[1:-1])


# The cluster


def test_the_cluster_scales_itself_with_the_second_autoscaler(render_with: Render) -> None:
    cluster = render_with().cluster
    assert cluster["enableInTreeAutoscaling"] is True
    options = cluster["autoscalerOptions"]
    assert options["version"] == "v2"
    assert options["idleTimeoutSeconds"] == 300
    assert options["upscalingMode"] == "Default"
    assert "resources" not in options


def test_the_head_takes_no_work_and_has_rays_ports(render_with: Render) -> None:
    rendered = render_with()
    assert rendered.cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}
    assert {each["name"]: each["containerPort"] for each in rendered.container("head")["ports"]} == {
        "gcs-server": 6379,
        "dashboard": 8265,
        "client": 10001,
        "serve": 8000,
        "metrics": 8080,
    }


def test_one_slow_check_takes_no_worker_out_of_the_service(render_with: Render) -> None:
    rendered = render_with({"serving": {"config": {"http_options": {"port": 9000}}}})
    for group in ("ingress-workers", "small-model-workers"):
        probe = rendered.container(group)["readinessProbe"]
        assert "http://localhost:9000/-/healthz" in probe["exec"]["command"][-1]
        assert probe["failureThreshold"] > 1
    assert "readinessProbe" not in rendered.container("head")  # KubeRay's own asks the controller's parts


def test_worker_groups_follow_the_ingress_workers_sorted_by_name(render_with: Render) -> None:
    rendered = render_with({"workerGroups": {"a": {}, "z": {}}})
    assert list(rendered.groups) == [INGRESS, "a", GROUP, "z"]


def test_the_release_names_the_ray_service_unless_told_otherwise(render_with: Render) -> None:
    assert render_with().one("RayService")["metadata"]["name"] == "falcon3"
    assert render_with({"fullnameOverride": "llm"}).one("RayService")["metadata"]["name"] == "llm"


def test_the_upgrade_strategy_and_the_old_clusters_last_seconds_are_passed_on(render_with: Render) -> None:
    service = render_with().service
    assert service["upgradeStrategy"] == {"type": "NewCluster"}
    assert "rayClusterDeletionDelaySeconds" not in service
    service = render_with({"rayClusterDeletionDelaySeconds": 0, "upgradeStrategy": {"type": "None"}}).service
    assert service["upgradeStrategy"] == {"type": "None"}
    assert service["rayClusterDeletionDelaySeconds"] == 0


# Where models land


def test_a_gpu_group_asks_for_its_gpus_and_offers_its_name_as_a_ray_resource(render_with: Render) -> None:
    rendered = render_with(group(gpusPerWorker=2))
    resources = rendered.container(GROUP)["resources"]
    assert resources["limits"] == resources["requests"] == {"cpu": "12", "memory": "48Gi", "nvidia.com/gpu": 2}
    assert ray_resources(rendered, GROUP) == {GROUP: 2}
    assert rendered.groups[GROUP]["rayStartParams"]["num-gpus"] == "2"


def test_resources_that_are_given_are_kept_and_the_gpus_added(render_with: Render) -> None:
    rendered = render_with(group(resources={"requests": {"cpu": 3}, "limits": {"memory": "20Gi"}}))
    assert rendered.container(GROUP)["resources"] == {
        "requests": {"cpu": 3, "nvidia.com/gpu": 1},
        "limits": {"memory": "20Gi", "nvidia.com/gpu": 1},
    }


def test_a_request_of_disk_reaches_the_pod_without_a_limit_and_beside_the_other_resources(render_with: Render) -> None:
    """What the generator writes where models are downloaded to the node; a limit would evict a pod that serves."""
    resources = render_with(group(resources={"requests": {"ephemeral-storage": "30Gi"}})).container(GROUP)["resources"]
    assert resources["requests"] == {
        "cpu": "6",
        "memory": "24Gi",
        "nvidia.com/gpu": 1,
        "ephemeral-storage": "30Gi",
    }
    assert "ephemeral-storage" not in resources["limits"]


@pytest.mark.parametrize(("environment", "disk"), [("dev", "30Gi"), ("kind", None), ("local", None), ("bench", None)])
def test_only_workers_that_download_models_ask_for_disk(render: Render, environment: str, disk: str | None) -> None:
    rendered = render([ROOT / "values" / environment / "falcon3.yaml"])
    groups = {name: rendered.container(name)["resources"] for name in rendered.groups}
    assert {each["requests"].get("ephemeral-storage") for each in groups.values()} == {disk}


def test_a_bound_on_one_resource_leaves_the_others_as_they_were(render_with: Render) -> None:
    """A limit without a request is the request, as Kubernetes has it; the wider one could be more than the limit."""
    small = {"limits": {"cpu": 2}}
    rendered = render_with(
        group(resources=small) | {"head": {"resources": small}, "ingressWorkers": {"resources": small}}
    )
    assert rendered.container(GROUP)["resources"] == {
        "requests": {"memory": "24Gi", "nvidia.com/gpu": 1},
        "limits": {"cpu": 2, "memory": "24Gi", "nvidia.com/gpu": 1},
    }
    assert rendered.container("head")["resources"] == {
        "requests": {"memory": "8Gi"},
        "limits": {"cpu": 2, "memory": "16Gi"},
    }
    assert rendered.container(INGRESS)["resources"] == {
        "requests": {"memory": "6Gi"},
        "limits": {"cpu": 2, "memory": "6Gi"},
    }


def test_a_group_told_its_memory_alone_keeps_the_cpus_that_the_autoscaler_counts(render_with: Render) -> None:
    resources = render_with(group(resources={"limits": {"memory": "8Gi"}})).container(GROUP)["resources"]
    assert resources["limits"] == {"cpu": "6", "memory": "8Gi", "nvidia.com/gpu": 1}


def test_gpus_of_another_make_keep_their_resource_and_their_taint(render_with: Render) -> None:
    rendered = render_with(group(gpuResourceName="amd.com/gpu", image={"repository": "example.com/ray-rocm"}))
    assert rendered.container(GROUP)["resources"]["limits"]["amd.com/gpu"] == 1
    assert rendered.pod(GROUP)["tolerations"] == [{"key": "amd.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_gpu_groups_tolerate_the_gpu_taint_besides_what_is_asked(render_with: Render) -> None:
    own = {"key": "pool", "operator": "Exists"}
    gpu = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    rendered = render_with(group(tolerations=[own]))
    assert rendered.pod(GROUP)["tolerations"] == [own, gpu]
    assert "tolerations" not in rendered.pod("head")
    assert "tolerations" not in rendered.pod(INGRESS)


def test_a_cpu_group_asks_for_no_gpu(render_with: Render) -> None:
    rendered = render_with({"workerGroups": {"cpu-workers": {}}})
    assert rendered.container("cpu-workers")["resources"]["limits"] == {"cpu": "6", "memory": "24Gi"}
    assert ray_resources(rendered, "cpu-workers") == {"cpu-workers": 1}
    assert "num-gpus" not in rendered.groups["cpu-workers"]["rayStartParams"]
    assert "tolerations" not in rendered.pod("cpu-workers")


def test_a_group_can_offer_other_ray_resources(render_with: Render) -> None:
    assert ray_resources(render_with(group(rayResources={GROUP: 4, "fast": 1})), GROUP) == {GROUP: 4, "fast": 1}


def test_a_group_starts_with_its_least_replicas_and_may_be_removed_after_its_own_time(render_with: Render) -> None:
    worker_group = render_with(group(minReplicas=2, idleTimeoutSeconds=900)).groups[GROUP]
    assert (worker_group["replicas"], worker_group["minReplicas"], worker_group["maxReplicas"]) == (2, 2, 5)
    assert worker_group["idleTimeoutSeconds"] == 900
    assert "idleTimeoutSeconds" not in render_with().groups[GROUP]


def test_the_ingress_workers_are_small_and_many_if_need_be(render_with: Render) -> None:
    rendered = render_with()
    worker_group = rendered.groups[INGRESS]
    assert (worker_group["replicas"], worker_group["minReplicas"], worker_group["maxReplicas"]) == (1, 1, 100)
    resources = rendered.container(INGRESS)["resources"]
    assert resources == {"limits": {"cpu": "1", "memory": "6Gi"}, "requests": {"cpu": "1", "memory": "6Gi"}}
    assert ray_resources(rendered, INGRESS) == {INGRESS: 1}


def test_ingress_workers_with_other_ray_resources_still_take_ingresses(render_with: Render) -> None:
    rendered = render_with({"ingressWorkers": {"rayResources": {"foo": 1}}})
    assert ray_resources(rendered, INGRESS) == {INGRESS: 1, "foo": 1}


# Files, weights and memory


def test_every_pod_that_could_build_an_application_has_every_familys_files(render_with: Render) -> None:
    rendered = render_with({"models": {"falcon-h1-3b-instruct": model("falcon-h1")}, "workerGroups": {"cpu": {}}})
    assert set(rendered.templates) == {"head", INGRESS, GROUP, "cpu"}
    for name in rendered.templates:
        volumes = rendered.volumes(name)
        for family in ("falcon3", "falcon-h1"):
            assert volumes[f"family-{family}"] == {
                "name": f"family-{family}",
                "configMap": {"name": f"{family}-family-config"},
                "mountPath": f"/home/ray/models/{family}",
                "readOnly": True,
            }, "a subPath would never be updated"


def test_the_models_path_moves_files_and_mounts_together(render_with: Render) -> None:
    rendered = render_with({"serving": {"modelsPath": "/etc/models"}})
    (path,) = rendered.applications[MODEL]["args"]["llm_configs"]
    for name in rendered.templates:
        assert path.startswith(rendered.volumes(name)["family-falcon3"]["mountPath"] + "/")


def test_pods_that_hold_models_keep_weights_in_the_model_cache(render_with: Render) -> None:
    rendered = render_with()
    assert rendered.volumes(GROUP)["model-cache"]["emptyDir"] == {}
    assert rendered.env(GROUP)["HF_HOME"] == rendered.volumes(GROUP)["model-cache"]["mountPath"]
    for name in ("head", INGRESS):
        assert "model-cache" not in rendered.volumes(name)
        assert "HF_HOME" not in rendered.env(name)


@pytest.mark.parametrize(
    ("cache", "source"),
    [
        ({"sizeLimit": "50Gi"}, {"emptyDir": {"sizeLimit": "50Gi"}}),
        (
            {"type": "persistentVolumeClaim", "claimName": "weights"},
            {"persistentVolumeClaim": {"claimName": "weights"}},
        ),
        ({"type": "hostPath", "hostPath": "/data/weights"}, {"hostPath": {"path": "/data/weights"}}),
    ],
    ids=lambda value: next(iter(value)),
)
def test_the_model_cache_is_where_the_values_say(render_with: Render, cache: dict, source: dict) -> None:
    rendered = render_with({"modelCache": {**cache, "mountPath": "/cache"}})
    assert rendered.volumes(GROUP)["model-cache"] == {"name": "model-cache", "mountPath": "/cache", **source}
    assert rendered.env(GROUP)["HF_HOME"] == "/cache"


def test_the_hub_token_is_a_reference_on_the_pods_that_download(render_with: Render) -> None:
    rendered = render_with({"huggingFace": {"existingSecret": "hub", "key": "read"}})
    assert rendered.env(GROUP)["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "read"}}
    assert "HF_TOKEN" not in rendered.env("head")
    assert "HF_TOKEN" not in rendered.env(INGRESS)
    assert "hub" not in rendered.service["serveConfigV2"]
    assert rendered.of("Secret") == []


def test_gpu_pods_have_enough_shared_memory_for_rays_object_store(render_with: Render) -> None:
    rendered = render_with({"workerGroups": {"cpu": {}, "big": {"sharedMemory": "64Gi"}}})
    assert rendered.volumes(GROUP)["shared-memory"] == {
        "name": "shared-memory",
        "mountPath": "/dev/shm",
        "emptyDir": {"medium": "Memory", "sizeLimit": "10Gi"},
    }
    assert rendered.volumes("big")["shared-memory"]["emptyDir"]["sizeLimit"] == "64Gi"
    for name in ("head", INGRESS, "cpu"):
        assert "shared-memory" not in rendered.volumes(name), "KubeRay adds its own, as large as the pod"


# Settings of every pod, and of one group


def test_settings_of_every_pod_reach_every_pod(render_with: Render) -> None:
    settings = {
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "pool", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
        "priorityClassName": "high",
        "runtimeClassName": "nvidia",
        "schedulerName": "volcano",
        "terminationGracePeriodSeconds": 0,
    }
    rendered = render_with({"pods": {**settings, "podLabels": {"team": "a"}, "podAnnotations": {"note": "b"}}})
    for name, template in rendered.templates.items():
        for key, value in settings.items():
            given = rendered.pod(name)[key]
            assert (given[:1] if key == "tolerations" else given) == value, (name, key)
        assert template["metadata"]["labels"]["team"] == "a"
        assert template["metadata"]["annotations"]["note"] == "b"


def test_a_groups_settings_win_maps_by_key_and_lists_as_a_whole(render_with: Render) -> None:
    rendered = render_with(
        {
            "pods": {
                "env": {"A": "pods", "B": "pods"},
                "nodeSelector": {"arch": "amd64", "disk": "any"},
                "tolerations": [{"key": "everywhere"}],
                "terminationGracePeriodSeconds": 60,
                "priorityClassName": "low",
            },
            "head": {
                "env": {"B": "", "C": "head"},
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "head"}],
                "terminationGracePeriodSeconds": 0,
                "priorityClassName": "high",
            },
        }
    )
    head = rendered.pod("head")
    assert rendered.env("head") == {"A": "pods", "B": "", "C": "head"}
    assert head["nodeSelector"] == {"arch": "amd64", "disk": "ssd"}
    assert head["tolerations"] == [{"key": "head"}]
    assert head["terminationGracePeriodSeconds"] == 0
    assert head["priorityClassName"] == "high"
    assert rendered.env(INGRESS) == {"A": "pods", "B": "pods"}
    assert rendered.pod(INGRESS)["tolerations"] == [{"key": "everywhere"}]


def test_environment_variables_and_volumes_of_the_values_win_over_the_charts(render_with: Render) -> None:
    rendered = render_with(
        group(
            env={"HF_HOME": "/weights", "NODE": {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}},
            volumes={"model-cache": {"mountPath": "/weights", "nfs": {"server": "files", "path": "/weights"}}},
        )
    )
    assert rendered.env(GROUP) == {"HF_HOME": "/weights", "NODE": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    assert rendered.volumes(GROUP)["model-cache"] == {
        "name": "model-cache",
        "mountPath": "/weights",
        "nfs": {"server": "files", "path": "/weights"},
    }


def test_a_volume_of_ones_own_at_dev_shm_is_the_only_one_there(render_with: Render) -> None:
    own = {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}
    for where in (
        group(volumes={"mine": {"mountPath": "/dev/shm", **own}}),
        group(volumes={"shared-memory": {"mountPath": "/dev/shm", **own}}),
    ):
        volumes = render_with(where).volumes(GROUP).values()
        assert [volume["emptyDir"] for volume in volumes if volume["mountPath"] == "/dev/shm"] == [own["emptyDir"]]


def test_an_annotation_of_ones_own_leaves_the_files_checksum_alone(render_with: Render) -> None:
    checksum = render_with().templates["head"]["metadata"]["annotations"]["checksum/families"]
    rendered = render_with({"pods": {"podAnnotations": {"checksum/families": "x", "note": "b"}}})
    pods = [*rendered.templates.values(), rendered.test_pod]
    assert rendered.text.count("checksum/families:") == len(pods), "a key twice is no YAML"
    for template in rendered.templates.values():
        assert template["metadata"]["annotations"] == {"checksum/families": checksum, "note": "b"}
    inline = {"serving": {"delivery": "inline"}}
    assert "annotations" not in render_with(inline).templates["head"]["metadata"]


@pytest.mark.parametrize("name", ["on", "null", "no"])
def test_a_release_whose_name_looks_like_another_yaml_type_keeps_its_name(render_with: Render, name: str) -> None:
    rendered = render_with({"networkPolicy": POLICY}, release=name)
    assert rendered.one("RayService")["metadata"]["name"] == name
    assert rendered.named("ServiceAccount", name)
    assert {rendered.pod(pod)["serviceAccountName"] for pod in rendered.templates} == {name}


def test_the_flags_of_ray_start_can_be_added_to_and_changed(render_with: Render) -> None:
    rendered = render_with({"head": {"rayStartParams": {"num-cpus": "1", "dashboard-host": "0.0.0.0"}}})
    assert rendered.cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "1", "dashboard-host": "0.0.0.0"}


# Images


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "rayproject/ray-llm:2.60.0-py312-cu130"),
        ({"repository": "mirror/ray-llm"}, "mirror/ray-llm:2.60.0-py312-cu130"),
        ({"tag": "2.60.0-py311"}, "rayproject/ray-llm:2.60.0-py311"),
        ({"tag": "2.60.0-py311", "digest": DIGEST}, f"rayproject/ray-llm@{DIGEST}"),
    ],
    ids=["the release's", "a mirror", "a tag", "a digest wins"],
)
def test_every_pod_runs_the_image_of_the_values(render_with: Render, image: dict, reference: str) -> None:
    rendered = render_with({"image": image})
    assert {rendered.container(name)["image"] for name in rendered.templates} == {reference}


def test_a_groups_own_tag_takes_the_place_of_the_digest_of_all(render_with: Render) -> None:
    change = {"image": {"repository": "mirror/ray-llm", "digest": DIGEST}} | group(image={"tag": "mine"})
    rendered = render_with(change)
    assert rendered.container("head")["image"] == f"mirror/ray-llm@{DIGEST}"
    assert rendered.container(GROUP)["image"] == "mirror/ray-llm:mine"


def test_a_groups_own_repository_takes_no_tag_or_digest_of_another(render_with: Render) -> None:
    for wider in ({"digest": DIGEST}, {"tag": "theirs"}, {"tag": "theirs", "digest": DIGEST}):
        change = {"image": {"repository": "a/b", **wider}, "head": {"image": {"repository": "c/d"}}}
        rendered = render_with(change | group(image={"repository": "e/f", "tag": "mine"}))
        assert rendered.container("head")["image"] == "c/d:2.60.0-py312-cu130"
        assert rendered.container(GROUP)["image"] == "e/f:mine"


def test_pull_policy_and_pull_secrets_reach_every_pod(render_with: Render) -> None:
    rendered = render_with({"image": {"pullPolicy": "Always", "pullSecrets": ["registry"]}})
    assert rendered.cluster["autoscalerOptions"]["imagePullPolicy"] == "Always"
    for name in rendered.templates:
        assert rendered.container(name)["imagePullPolicy"] == "Always"
        assert rendered.pod(name)["imagePullSecrets"] == [{"name": "registry"}]


# Security


def test_every_pod_meets_the_restricted_pod_security_standard(render: Render, values_file: Any) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, the rules that these pods could break."""
    if values_file.stem == "beyond-restricted":
        return  # it is there to ask for more
    rendered = render([values_file])
    for name in rendered.templates:
        pod = rendered.pod(name)
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 1000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        allowed = {
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "image",
            "persistentVolumeClaim",
            "projected",
            "secret",
        }
        sources = {key for volume in pod.get("volumes", []) for key in volume if key != "name"}
        assert sources <= allowed | {"nfs"}, "nfs is what a values file of the tests asks for"
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert not any("hostPort" in port for port in container.get("ports", []))
            assert_restricted(container["securityContext"])
    assert_restricted(rendered.cluster["autoscalerOptions"]["securityContext"])


def assert_restricted(context: dict[str, Any]) -> None:
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert not context.get("privileged")


def test_security_settings_are_changed_key_by_key(render_with: Render) -> None:
    rendered = render_with(
        {
            "pods": {"podSecurityContext": {"runAsUser": None, "supplementalGroups": [1]}},
            "head": {"securityContext": {"readOnlyRootFilesystem": True}},
        }
    )
    pod = rendered.pod(GROUP)["securityContext"]
    assert pod["runAsUser"] is None
    assert pod["supplementalGroups"] == [1]
    assert pod["runAsNonRoot"] is True
    assert rendered.container("head")["securityContext"]["readOnlyRootFilesystem"] is True
    assert "readOnlyRootFilesystem" not in rendered.container(GROUP)["securityContext"]


def test_a_capability_that_is_added_does_not_bring_back_the_others(render_with: Render) -> None:
    rendered = render_with(
        {
            "pods": {"securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}},
            "head": {"securityContext": {"capabilities": {"drop": ["NET_RAW"]}}},
        }
    )
    capabilities = {name: rendered.container(name)["securityContext"]["capabilities"] for name in (GROUP, "head")}
    assert capabilities == {
        GROUP: {"drop": ["ALL"], "add": ["SYS_PTRACE"]},
        "head": {"drop": ["NET_RAW"], "add": ["SYS_PTRACE"]},
    }


def test_the_autoscaler_alone_has_a_token_of_the_kubernetes_api(render_with: Render) -> None:
    rendered = render_with()
    assert rendered.named("ServiceAccount", "falcon3")["automountServiceAccountToken"] is False
    for name in rendered.templates:
        pod = rendered.pod(name)
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == "falcon3"
        projected = [volume["name"] for volume in pod.get("volumes", []) if "projected" in volume]
        assert projected == (["kubernetes-api"] if name == "head" else [])
        assert "kubernetes-api" not in {mount["name"] for mount in rendered.container(name).get("volumeMounts", [])}
    (mount,) = rendered.cluster["autoscalerOptions"]["volumeMounts"]
    assert mount == {
        "name": "kubernetes-api",
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        "readOnly": True,
    }


def test_the_autoscalers_token_is_what_kubernetes_would_mount(render_with: Render) -> None:
    (volume,) = (each for each in render_with().pod("head")["volumes"] if each["name"] == "kubernetes-api")
    token, authority, namespace = volume["projected"]["sources"]
    assert token == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}
    assert authority["configMap"] == {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"


def test_a_service_account_can_be_named_or_left_to_others(render_with: Render) -> None:
    rendered = render_with({"serviceAccount": {"name": "models", "annotations": {"role": "reader"}}})
    assert rendered.named("ServiceAccount", "models")["metadata"]["annotations"] == {"role": "reader"}
    assert rendered.pod("head")["serviceAccountName"] == "models"
    rendered = render_with({"serviceAccount": {"create": False, "name": "theirs"}})
    assert rendered.of("ServiceAccount") == []
    assert rendered.pod("head")["serviceAccountName"] == "theirs"
    rendered = render_with({"serviceAccount": {"create": False}})
    assert "serviceAccountName" not in rendered.pod("head"), "KubeRay makes one for each cluster"


def test_rays_own_api_asks_for_a_token_unless_it_is_switched_off(render_with: Render) -> None:
    assert render_with().cluster["authOptions"] == {"mode": "token"}
    assert render_with({"auth": {"mode": "token"}}).cluster["authOptions"] == {"mode": "token"}
    rendered = render_with({"auth": {"mode": "disabled"}})
    assert "authOptions" not in rendered.cluster
    assert {rendered.env(name)["RAY_AUTH_MODE"] for name in rendered.templates} == {"disabled"}


# Labels and the network


def test_every_object_carries_the_common_labels_and_annotations(render_with: Render) -> None:
    own = {"commonLabels": {"team": "a"}, "commonAnnotations": {"contact": "b"}, "networkPolicy": POLICY}
    rendered = render_with(own | {"serviceAccount": {"annotations": {"role": "reader"}}})
    kinds = {"ConfigMap", "NetworkPolicy", "RayService", "Role", "RoleBinding", "ServiceAccount"}
    assert {each["kind"] for each in rendered.objects} == kinds
    version = parse((CHART / "Chart.yaml").read_text())["version"]
    for each in rendered.objects:
        metadata = each["metadata"]
        assert metadata["namespace"] == "ai"
        assert metadata["annotations"]["contact"] == "b"
        assert metadata["labels"] == {
            "team": "a",
            "app.kubernetes.io/name": "ray-serve-llm",
            "app.kubernetes.io/instance": "falcon3",
            "app.kubernetes.io/part-of": "ray-serve-llm",
            "app.kubernetes.io/version": "2.60.0",
            "app.kubernetes.io/managed-by": "Helm",
            "helm.sh/chart": f"ray-serve-llm-{version}",
        }


def test_pods_carry_nothing_that_a_new_chart_version_would_change(render_with: Render) -> None:
    """KubeRay answers a changed pod template with a new cluster, and double the GPUs for a while."""
    rendered = render_with({"commonLabels": {"team": "a"}})
    version = parse((CHART / "Chart.yaml").read_text())["version"]
    for name, template in rendered.templates.items():
        assert version not in json.dumps(template["metadata"])
        role = {"head": "head", INGRESS: "ingress"}.get(name, "worker")
        assert template["metadata"]["labels"] == {
            "app.kubernetes.io/instance": "falcon3",
            "app.kubernetes.io/part-of": "ray-serve-llm",
            "app.kubernetes.io/component": role,
        }
