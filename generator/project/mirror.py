"""What an environment takes from elsewhere: the images of its pods, and the files of its models. For clusters without a
way out, where both have to be mirrored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generator.plan.downloads import Download
from generator.progress import Report
from generator.project.project import Project
from generator.project.release import release_objects


def images_of(project: Project, environment: str, *, chart: str | None, report: Report) -> dict[str, list[str]]:
    """By image, the containers that run it. Raises UserError for what helm refuses; values files must be there.

    KubeRay's operator has a chart of its own, and its image is none of these.
    """
    names = project.served(environment, [])
    if not names:
        return {}
    found: dict[str, list[str]] = {}
    for manifest in release_objects(project, environment, names, chart=chart, report=report):
        for image, container in _images(manifest):
            runs = found.setdefault(image, [])
            if container not in runs:
                runs.append(container)
    return found


def _images(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("containers", "initContainers") and isinstance(value, list):
                yield from ((each["image"], each["name"]) for each in _mappings(value) if each.get("image"))
            elif key == "volumes" and isinstance(value, list):
                mounted = ((each.get("image"), each.get("name")) for each in _mappings(value))
                yield from ((image["reference"], f"volume {name}") for image, name in mounted if image)
            elif key == "autoscalerOptions" and value.get("image"):
                yield value["image"], "autoscaler"
            else:
                yield from _images(value)
    elif isinstance(node, list):
        for item in node:
            yield from _images(item)


def _mappings(items: list[Any]) -> list[dict[str, Any]]:
    return [each for each in items if isinstance(each, dict)]


def files_of(project: Project, environment: str) -> list[dict[str, Any]]:
    """What the workers of each model download, with its bytes as stored; nothing of a model that is there already."""
    plan = project.plan(environment, project.catalog(may_be_empty=True))
    rows = [
        {"model": model_id, "from": download.name, "bytes": int(download.bytes)}
        for model_id, parts in plan.by_id.items()
        for download in sorted(frozenset[Download]().union(*(part.downloads for part in parts)))
    ]
    return sorted(rows, key=lambda row: (row["from"], row["model"]))
