"""What commands share: their options, their examples, and how they print JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator.errors import cut
from generator.facts.own import FILE, OwnFacts
from generator.program import program

if TYPE_CHECKING:
    from generator.project.project import Project


LARGEST = 2**53
"""Larger whole numbers are not exact in a double, which is what Helm and JSON have."""


class Count(click.IntRange):
    """A whole number, at the most `most` or what a double holds. What is longer than any is not repeated."""

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        super().__init__(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        largest = LARGEST if self.max is None else int(self.max)
        if isinstance(value, str) and len(value) > len(str(LARGEST)):
            self.fail(f"{cut(value, 20)} is no whole number up to {largest}", param, ctx)
        number: int = super().convert(value, param, ctx)
        return number if number <= largest else self.fail(f"{number} is more than {largest}", param, ctx)


def examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {program()} {line}" for line in lines)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def print_json(document: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Print what formats/output.py describes; a number that JSON has not (Infinity) is an error of ours."""
    click.echo(json.dumps(document, indent=indent, allow_nan=False))


def environment_option(help_text: str, *, required: bool = False) -> Callable[..., Any]:
    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        root = Path(ctx.find_root().params.get("root") or ".")
        return [p.stem for p in sorted((root / "environments").glob("*.yaml")) if p.stem.startswith(incomplete)]

    def given(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        # As of an unset variable in a script: all environments are meant by leaving the option out, not by nothing.
        if value == "":
            raise click.BadParameter("it is empty; name an environment, or leave the option out")
        return value

    return click.option(
        "-e", "--environment", metavar="E", required=required, help=help_text, shell_complete=complete, callback=given
    )


def own_facts_around(root: Path | None) -> OwnFacts:
    """GPU types and prices of the project that is named, or lies around here; none outside of one."""
    from generator.project.root import root_around

    file = (root or root_around(Path()) or Path()) / FILE
    if not os.path.lexists(file):  # what reads it takes a while to load
        return OwnFacts()
    from generator.formats.own_gpus import read_own_gpus

    return read_own_gpus(file)


def chart_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--chart",
        metavar="CHART",
        help="A folder, a .tgz, oci://REGISTRY/NAME, https://REPOSITORY/NAME or REPOSITORY/NAME, the last three with "
        ":VERSION where it is another than this command's. By default the environment's `chartSource`, the project's "
        "chart/, or the one that came with this package.",
    )(command)


def project_of(ctx: click.Context) -> Project:
    from generator.project.project import Project

    return Project.around(Path()) if ctx.obj is None else Project.at(ctx.obj)
