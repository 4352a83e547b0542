"""The commands that ask a live cluster: `preflight` and `status`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .cli_options import environment_option, examples, json_option, project_of, say

COLORS = {"ok": "green", "warning": "yellow", "fails": "red"}
PULL_SECONDS = 600


def _cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--kubeconfig", type=click.Path(path_type=Path), help="By default KUBECONFIG, then ~/.kube/config."
        ),
        click.option("--context", metavar="NAME", help="Context of the kubeconfig; by default its current one."),
        click.option("-n", "--namespace", help="By default the environment's; for status the context's."),
    ):
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "preflight -e dev",
        "preflight -e prod --family falcon3 --release falcon3",
        "preflight -e prod --pull --context my-cluster",
    )
)
@environment_option("The environment that is to be installed.", required=True)
@click.option(
    "--family", "families", multiple=True, metavar="F", help="Only this family, again for more; by default all."
)
@click.option("--release", help="Name of the Helm release; by default the family, or llm where there are several.")
@_cluster_options
@click.option("--pull", is_flag=True, help="Try to pull each image that nodes lack: a pod each, deleted afterwards.")
@click.option(
    "--pull-timeout",
    type=click.IntRange(min=1),
    default=PULL_SECONDS,
    show_default=True,
    help="Seconds to wait for each image.",
)
@json_option
@click.pass_context
def preflight(
    ctx: click.Context,
    environment: str,
    families: tuple[str, ...],
    release: str | None,
    namespace: str | None,
    context: str | None,
    kubeconfig: Path | None,
    pull: bool,
    pull_timeout: int,
    as_json: bool,
) -> None:
    """Check a live cluster before an installation: KubeRay, rights, pods, nodes, Secrets, storage, images.

    Nothing is changed: objects are sent as the server's dry runs. Exit 1 when something fails.
    """
    from .cluster import connect
    from .preflight import installation
    from .preflight import preflight as findings_of

    wanted = installation(project_of(ctx), environment, families, release=release, namespace=namespace)
    cluster = connect(context=context, kubeconfig=kubeconfig)
    if not as_json:
        title = f"helm release {wanted.release} in namespace {wanted.namespace}, of {', '.join(map(str, wanted.files))}"
        click.secho(title, bold=True)
    found = []
    for finding in findings_of(cluster, wanted, pull_seconds=pull_timeout if pull else None, report=say):
        found.append(finding)
        if not as_json:
            _print_finding(finding.level, finding.subject, finding.what, finding.fix)
    counts = {level: sum(1 for finding in found if finding.level == level) for level in COLORS}
    if as_json:
        rows = [{"level": f.level, "subject": f.subject, "what": f.what, "fix": f.fix} for f in found]
        head = {"release": wanted.release, "namespace": wanted.namespace, "cluster": cluster.address}
        click.echo(json.dumps({**head, "findings": rows, "counts": counts}, indent=2))
    else:
        worst = "fails" if counts["fails"] else "warning" if counts["warning"] else "ok"
        text = f"{counts['ok']} ok, {counts['warning']} warnings, {counts['fails']} fail"
        click.secho(text, fg=COLORS[worst], bold=True)
        if not counts["fails"]:
            files = " ".join(f"-f {path}" for path in wanted.files)
            say(f"next: helm upgrade --install {wanted.release} chart -n {wanted.namespace} {files}")
    if counts["fails"]:
        sys.exit(1)


def _print_finding(level: str, subject: str, what: str, fix: str) -> None:
    indent = " " * 11
    first, *rest = what.splitlines() or [""]
    click.echo("  " + click.style(level.ljust(9), fg=COLORS[level]) + click.style(f"{subject}: ", bold=True) + first)
    for line in rest:
        click.echo(f"{indent}{line}")
    for line in fix.splitlines():
        click.echo(f"{indent}→ {line}")
