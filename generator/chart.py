"""The chart's objects: what `helm template` makes of values files, as parsed YAML."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from generator.documents.files import holds
from generator.documents.load import SAFE_LOADER, dump_yaml
from generator.errors import UserError
from generator.facts.files import DATA
from generator.program import program

Manifest = dict[str, Any]
RENDER_TIMEOUT_S = 120


def find_helm() -> str:
    """Return helm's path: of the environment variable HELM, which `make` sets, else on PATH."""
    named = os.environ.get("HELM")
    if named:
        program = shutil.which(named)
        if program is None:
            raise UserError(f"HELM is '{named}', which cannot be run", fix="Set HELM to helm's path, or unset it.")
        return program
    program = shutil.which("helm")
    if program is None:
        raise UserError(
            "helm is not installed",
            fix="Install helm 3.14 or later (helm.sh/docs/intro/install), or set HELM to its path.",
        )
    return program


def packaged_chart() -> Path:
    """The chart that came with this package; in a clone, the clone's."""
    for folder in (DATA / "chart", DATA.parents[1] / "chart"):
        if (folder / "Chart.yaml").is_file():
            return folder
    raise UserError("this installation has no chart", where=str(DATA), fix="Install the package again.")


def cache_folder() -> Path:
    """The folder for what `make` sets up once for every clone: RAY_SERVE_LLM_CACHE, else below the user's own cache."""
    named = os.environ.get("RAY_SERVE_LLM_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "ray-serve-llm"


def render(
    chart: Path,
    values: Sequence[Path],
    *,
    release: str = "llm",
    namespace: str = "default",
    overrides: Mapping[str, Any] | None = None,
) -> list[Manifest]:
    """Return the objects of a Helm release of `chart`, in Helm's order.

    `values` are merged in the order given, `overrides` last. What helm refuses is a UserError in helm's own words.
    """
    helm = find_helm()
    for path in values:
        if not holds(path.is_file):
            raise UserError("no such file", where=str(path), fix=f"Run `{program()} generate`.")
    with tempfile.TemporaryDirectory(prefix="ray-serve-llm-") as folder:
        files = list(values)
        if overrides:
            # A file keeps every type and needs no quoting, unlike --set.
            files.append(Path(folder) / "overrides.yaml")
            files[-1].write_text(dump_yaml(dict(overrides)), encoding="utf-8")
        command = [helm, "template", release, str(chart), "--namespace", namespace]
        command += [argument for path in files for argument in ("--values", str(path))]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=RENDER_TIMEOUT_S, check=False)
        except OSError as error:
            raise UserError(f"cannot be run: {error.strerror}", where=helm) from None
        except subprocess.TimeoutExpired:
            raise UserError(f"helm gave no answer within {RENDER_TIMEOUT_S} s", where=str(chart)) from None
    if done.returncode:
        raise UserError(clean_message(done.stderr), where=f"helm template {chart}", fix=_named(values))
    return [document for document in yaml.load_all(done.stdout, Loader=SAFE_LOADER) if document]


def ray_service(manifests: Sequence[Manifest]) -> Manifest:
    """The one RayService of a release's objects. Raises UserError when there is none, or several."""
    services = [manifest for manifest in manifests if manifest.get("kind") == "RayService"]
    if len(services) != 1:
        raise UserError(f"{len(services)} RayServices are rendered", fix="Render exactly one release at a time.")
    return services[0]


def clean_message(stderr: str) -> str:
    """Return helm's message without its warnings, its advice and the template call stack around a `fail`."""
    noise = re.compile(r"WARNING|level=|walk\.go|Use --debug flag")
    message = "\n".join(line for line in stderr.splitlines() if line.strip() and not noise.match(line))
    message = message.removeprefix("Error: ")
    for around in (r".*error calling fail: ", r"execution error at \([^)]*\):\s*"):
        message = re.sub(around, "", message, count=1, flags=re.DOTALL)
    return message.strip() or "helm failed without a message"


def _named(values: Sequence[Path]) -> str:
    return f"The values were {', '.join(map(str, values))}." if values else ""
