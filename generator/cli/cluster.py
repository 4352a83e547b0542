"""The commands that ask a live cluster: `preflight` and `status`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from generator.cli.options import Count, chart_option, environment_option, examples, json_option, print_json, project_of
from generator.cli.printing import echo, say
from generator.errors import UserError, printable

if TYPE_CHECKING:
    from generator.cluster.api import Cluster
    from generator.cluster.finding import Finding
    from generator.cluster.status.status import ReleaseStatus
    from generator.formats.output import FoundOutput, Level, PreflightOutput
    from generator.project.project import Project

COLORS: dict[Level, str] = {"pass": "green", "warn": "yellow", "fail": "red"}
PULL_SECONDS = 600
WATCH_S = 2.0
"""Between two looks at the cluster."""
CLEAR, HOME, CLEAR_BELOW = "\x1b[2J", "\x1b[H", "\x1b[J"


def _cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--kubeconfig", type=click.Path(path_type=Path), help="By default KUBECONFIG, then ~/.kube/config."
        ),
        click.option("--context", metavar="NAME", help="Context of the kubeconfig; by default its current one."),
        click.option("-n", "--namespace", help="By default the environment's; for status wherever it is."),
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
    "--family", "names", multiple=True, metavar="F", help="Only this family or app, again for more; by default all."
)
@click.option("--release", help="Name of the Helm release; by default the family that is named alone, else llm.")
@_cluster_options
@chart_option
@click.option("--pull", is_flag=True, help="Try to pull each image that nodes lack: a pod each, deleted afterwards.")
@click.option(
    "--pull-timeout",
    type=Count(),
    default=PULL_SECONDS,
    show_default=True,
    help="Seconds to wait for each image.",
)
@json_option
@click.pass_context
def preflight(
    ctx: click.Context,
    environment: str,
    names: tuple[str, ...],
    release: str | None,
    namespace: str | None,
    context: str | None,
    kubeconfig: Path | None,
    chart: str | None,
    pull: bool,
    pull_timeout: int,
    as_json: bool,
) -> None:
    """Check a live cluster before an installation: KubeRay, rights, pods, nodes, Secrets, storage, images.

    Nothing is changed: objects are sent as the server's dry runs. Exit 1 when something fails.
    """
    from generator.cluster.answers import typed_answers
    from generator.cluster.preflight.preflight import installation
    from generator.cluster.preflight.preflight import preflight as findings_of
    from generator.project.release import chart_on_a_command_line, install_line

    project = project_of(ctx)
    wanted = installation(project, environment, names, release=release, namespace=namespace, chart=chart, report=say)
    cluster = _cluster_of(project, environment, context, kubeconfig)
    if not as_json:
        title = f"helm release {wanted.release} in namespace {wanted.namespace}, of {', '.join(map(str, wanted.files))}"
        echo(title, bold=True)

    def checks() -> Iterator[Finding]:
        with typed_answers(cluster):
            yield from findings_of(cluster, wanted, pull_seconds=pull_timeout if pull else None, report=say)

    findings = []
    for finding in checks():
        findings.append(finding)
        if not as_json:
            _print_finding(finding)
    counts = {level: sum(1 for finding in findings if finding.level == level) for level in COLORS}
    if as_json:
        rows: list[FoundOutput] = [
            {"level": f.level, "subject": f.subject, "message": f.message, "fix": f.fix} for f in findings
        ]
        document: PreflightOutput = {
            "version": 1,
            "release": wanted.release,
            "namespace": wanted.namespace,
            "cluster": cluster.address,
            "findings": rows,
            "counts": {"pass": counts["pass"], "warn": counts["warn"], "fail": counts["fail"]},
        }
        print_json(document)
    else:
        worst: Level = "fail" if counts["fail"] else "warn" if counts["warn"] else "pass"
        text = f"{counts['pass']} passed, {counts['warn']} warned, {counts['fail']} failed"
        echo(text, fg=COLORS[worst], bold=True)
        if not counts["fail"]:
            of = chart_on_a_command_line(project, environment, chart)
            say(f"next: {install_line(wanted.release, of, wanted.namespace, wanted.files)}")
    if counts["fail"]:
        sys.exit(1)


def _cluster_of(project: Project, environment: str, context: str | None, kubeconfig: Path | None) -> Cluster:
    """The cluster of `context`, else of the context that the environment names; where it names none, that is said."""
    from generator.cluster.api import connect

    path, named = project.environment_path(environment), project.environment(environment).kubeContext
    if context is not None or named is None:
        if context is None:
            say(f"{path} names no kubeContext: the kubeconfig's current one is asked")
        return connect(context=context, kubeconfig=kubeconfig)
    try:
        return connect(context=named, kubeconfig=kubeconfig)
    except UserError as error:
        raise UserError(f"{error.what} (kubeContext {named} of {path})", where=error.where, fix=error.fix) from None


def _print_finding(finding: Finding) -> None:
    indent = " " * 8
    first, *rest = finding.message.splitlines() or [""]
    level = click.style(finding.level.ljust(6), fg=COLORS[finding.level])
    click.echo("  " + level + click.style(f"{printable(finding.subject)}: ", bold=True) + printable(first))
    for line in rest:
        echo(f"{indent}{line}")
    for line in finding.fix.splitlines():
        echo(f"{indent}→ {line}")


@click.command(epilog=examples("status falcon3", "status falcon3 -e prod --watch", "status falcon3 -n ai --json"))
@click.argument("release")
@environment_option("The environment whose cluster and namespace it is in; by default the current context's.")
@_cluster_options
@click.option("--watch", is_flag=True, help="Keep showing it until Ctrl-C; where no terminal reads, only what changes.")
@json_option
@click.pass_context
def status(
    ctx: click.Context,
    release: str,
    environment: str | None,
    namespace: str | None,
    context: str | None,
    kubeconfig: Path | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Show what a release serves now, and in words why something does not. Exit 1 when something does not."""
    from generator.cli.status_report import status_json, status_lines
    from generator.cluster.answers import typed_answers
    from generator.cluster.api import connect
    from generator.cluster.status.objects import find_release, observe
    from generator.cluster.status.status import release_status

    if environment is None:
        cluster = connect(context=context, kubeconfig=kubeconfig)
    else:
        project = project_of(ctx)
        namespace = namespace or project.environment(environment).namespace
        cluster = _cluster_of(project, environment, context, kubeconfig)
    with typed_answers(cluster):
        place, name = find_release(cluster, release, namespace)

    def read() -> ReleaseStatus:
        with typed_answers(cluster):
            return release_status(observe(cluster, place, name), release)

    if watch:
        _watch(read, as_json=as_json, live=not as_json and sys.stdout.isatty())
    now = read()
    if as_json:
        print_json(status_json(now))
    else:
        with typed_answers(cluster):
            lines = list(status_lines(now))
        for line, style in lines:
            echo(line, **style)
    if not now.all_ready:
        sys.exit(1)


def _watch(read: Callable[[], ReleaseStatus], *, as_json: bool, live: bool) -> NoReturn:
    """Show every change until Ctrl-C. A cluster that does not answer for a while is asked again."""
    from generator.cli.status_report import changes, facts, status_json, status_lines

    known: dict[str, str] = {}
    while True:
        try:
            now = read()
        except UserError as error:
            if not known:
                raise
            say(f"{_clock()}  {error.what}; trying again", fg="yellow")
            time.sleep(WATCH_S)
            continue
        shown = facts(now)
        if live:
            _redraw(list(status_lines(now)), first=not known)
        elif shown != known and as_json:
            print_json(status_json(now), indent=None)
        else:
            for line in changes(known, shown):
                echo(f"{_clock()}  {line}")
        sys.stdout.flush()
        known = shown
        time.sleep(WATCH_S)


def _redraw(lines: list[tuple[str, dict[str, Any]]], *, first: bool) -> None:
    """Write over what is on the screen, line by line, so that nothing flickers."""
    import shutil
    import textwrap

    columns, rows = shutil.get_terminal_size()
    shown: list[str] = []
    for line, style in [*lines, (f"{_clock()}, Ctrl-C stops", {})]:
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        wrapped = textwrap.wrap(printable(line), columns, subsequent_indent=indent) or [""]
        shown += [click.style(part, **style) for part in wrapped]
    if click.get_current_context().color is False:
        shown = [click.unstyle(line) for line in shown]
    text = "".join(f"{line}\x1b[K\n" for line in shown[: rows - 1])
    click.echo(f"{CLEAR if first else ''}{HOME}{text}{CLEAR_BELOW}", nl=False, color=True)


def _clock() -> str:
    return time.strftime("%H:%M:%S")
