"""Claims of storage, of the default StorageClass or of a folder of our node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client as kubernetes

SIZE = {"storage": "1Gi"}


def claim_storage(namespace: str, name: str, **more: Any) -> None:
    """A PersistentVolumeClaim, of the default StorageClass where `more` does not say another."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": SIZE}, **more}
    body = {"metadata": {"name": name}, "spec": spec}
    kubernetes.CoreV1Api().create_namespaced_persistent_volume_claim(namespace, body)


@contextmanager
def claimed_folder(namespace: str, name: str, folder: Path) -> Iterator[None]:
    """A PersistentVolumeClaim of a folder of this machine, for clusters whose node it is; any user writes there."""
    folder.chmod(0o777)
    volume = f"{namespace}-{name}"
    spec = {
        "capacity": SIZE,
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "hostPath": {"path": str(folder)},
    }
    kubernetes.CoreV1Api().create_persistent_volume({"metadata": {"name": volume}, "spec": spec})
    claim_storage(namespace, name, storageClassName="", volumeName=volume)
    yield
    kubernetes.CoreV1Api().delete_persistent_volume(volume)
