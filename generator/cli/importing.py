"""The command `import`."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from generator.cli.options import examples, json_option, print_json, project_of
from generator.cli.printing import echo, say
from generator.program import program

if TYPE_CHECKING:
    from generator.formats.output import ImportLine, ImportOutput
    from generator.migrate.found import Line
    from generator.migrate.migrate import Imported


@click.command(
    "import",
    epilog=examples(
        "import rayservice.yaml --environment prod --gpu L4-24GB",
        "import manifests/ --dry-run",
        "import values.yaml --gpu l4-workers=L4-24GB",
    ),
)
@click.argument("references", nargs=-1, required=True, metavar="FILE|FOLDER|-...")
@click.option("-e", "--environment", metavar="E", default="imported", show_default=True, help="The environment's name.")
@click.option(
    "--gpu", "gpus", multiple=True, metavar="[POOL=]GPU", help="The GPU type of a pool, or of all that do not say it."
)
@click.option("--namespace", help="By default the one that the manifests name.")
@click.option("--ray", help="A Ray release of `list releases`; by default the manifests', or the newest.")
@click.option("--replace", is_flag=True, help="Put it in the place of an environment or a model of the same name.")
@click.option("--dry-run", is_flag=True, help="Print the report, write nothing.")
@json_option
@click.pass_context
def import_(ctx: click.Context, /, references: tuple[str, ...], dry_run: bool, as_json: bool, **options: Any) -> None:
    """Write a catalog and an environment from manifests of others, and say what was taken, changes or was left out.

    Read are a RayService with its ConfigMaps, KubeAI's Models, and values of vLLM's production-stack. Exit code 0 also
    where some models were left out, which the last line names. Exit code 1: everything is written, but the environment
    cannot be planned as it is.
    """
    from generator.documents.files import write_files
    from generator.migrate.migrate import import_manifests

    imported = import_manifests(project_of(ctx), references, report=say, **options)
    changed = imported.generated.changed()
    if not dry_run:
        write_files(changed, remove=imported.generated.stale)
    paths = {os.path.relpath(path): "would change" if dry_run else "written" for path in changed}
    removed = [os.path.relpath(path) for path in imported.generated.stale]
    if as_json:
        print_json(_document(imported, list(paths), removed))
    else:
        _print(imported, paths | dict.fromkeys(removed, "would be removed" if dry_run else "removed"))
    if imported.refused:
        for refusal in imported.refused:
            say(f"error: {refusal}", fg="red")
        say(f"next: edit {os.path.relpath(imported.path)}, then {program()} generate")
        sys.exit(1)
    if not dry_run:
        say(f"next: {program()} plan --environment {shlex.quote(imported.environment)}")


def _print(imported: Imported, paths: dict[str, str]) -> None:
    for path, verb in paths.items():
        echo(f"{path}   {verb}")
    found = imported.findings
    for title, lines in (("taken", found.taken), ("changes", found.changed), ("left out", found.left_out)):
        if lines:
            echo()
            echo(title, bold=True)
        for line in lines:
            echo(f"  {line.where}: {line.what}" + (f" ({line.why})" if line.why else ""))
    if imported.models or found.models_left_out:
        echo()
        echo(_count(imported), bold=True)


def _count(imported: Imported) -> str:
    taken, lost = len(imported.models), imported.findings.models_left_out
    count = f"{taken} of {taken + len(lost)} models taken"
    return f"{count}; left out: {', '.join(lost)}" if lost else count


def _document(imported: Imported, paths: list[str], removed: list[str]) -> ImportOutput:
    found = imported.findings
    return {
        "version": 1,
        "environment": imported.environment,
        "files": paths,
        "removed": removed,
        "taken": _lines(found.taken),
        "changed": _lines(found.changed),
        "left_out": _lines(found.left_out),
        "models_left_out": found.models_left_out,
        "plan_refused": imported.refused,
    }


def _lines(lines: list[Line]) -> list[ImportLine]:
    return [{"where": line.where, "what": line.what, "why": line.why} for line in lines]
