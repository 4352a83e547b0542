"""The command line: `python -m generator`. Only this layer prints, and only it exits.

Everything heavy is imported inside the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from generator import __version__
from generator.cli.adding import add
from generator.cli.bench import bench
from generator.cli.cluster import preflight, status
from generator.cli.fit import fit
from generator.cli.importing import import_
from generator.cli.initializing import init
from generator.cli.options import (
    Count,
    chart_option,
    environment_option,
    examples,
    json_option,
    own_facts_around,
    print_json,
    project_of,
)
from generator.cli.printing import echo, error_texts, print_diff, relative, say
from generator.cli.removing import remove
from generator.errors import GeneratorError, UserError, did_you_mean
from generator.facts.own import read_own_facts_by
from generator.program import INSTALLED, program

if TYPE_CHECKING:
    from generator.formats.output import FaultOutput, ListKind, ListOutput, ValidateOutput
    from generator.project.project import Generated


class Commands(click.Group):
    """A group that answers a misspelt command with the nearest one, and lists commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(f"no command '{args[0]}': {did_you_mean(args[0], self.commands)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        # Errors are printed here and not in `main`, because only the context knows whether colours are wanted.
        try:
            return super().invoke(ctx)
        except GeneratorError as error:
            _print_error(error)
            ctx.exit(error.exit_code)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=examples("generate --check", "plan --environment prod", "add tiiuae/Falcon3-7B-Instruct", "serve falcon3"),
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="The folder that holds catalog/ and environments/; by default this one, or the nearest above it.",
)
@click.option("--color/--no-color", default=None, help="Colours; by default where a terminal reads (NO_COLOR is kept).")
@click.version_option(__version__, prog_name="generator")
@click.pass_context
def cli(ctx: click.Context, root: Path | None, color: bool | None) -> None:
    """From a model catalog to a fleet of OpenAI endpoints on KubeRay.

    People edit catalog/ (which models, what their users need) and environments/ (which GPUs, which Ray release).
    The generator plans, and writes values/ for the chart.
    """
    ctx.obj = root
    read_own_facts_by(lambda: own_facts_around(root))
    ctx.color = color if color is not None else (False if os.environ.get("NO_COLOR") else None)


cli.add_command(init)
cli.add_command(add)
cli.add_command(remove)
cli.add_command(import_)


@cli.command(epilog=examples("generate", "generate --environment dev", "generate --check"))
@environment_option("Only this environment; by default all.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 with a diff when a file would change.")
@click.pass_context
def generate(ctx: click.Context, environment: str | None, check: bool) -> None:
    """Plan, and write the values of every environment and family."""
    project = project_of(ctx)
    names = [environment] if environment else project.environment_names()
    _finish(project.generated_values(names, report=say), check=check, again=f"{program()} generate")


@cli.command(epilog=examples("validate values/dev/falcon3.yaml", "validate catalog/*.yaml environments/*.yaml"))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--subchart",
    metavar="NAME",
    help="The values are those of a parent chart, with this chart's below its name or alias there.",
)
@json_option
def validate(files: tuple[Path, ...], subchart: str | None, as_json: bool) -> None:
    """Check catalog, environment, values and gpus.yaml files. Exit 2 when one is wrong."""
    from generator.errors import faults
    from generator.project.validate import validate_file

    if Path() in files:  # also what "" is: an unset variable in a script
        raise click.UsageError("a FILE is empty, or this folder; name files")
    wrong: list[FaultOutput] = []
    kinds: dict[str, str] = {}
    for path in files:
        try:
            kinds[str(path)] = validate_file(path, subchart=subchart)
        except UserError as error:
            wrong += [{"file": str(path), "where": e.where, "what": e.what, "fix": e.fix} for e in faults(error)]
            if not as_json:
                _print_error(error)
    if as_json:
        document: ValidateOutput = {"version": 1, "valid": kinds, "faults": wrong}
        print_json(document)
    else:
        for name, kind in kinds.items():
            echo(f"{name}: valid {kind}")
    if wrong:
        sys.exit(UserError.exit_code)


@cli.command(epilog=examples("chart", "chart -e prod"))
@environment_option("The environment whose chart it is: what its `chartSource` names is pulled.")
@click.pass_context
def chart(ctx: click.Context, environment: str | None) -> None:
    """Print where the chart is, for helm: an environment's, the project's, or the one that came with this package."""
    from generator.chart_source import packaged_chart
    from generator.project.release import chart_of

    try:
        project = project_of(ctx)
    except UserError:
        if environment is not None:
            raise
        echo(str(packaged_chart()))  # no project here
    else:
        echo(str(chart_of(project, environment, None, report=say).resolve()))


@cli.command(epilog=examples("schema", "schema --check"))
@click.option("--check", is_flag=True, help="Write nothing; exit 1 with a diff when a file would change.")
@click.pass_context
def schema(ctx: click.Context, check: bool) -> None:
    """Write schemas/; where chart/ lies beside, also its schema and the facts that it knows."""
    _finish(project_of(ctx).generated_schemas(), check=check, again=f"{program()} schema")


@cli.command(epilog=examples("plan", "plan --environment prod", "plan --environment prod --json"))
@environment_option("Only this environment; by default all.")
@json_option
@click.pass_context
def plan(ctx: click.Context, environment: str | None, as_json: bool) -> None:
    """Show where every model runs and why, as arithmetic that a person can follow."""
    from generator.cli.plan_report import plan_lines, plans_json

    project = project_of(ctx)
    names = [environment] if environment else project.environment_names()
    catalog = project.catalog(may_be_empty=True)
    plans = [project.plan(name, catalog) for name in names]
    if as_json:
        print_json(plans_json(plans))
        return
    for plan in plans:
        for line, style in plan_lines(plan):
            echo(line, **style)


LISTS = ("models", "families", "environments", "gpus", "releases", "library", "images", "downloads")


@cli.command(
    "list", epilog=examples("list", "list gpus", "list models --json", "list library --task code --gpu L4-24GB")
)
@click.argument("what", type=click.Choice(LISTS), default="models")
@click.option("--task", help="Of the library: only models for this, such as chat, embedding or transcription.")
@click.option(
    "--gpu", metavar="GPU", help="Of the library: how many of this GPU type each model takes, and only those."
)
@environment_option("Of images and downloads: whose. Helm renders its values to tell the images.")
@chart_option
@json_option
@click.pass_context
def list_(
    ctx: click.Context,
    what: ListKind,
    task: str | None,
    gpu: str | None,
    environment: str | None,
    chart: str | None,
    as_json: bool,
) -> None:
    """List models, families, environments, GPU types, Ray releases, or the library of models that `add` knows.

    images and downloads are what an environment takes from elsewhere, for the mirror of a cluster without a way out.
    """
    from generator.cli.listing import cell, library_rows, mirror_rows, rows

    if (environment is not None) != (what in ("images", "downloads")):
        raise click.UsageError("--environment is of `list images` and `list downloads`, which need it")
    if chart is not None and what != "images":
        raise click.UsageError("--chart is of `list images`")
    if what == "library":
        items = library_rows(task=task, gpu=gpu, report=say)
    elif environment is not None:
        items = mirror_rows(what, project_of(ctx), environment, chart=chart, report=say)
    elif task or gpu:
        raise click.UsageError("--task and --gpu are of `list library`")
    else:
        items = rows(what, None if what in ("gpus", "releases") else project_of(ctx))
    if as_json:
        document: ListOutput = {"version": 1, "kind": what, "items": items}
        print_json(document)
        return
    if not items:
        say(f"no {what} yet" if what in ("models", "families") else f"no {what}")
    cells = [{key: cell(key, value) for key, value in row.items()} for row in items]
    widths = {key: max(len(key), *(len(row[key]) for row in cells)) for key in cells[0]} if cells else {}
    echo("  ".join(key.ljust(width) for key, width in widths.items()).rstrip(), bold=True)
    for row in cells:
        echo("  ".join(row[key].ljust(width) for key, width in widths.items()).rstrip())


@cli.command(epilog=examples("serve falcon3", "serve falcon3 falcon-h1 --once", "serve falcon3 --port 8000"))
@click.argument("names", nargs=-1, required=True, metavar="FAMILY|APP...")
@environment_option("The environment whose values are served; by default local.")
@chart_option
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the OpenAI API; by default 8000, or a free one.")
@click.option("--once", is_flag=True, help="Ask each model once, print what it answers, and stop.")
@click.option(
    "--prompt", default="Why is the sky blue?", show_default=True, help="What --once asks a model that chats."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=JSON", help="A value of the chart, as for helm --set-json."
)
@click.option(
    "--workdir", type=click.Path(path_type=Path), help="Where relative sources of models begin; by default the project."
)
@click.option("--timeout", type=Count(), default=900, show_default=True, help="Seconds until Ready.")
@click.pass_context
def serve(ctx: click.Context, /, names: tuple[str, ...], environment: str | None, **options: Any) -> None:
    """Serve families and apps on this machine: the chart's own rendering, on a local Ray with vLLM. Ctrl-C stops it."""
    from generator.local.serve import serve as serve_here

    serve_here(project_of(ctx), names, environment or "local", say=say, show=echo, **options)


cli.add_command(fit)
cli.add_command(preflight)
cli.add_command(status)
cli.add_command(bench)


SHELLS = ("bash", "zsh", "fish")


@cli.command(epilog=examples(f"completion bash > ~/.local/share/bash-completion/completions/{INSTALLED[0]}"))
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of a shell, for the installed command."""
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    assert completion is not None
    name = program() if program() in INSTALLED else INSTALLED[0]
    click.echo(completion(cli, {}, name, f"_{name.replace('-', '_').upper()}_COMPLETE").source())


def _finish(generated: Generated, *, check: bool, again: str) -> None:
    from generator.documents.files import write_files

    changed = generated.changed()
    if check:
        print_diff(generated)
        if changed or generated.stale:
            say(f"{len(changed) + len(generated.stale)} files are not what is generated; run: {again}", fg="red")
            sys.exit(1)
        echo(f"{len(generated.texts)} files are as generated")
        return
    write_files(changed, remove=generated.stale)
    for path in changed:
        echo(f"{relative(path)}   updated")
    for path in generated.stale:
        echo(f"{relative(path)}   removed")
    echo(f"{len(generated.texts)} files, {len(changed)} changed")


def _print_error(error: GeneratorError) -> None:
    for text in error_texts(error):
        say(f"error: {text}", fg="red")


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 a check or a run failed, 2 bad input, 130 stopped by Ctrl-C."""
    # Plans are many objects and no garbage: looking for it after every 700 takes a sixth of the time of a big one.
    gc.set_threshold(100_000)
    try:
        code = cli.main(prog_name=program(), standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(file=shown)  # with the command's usage
        say(shown.getvalue().rstrip())
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        say("stopped")
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has gone: that is no fault.
        _write_no_more()
        sys.exit(0)
    except OSError as error:
        if error.filename is not None:
            raise
        with contextlib.suppress(OSError):
            say(f"error: the output cannot be written: {error.strerror}\n  Make room, or write elsewhere.")
        _write_no_more()
        sys.exit(1)


def _write_no_more() -> None:
    """Keep Python from writing at its exit what could not be written before."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
