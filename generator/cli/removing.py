"""The command `remove`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import environment_option, examples, project_of
from generator.cli.printing import echo, print_diff, relative, say
from generator.program import program

if TYPE_CHECKING:
    from generator.project.project import Project


@click.command(epilog=examples("remove qwen3-8b --environment dev", "remove qwen3-8b"))
@click.argument("model")
@environment_option(
    "Serve it there no more. Without this it is taken out of the catalog, when no environment serves it."
)
@click.option("--dry-run", is_flag=True, help="Print what would change, write nothing.")
@click.pass_context
def remove(ctx: click.Context, model: str, environment: str | None, dry_run: bool) -> None:
    """Take a model out of an environment, or out of the catalog when no environment serves it.

    The values of the environment are generated anew; those of a family that it serves no more are deleted.
    """
    from generator.documents.files import write_files
    from generator.project.remove import remove_model

    project = project_of(ctx)
    removed = remove_model(project, model, environment=environment, report=say)
    changed, gone = removed.generated.changed(), removed.generated.stale
    if dry_run:
        print_diff(removed.generated)
    else:
        write_files(changed, remove=gone)
    echo(f"{relative(removed.path)}   - {model}")
    for path in [path for path in changed if path != removed.path]:
        echo(f"{relative(path)}   {'would change' if dry_run else 'changed'} with it")
    for path in gone:
        echo(f"{relative(path)}   {'would be removed' if dry_run else 'removed'}")
    if environment is not None and not dry_run:
        if removed.extended_by:
            say(f"next: {program()} generate, for {', '.join(removed.extended_by)} extends {environment}")
        say(f"next: {_next_step(project, environment, gone)}")


def _next_step(project: Project, environment: str, gone: Sequence[Path]) -> str:
    from generator.project.release import RELEASE, upgrade_line

    if not project.served(environment, []):
        return f"helm uninstall {RELEASE} -n {project.environment(environment).namespace}: {environment} serves nothing"
    line = upgrade_line(project, environment)
    if gone:
        line += f"; helm uninstall a release that has {', '.join(map(relative, gone))} alone"
    return line
