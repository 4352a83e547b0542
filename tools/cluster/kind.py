"""A kind cluster, where Docker answers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from . import cpu_image, kuberay
from .settings import program, run, say, state_folder

NAME = "ray-serve-llm"
NODE = f"{NAME}-control-plane"


def exists() -> bool:
    """Whether the cluster is there."""
    return NAME in run(program("kind"), "get", "clusters").split()


def up(*, image: bool = True) -> Path:
    """Bring the cluster up as far as it is not; returns its kubeconfig."""
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    kubeconfig = folder / "kubeconfig"
    named = ("--name", NAME, "--kubeconfig", kubeconfig)
    if exists():
        run(program("kind"), "export", "kubeconfig", *named)
    else:
        say("creating a kind cluster")
        run(program("kind"), "create", "cluster", *named, "--wait", "120s")

    def kubectl(*arguments: str | Path, input: str | None = None) -> str:
        return run(program("kubectl"), "--kubeconfig", kubeconfig, *arguments, input=input)

    kuberay.install(kubectl, _load, folder / "kuberay")
    if image:
        cpu_image.load(_load, folder, present=_images())
    return kubeconfig


def _images() -> list[str]:
    return run("docker", "exec", NODE, "ctr", "--namespace", "k8s.io", "images", "ls", "-q").split()


def restart_kubelet() -> None:
    """Restart the kubelet of the node; the pods run on meanwhile."""
    run("docker", "exec", NODE, "systemctl", "restart", "kubelet")


def down() -> None:
    """Delete the cluster, and kind's network where no other cluster is on it."""
    run(program("kind"), "delete", "cluster", "--name", NAME)
    subprocess.run(["docker", "network", "rm", "kind"], capture_output=True, check=False)
    shutil.rmtree(state_folder(), ignore_errors=True)


def _load(archive: Path) -> None:
    run(program("kind"), "load", "image-archive", "--name", NAME, archive)
