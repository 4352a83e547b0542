"""Pods of the tests' own: a script in the release's image, with what a restricted namespace asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kubernetes import client as kubernetes

from tests.cluster.waiting import wait
from tools.cluster import cpu_image


def run_script(namespace: str, name: str, script: Path, command: list[str]) -> kubernetes.V1Pod:
    """Run a pod that has `script` at /script/<its name>, until the namespace goes; returns it when it runs."""
    files = kubernetes.V1ConfigMap(metadata=kubernetes.V1ObjectMeta(name=name), data={script.name: script.read_text()})
    kubernetes.CoreV1Api().create_namespaced_config_map(namespace, files)
    volume = kubernetes.V1Volume(name="files", config_map=kubernetes.V1ConfigMapVolumeSource(name=name))
    return run(namespace, name, command, mounted={"/script": volume})


def run(
    namespace: str,
    name: str,
    command: list[str],
    *,
    mounted: Mapping[str, kubernetes.V1Volume],
    env: Mapping[str, str] = {},
) -> kubernetes.V1Pod:
    """Run a pod that has these volumes by their paths, until the namespace goes; returns it when it runs."""
    api = kubernetes.CoreV1Api()
    container = kubernetes.V1Container(
        name=name,
        image=cpu_image.NAME,
        command=command,
        security_context=kubernetes.V1SecurityContext(
            allow_privilege_escalation=False, capabilities=kubernetes.V1Capabilities(drop=["ALL"])
        ),
        resources=kubernetes.V1ResourceRequirements(requests={"cpu": "20m", "memory": "64Mi"}),
        env=[kubernetes.V1EnvVar(name=key, value=value) for key, value in env.items()],
        volume_mounts=[kubernetes.V1VolumeMount(name=each.name, mount_path=path) for path, each in mounted.items()],
    )
    pod = kubernetes.V1Pod(
        metadata=kubernetes.V1ObjectMeta(name=name),
        spec=kubernetes.V1PodSpec(
            containers=[container],
            automount_service_account_token=False,
            termination_grace_period_seconds=0,
            security_context=kubernetes.V1PodSecurityContext(
                run_as_non_root=True,
                run_as_user=1000,
                seccomp_profile=kubernetes.V1SeccompProfile(type="RuntimeDefault"),
            ),
            volumes=list(mounted.values()),
        ),
    )
    api.create_namespaced_pod(namespace, pod)
    wait(lambda: api.read_namespaced_pod(name, namespace).status.phase == "Running", f"pod {name} runs", seconds=60)
    return api.read_namespaced_pod(name, namespace)


def ready(pod: kubernetes.V1Pod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or [])
