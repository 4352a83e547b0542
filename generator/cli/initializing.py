"""The command `init`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from generator.cli.options import Count, examples
from generator.cli.printing import echo, relative, say
from generator.errors import UserError
from generator.program import program


@click.command(
    epilog=examples("init fleet --gpu L4-24GB --nodes 4", "init . --gpu H100-80GB --gpus-per-node 8 --nodes 2")
)
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--gpu", help="The type of its GPUs, of `list gpus`.")
@click.option("--nodes", type=Count(), help="The most nodes with such GPUs.")
@click.option("--gpus-per-node", type=click.IntRange(1, 64), default=1, show_default=True, help="GPUs of a node.")
@click.option("-e", "--environment", metavar="E", default="dev", show_default=True, help="The environment's name.")
@click.option("--namespace", default="ai", show_default=True, help="The namespace in which the release will be.")
@click.option("--ray", help="A Ray release of `list releases`; by default the newest.")
def init(folder: Path | None, gpu: str | None, nodes: int | None, **options: Any) -> None:
    """Begin a project of your own: a folder with an environment that serves nothing yet, schemas and CI.

    What is not given is asked.
    """
    from generator.documents.files import write_files
    from generator.project.init import new_project

    folder = Path(_asked("FOLDER", folder, "Folder of the new project", str))
    gpu = _asked("--gpu", gpu, "GPU type (`list gpus` shows them)", _gpu_type)
    nodes = _asked("--nodes", nodes, "Nodes with such GPUs, at the most", Count())
    texts = new_project(folder, gpu=gpu, nodes=nodes, command=program(), **options)
    write_files(texts)
    for path in texts:
        echo(f"{relative(path)}   new")
    step = "" if relative(folder) == "." else f"cd {shlex.quote(str(folder))} ; "
    say(f"next: {step}{program()} add qwen3-8b --environment {options['environment']}")


def _gpu_type(given: str) -> str:
    """An answer, which is asked again where it names no GPU."""
    from generator.facts.gpus import gpu

    try:
        return gpu(given, where="GPU").name
    except UserError as error:
        raise click.BadParameter(f"{error.what}; {error.fix}") from None


def _asked(option: str, given: Any, question: str, kind: Any) -> Any:
    """What was given, or is answered now; where nobody can answer, a fault."""
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise click.UsageError(f"{option} is missing, and there is no terminal to ask at")
    return click.prompt(question, type=kind, err=True)
