"""A kind cluster, where Docker answers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from . import cpu_image, kuberay
from .settings import program, run, say, state_folder, versions

NAME = "ray-serve-llm"
NODE = f"{NAME}-control-plane"


def available() -> bool:
    """Whether Docker's daemon answers."""
    return bool(shutil.which("docker")) and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def exists() -> bool:
    """Whether the cluster is there."""
    return NAME in run(program("kind"), "get", "clusters").split()


def up(*, image: bool = True) -> Path:
    """Bring the cluster up as far as it is not; returns its kubeconfig."""
    kubeconfig = state_folder() / "kubeconfig"
    kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    if not exists():
        say("creating a kind cluster")
        node_image = f"kindest/node:{versions()['KUBERNETES_VERSION']}"
        run(
            program("kind"),
            "create",
            "cluster",
            "--name",
            NAME,
            "--image",
            node_image,
            "--kubeconfig",
            kubeconfig,
            "--wait",
            "120s",
        )
    else:
        run(program("kind"), "export", "kubeconfig", "--name", NAME, "--kubeconfig", kubeconfig)

    def kubectl(*arguments: str | Path, **options: object) -> str:
        return run(program("kubectl"), "--kubeconfig", kubeconfig, *arguments, **options)

    kuberay.install(kubectl, _load, state_folder() / "kuberay")
    if image:
        archive = cpu_image.archive()
        if cpu_image.NAME not in run("docker", "exec", NODE, "ctr", "-n", "k8s.io", "images", "ls", "-q").split():
            say(f"loading {cpu_image.NAME} (minutes)")
            _load(archive)
    return kubeconfig


def restart_kubelet() -> None:
    """Restart the kubelet of the node; the pods run on meanwhile."""
    run("docker", "exec", NODE, "systemctl", "restart", "kubelet")


def down() -> None:
    """Delete the cluster."""
    run(program("kind"), "delete", "cluster", "--name", NAME)
    shutil.rmtree(state_folder(), ignore_errors=True)


def _load(archive: Path) -> None:
    run(program("kind"), "load", "image-archive", "--name", NAME, archive)
