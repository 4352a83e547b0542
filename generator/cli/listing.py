"""Rows for `list`: what is known, by kind."""

from __future__ import annotations

from typing import Any

from generator.facts.gpus import gpus
from generator.facts.releases import releases
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
    catalog = project.catalog()
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


def cell(column: str, value: Any) -> str:
    """A value as the table shows it."""
    if column == "parameters":
        return f"{value / 1e9:.2f} B"
    return ",".join(value) if isinstance(value, list) else str(value)
