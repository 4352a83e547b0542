"""Rows for `list`: what is known, by kind."""

from __future__ import annotations

from typing import Any, get_args

from generator.errors import UserError
from generator.facts.gpus import gpu as gpu_of
from generator.facts.gpus import gpus
from generator.facts.releases import newest, releases
from generator.formats.catalog import Task
from generator.progress import Report
from generator.project.library import fewest_gpus, library
from generator.project.mirror import files_of, images_of
from generator.project.project import Project


def rows(what: str, project: Project | None) -> list[dict[str, Any]]:
    """The rows of one kind, each a mapping of column to value; `project` is needed for what people edit."""
    if what == "gpus":
        return [{"gpu": g.name, "memory_gib": g.memory_gib, "source": g.source} for g in gpus().values()]
    if what == "releases":
        return [
            {"ray": r.ray, "vllm": r.vllm, "image": f"{r.facts['image']['repository']}:{r.facts['image']['tag']}"}
            for r in releases().values()
        ]
    assert project is not None
    if what == "environments":
        environments = {name: project.environment(name) for name in project.environment_names()}
        return [
            {
                "environment": name,
                "ray": e.ray,
                "namespace": e.namespace,
                "pools": list(e.pools),
                "families": list(e.serve),
                "apps": list(e.apps),
            }
            for name, e in environments.items()
        ]
    catalog = project.catalog(may_be_empty=True)
    if what == "families":
        return [
            {"family": name, "models": len(family.models), "file": catalog.files[name].name}
            for name, family in catalog.families.items()
        ]
    return [
        {
            "model": model_id,
            "family": name,
            "parameters": model.weights.parameters,
            "context": model.needs.context,
            "architecture": model.architecture.name,
            "source": model.source,
        }
        for name, family in catalog.families.items()
        for model_id, model in family.models.items()
    ]


def mirror_rows(
    what: str, project: Project, environment: str, *, chart: str | None, report: Report
) -> list[dict[str, Any]]:
    """What an environment takes from elsewhere: `images` or `downloads`."""
    if what == "images":
        images = images_of(project, environment, chart=chart, report=report)
        return [{"image": image, "containers": runs} for image, runs in images.items()]
    return files_of(project, environment)


def library_rows(*, task: str | None, gpu: str | None, report: Report) -> list[dict[str, Any]]:
    """The models of the library, of one task where that is named; with a GPU type those that one node of it holds."""
    if task is not None and task not in get_args(Task):
        raise UserError.unknown("task", task, get_args(Task), where="--task")
    if gpu is not None:
        gpu = gpu_of(gpu, where="--gpu").name
    catalog = library()
    rows: list[dict[str, Any]] = [
        {
            "model": model_id,
            "family": family,
            "task": model.tasks,
            "parameters": model.weights.parameters,
            "max_context": model.architecture.max_position_embeddings,
            "vllm": model.minVllmVersion,
            "license": model.license,
        }
        for family, file in catalog.families.items()
        for model_id, model in file.models.items()
        if task is None or task in model.tasks
    ]
    if gpu is None:
        return rows
    report(f"sizing {len(rows)} models for {gpu}")
    for row in rows:
        row["gpus"] = fewest_gpus(row["model"], catalog, row["family"], gpu, newest())
    return [row for row in rows if row["gpus"]]


def cell(column: str, value: Any) -> str:
    """A value as the table shows it."""
    if value is None:
        return "?"
    if column == "parameters":
        return f"{value / 1e9:.2f} B"
    if column == "bytes":
        return f"{value / 2**30:.1f} GiB"
    if column in ("context", "max_context"):
        return f"{value:,}"
    return ",".join(value) if isinstance(value, list) else str(value)
