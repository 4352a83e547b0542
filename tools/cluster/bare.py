"""A cluster of bare processes, for a Linux machine without Docker. Needs root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from generator.errors import UserError

from . import cpu_image, kuberay, packages
from .control_plane import ControlPlane
from .machine import ADDRESS, BRIDGE, Machine
from .node import POD_RANGE, PROGRAMS, Node
from .settings import state_folder


def cluster() -> Node:
    """The bare cluster of this machine, running or not."""
    return Node(ControlPlane(state_folder(), address=ADDRESS))


def up(*, image: bool = True) -> Path:
    """Bring the cluster up as far as it is not; returns its kubeconfig. Raises UserError."""
    _require_root()
    packages.require(*PROGRAMS)
    node = cluster()
    if image:
        cpu_image.archive()  # before the cluster takes memory
    node.folder.mkdir(parents=True, exist_ok=True)
    Machine(node.folder).prepare()
    node.control_plane.start_api()
    node.control_plane.start_controllers(pod_range=POD_RANGE)
    node.start()
    kuberay.install(node.kubectl, node.load, node.folder / "kuberay")
    if image:
        cpu_image.load(node.load, node.folder, present=node.images())
    return node.control_plane.admin


def restart_kubelet() -> None:
    """Restart the node's kubelet; the pods run on meanwhile."""
    cluster().restart_kubelet()


def exists() -> bool:
    """Whether something of the cluster is there, be it only a folder or the bridge."""
    return state_folder().exists() or BRIDGE.exists()


def down() -> None:
    """Take the cluster away, whatever of it is there. Raises UserError."""
    _require_root()
    node = cluster()
    node.stop()
    node.control_plane.stop()
    shutil.rmtree(node.folder, ignore_errors=True)
    if node.folder.exists():
        raise UserError("some of the cluster's files cannot be removed", where=str(node.folder), fix="Say it again.")


def _require_root() -> None:
    if os.geteuid():
        raise UserError(
            "a cluster without Docker runs containerd and a kubelet, which need root",
            fix="Run as root, start Docker (kind is used then), or set KUBECONFIG to a cluster that has KubeRay.",
        )
