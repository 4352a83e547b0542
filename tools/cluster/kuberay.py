"""The KubeRay operator in the cluster, built from its Go module, with the manifests that the module has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import yaml

from .archives import write_archive
from .settings import program, say, setup, versions

NAMESPACE = "kuberay-system"
VERSION = versions()["KUBERAY_OPERATOR_VERSION"].removeprefix("v")
"""The one that tools/go/kuberay pins, and one of those whose CRDs are tested."""
IMAGE = f"localhost/kuberay-operator:v{VERSION}"


def install(kubectl: Callable[..., str], load: Callable[[Path], None], folder: Path) -> None:
    """Install the operator and its CRDs unless they run, and wait. `load` brings an image archive to the nodes."""
    if _installed(kubectl):
        return
    say(f"installing KubeRay {VERSION}")
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "operator.tar"
    write_archive(archive, IMAGE, Path(program("ray-operator")), as_path="/manager")
    load(archive)
    archive.unlink()
    crds = dict(pair.split("=", 1) for pair in setup("crds").split(":"))[VERSION]
    config = Path(crds).parent.parent
    name, tag = IMAGE.rsplit(":", 1)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": [os.path.relpath(config / part, folder.resolve()) for part in ("crd", "rbac", "manager")],
        "images": [{"name": "kuberay/operator", "newName": name, "newTag": tag}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    # Server-side: the CRDs are longer than the annotation that a client-side apply writes.
    kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump(namespace))
    kubectl("apply", "--server-side", "-k", folder)
    kubectl("-n", NAMESPACE, "rollout", "status", "deployment/kuberay-operator", "--timeout=120s")


def _installed(kubectl: Callable[..., str]) -> bool:
    image = "{.items[*].spec.template.spec.containers[*].image}"
    ready = "{.items[*].status.readyReplicas}"
    found = kubectl("-n", NAMESPACE, "get", "deployments", "-o", f"jsonpath={image} {ready}")
    return found.split() == [IMAGE, "1"]
