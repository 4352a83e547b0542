"""The objects of a release of an environment: its chart, and the values files of what it serves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from generator.chart import Manifest, render
from generator.chart_source import chart_at, helm_words, packaged_chart
from generator.program import program
from generator.progress import Report
from generator.project.project import Project

RELEASE = "llm"
"""What a release with all that an environment serves is called where nobody calls it otherwise."""


def release_objects(
    project: Project,
    environment: str,
    names: Sequence[str],
    *,
    release: str = RELEASE,
    namespace: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    chart: str | None,
    report: Report,
) -> list[Manifest]:
    """Render the values files of these families and apps; `namespace` is the environment's unless it is given.

    `chart` is what the command line names. Raises UserError where a file is missing, and for what helm refuses.
    """
    target = project.environment(environment)
    return render(
        chart_of(project, environment, chart, report=report),
        [project.values_path(environment, name) for name in names],
        release=release,
        namespace=namespace or target.namespace,
        overrides=overrides,
        subchart=target.subchart,
    )


def chart_of(project: Project, environment: str | None, named: str | None, *, report: Report) -> Path:
    """The chart that the command line names, else the environment, else the project's own, else this package's."""
    reference, root, where = _source(project, environment, named)
    if reference is not None:
        return chart_at(reference, root=root, where=where, report=report)
    own = project.root / "chart"
    return own if own.is_dir() else packaged_chart()


def upgrade_line(project: Project, environment: str, *more: str) -> str:
    """The command that installs or changes the release with all that an environment serves, and with `more`."""
    names = dict.fromkeys([*project.served(environment, []), *more])
    files = [os.path.relpath(project.values_path(environment, name)) for name in names]
    chart, namespace = chart_on_a_command_line(project, environment), project.environment(environment).namespace
    return install_line(RELEASE, chart, namespace, files)


def install_line(release: str, chart: str, namespace: str, files: Iterable[str | Path]) -> str:
    """`helm upgrade --install` of values files; `chart` is as `chart_on_a_command_line` says it."""
    return f"helm upgrade --install {release} {chart} -n {namespace} {' '.join(f'-f {path}' for path in files)}"


def chart_on_a_command_line(project: Project, environment: str, named: str | None = None) -> str:
    """The chart to install, as people name it to helm."""
    if project.environment(environment).subchart:
        return "PARENT-CHART"
    reference, root, where = _source(project, environment, named)
    if reference is not None:
        return helm_words(reference, root=root, where=where)
    own = project.root / "chart"
    return os.path.relpath(own) if own.is_dir() else f'"$({program()} chart)"'


def _source(project: Project, environment: str | None, named: str | None) -> tuple[str | None, Path, str]:
    """Who names a chart: the reference, the folder at which its path begins, and where it is written."""
    if named is not None:
        return named, Path(), "--chart"
    if environment is None:
        return None, project.root, ""
    where = f"{project.environment_path(environment)}: chartSource"
    return project.environment(environment).chartSource, project.root, where
