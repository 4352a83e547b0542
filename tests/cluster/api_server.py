"""An API server of a test's own, with KubeRay's CRDs and nothing that runs: what is put in stays as it was put."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generator.cluster.api import connect
from generator.local.http import free_port
from tests.cluster.waiting import wait
from tools.cluster.control_plane import ControlPlane
from tools.cluster.kuberay import VERSION
from tools.cluster.settings import program, run, setup


@contextmanager
def api_server(folder: Path, *, kuberay: str = VERSION) -> Iterator[ControlPlane]:
    """An API server for as long as the block runs, its files in `folder`."""
    crds = dict(pair.split("=", 1) for pair in setup("crds").split(":"))[kuberay]
    plane = ControlPlane(folder, port=free_port(), etcd_ports=(free_port(), free_port()))
    try:
        plane.start_api()
        run(program("kubectl"), "--kubeconfig", plane.admin, "apply", "--server-side", "-f", crds)
        wait(lambda: _knows_kuberay(plane.admin), "KubeRay's API in the API server", seconds=60)
        yield plane
    finally:
        plane.stop()


def _knows_kuberay(kubeconfig: Path) -> bool:
    """Whether kubectl would find RayServices: CRDs are known a moment after they are made."""
    known = connect(kubeconfig=kubeconfig).get_if_there("/apis/ray.io/v1") or {}
    return "rayservices" in [resource["name"] for resource in known.get("resources", [])]
