"""`python -m tools.cluster up|down|image|restart-kubelet`: the cluster that the tests run on.

`up` prints the `export KUBECONFIG=` line for a shell; progress goes to stderr. Everything can be said again.
"""

from __future__ import annotations

import sys

import click

from generator.errors import UserError

from . import bare, cpu_image, existing, kind
from .settings import say


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
        path = (kind if kind.available() else bare).up(image=image)
        say("ready")
    click.echo(f"export KUBECONFIG={path}")


@main.command()
def down() -> None:
    """Take the cluster away with all its processes, mounts, network and files. Someone else's is left alone."""
    if existing.kubeconfig():
        say("KUBECONFIG names a cluster that was not made here: nothing to do")
    elif kind.available() and kind.exists():
        kind.down()
    elif bare.exists():
        bare.down()
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
    if existing.kubeconfig():
        raise UserError("the kubelet of someone else's cluster is not ours to restart")
    if kind.available():
        kind.restart_kubelet()
    else:
        bare.cluster().restart_kubelet()


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
