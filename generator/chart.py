"""The chart's objects: what `helm template` makes of values files, as parsed YAML."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from generator.documents.files import holds
from generator.documents.load import SAFE_LOADER, dump_yaml, read_yaml
from generator.errors import UserError
from generator.helm import clean_message, run_helm
from generator.program import program

Manifest = dict[str, Any]


def render(
    chart: Path,
    values: Sequence[Path],
    *,
    release: str = "llm",
    namespace: str = "default",
    overrides: Mapping[str, Any] | None = None,
    subchart: str | None = None,
) -> list[Manifest]:
    """Return the objects of a Helm release of `chart`, in Helm's order.

    `values` are merged in the order given, `overrides` last. `subchart` is the key below which the files have them, for
    a parent chart; here the chart is rendered without one. What helm refuses is a UserError in helm's own words.
    """
    for path in values:
        if not holds(path.is_file):
            raise UserError("no such file", where=str(path), fix=f"Run `{program()} generate`.")
    with tempfile.TemporaryDirectory(prefix="ray-serve-llm-") as folder:
        files = list(values)
        if subchart:
            files = [_taken_out(path, subchart, Path(folder) / f"{i}.yaml") for i, path in enumerate(values)]
        if overrides:
            # A file keeps every type and needs no quoting, unlike --set.
            files.append(Path(folder) / "overrides.yaml")
            files[-1].write_text(dump_yaml(dict(overrides)), encoding="utf-8")
        arguments = ["template", release, str(chart), "--namespace", namespace]
        arguments += [argument for path in files for argument in ("--values", str(path))]
        done = run_helm(arguments, where=str(chart))
    if done.returncode:
        raise UserError(clean_message(done.stderr), where=f"helm template {chart}", fix=_named(values))
    return [document for document in yaml.load_all(done.stdout, Loader=SAFE_LOADER) if document]


def _taken_out(path: Path, subchart: str, target: Path) -> Path:
    """The values that a parent chart hands to its dependency, in a file of their own."""
    found = read_yaml(path)
    values = found.get(subchart) if isinstance(found, dict) else None
    if not isinstance(values, dict):
        fix = f"Run `{program()} generate`: the environment says `subchart: {subchart}`."
        raise UserError(f"has no values below '{subchart}'", where=str(path), fix=fix)
    target.write_text(dump_yaml(values), encoding="utf-8")
    return target


def ray_service(manifests: Sequence[Manifest]) -> Manifest:
    """The one RayService of a release's objects. Raises UserError when there is none, or several."""
    services = [manifest for manifest in manifests if manifest.get("kind") == "RayService"]
    if len(services) != 1:
        raise UserError(f"{len(services)} RayServices are rendered", fix="Render exactly one release at a time.")
    return services[0]


def _named(values: Sequence[Path]) -> str:
    return f"The values were {', '.join(map(str, values))}." if values else ""
