"""`python -m tools.cluster up|down|image|restart-kubelet`: the cluster that the tests run on.

`up` prints the `export KUBECONFIG=` line for a shell; progress goes to stderr. Everything can be said again.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

from generator.errors import GeneratorError, UserError

from . import bare, cpu_image, existing, kind
from .control_plane import SERVICE_RANGE
from .machine import ADDRESS
from .node import POD_RANGE
from .settings import say, state_folder

CLUSTERS = {"kind": kind, "bare": bare}


@click.group(help=__doc__.split("\n\n")[1])
def main() -> None:
    pass


@main.command()
@click.option("--image/--no-image", default=True, help="Build the CPU image and load it.")
def up(image: bool) -> None:
    """Bring up a one-node cluster with KubeRay: kind where Docker answers, else bare processes.

    Where KUBECONFIG names a cluster, that one is used as it is.
    """
    path = existing.kubeconfig()
    if path:
        existing.check(path)
    else:
        made = _made() or ("kind" if cpu_image.docker_answers() else "bare")
        state_folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        _marker().write_text(made)
        path = CLUSTERS[made].up(image=image)
        say("ready")
    click.echo(f"export KUBECONFIG={shlex.quote(str(path))}")
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy")):
        click.echo(f"export NO_PROXY={shlex.quote(os.environ['NO_PROXY'])}")


@main.command()
def down() -> None:
    """Take the cluster away that `up` has made, with its processes, mounts, network and files; no one else's."""
    made = _made() or ("bare" if bare.exists() else "")
    if made:
        CLUSTERS[made].down()
        say("gone")
    else:
        say("there is none")


@main.command()
def image() -> None:
    """Build the CPU image and print the archive's path."""
    click.echo(cpu_image.archive())


@main.command("restart-kubelet")
def restart_kubelet() -> None:
    """Restart the node's kubelet, as the tests do."""
    made = _made()
    if not made or existing.kubeconfig():
        raise UserError("there is no cluster of ours whose kubelet could be restarted", fix="make cluster")
    CLUSTERS[made].restart_kubelet()


def _marker() -> Path:
    return state_folder() / "made-by"


def _made() -> str:
    """Which of CLUSTERS there is, whether Docker answers now or not; nothing where there is none."""
    return _marker().read_text() if _marker().exists() else ""


def _reach_the_cluster_directly() -> None:
    """A proxy of this machine leads out, not to addresses that are on it."""
    inside = (os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or "", "localhost", "127.0.0.1", ADDRESS)
    ranges = (SERVICE_RANGE, POD_RANGE, ".svc", ".cluster.local")
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(part for part in (*inside, *ranges) if part)


if __name__ == "__main__":
    _reach_the_cluster_directly()
    try:
        main(standalone_mode=False)
    except GeneratorError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
