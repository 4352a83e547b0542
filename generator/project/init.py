"""A new project: a folder with an environment that serves nothing yet, and all that its first model needs."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from generator import __version__
from generator.errors import UserError
from generator.facts.files import DATA
from generator.facts.gpus import gpu as gpu_of
from generator.facts.releases import newest, release
from generator.formats.fields import EnvironmentName
from generator.formats.json_schema import editor_schemas, schema_text
from generator.formats.names import check_name
from generator.formats.read import read_environment

_TEMPLATES = DATA / "init"


def new_project(
    root: Path,
    *,
    gpu: str,
    nodes: int,
    gpus_per_node: int,
    environment: str,
    namespace: str,
    ray: str | None,
    command: str,
) -> dict[Path, str]:
    """Return the texts of a new project's files by path. Nothing is written yet.

    `command` is how people call the command line. Raises UserError where a word is none that is known, and where the
    folder has one of the files already.
    """
    check_name(environment, EnvironmentName, "--environment")
    known = gpu_of(gpu, where="--gpu")
    version = release(ray, where="--ray") if ray else newest()
    words = {
        "title": root.absolute().name,
        "command": command,
        "version": __version__,
        "gpu": known.name,
        "gpus_per_node": str(gpus_per_node),
        "nodes": str(nodes),
        "environment": environment,
        "namespace": namespace,
        "ray": version.ray,
        "pool": _pool_of(known.name),
    }
    path = root / "environments" / f"{environment}.yaml"
    texts = {
        root / "README.md": _filled("README.md", words),
        root / ".github" / "workflows" / "models.yaml": _filled("workflow.yaml", words),
        path: _filled("environment.yaml", words),
        root / "catalog" / ".gitkeep": "",
        **{root / "schemas" / f"{kind}.schema.json": schema_text(schema) for kind, schema in editor_schemas().items()},
    }
    if there := next((path for path in texts if path.exists()), None):
        raise UserError(f"{there} is there already", where=str(root), fix="Name a folder that is new.")
    read_environment(path, text=texts[path])
    return texts


def _filled(name: str, words: dict[str, str]) -> str:
    return Template((_TEMPLATES / name).read_text(encoding="utf-8")).substitute(words)


def _pool_of(gpu: str) -> str:
    """`l4-workers` of L4-24GB: the type without its memory, as a worker group may be called."""
    model = re.sub(r"-\d+GB.*$", "", gpu).lower()
    return re.sub(r"[^a-z0-9]+", "-", model).strip("-")[:30] + "-workers"
