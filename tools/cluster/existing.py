"""A cluster that someone else has made: looked at, never changed."""

from __future__ import annotations

import os
from pathlib import Path

from generator.errors import UserError

from .settings import program, run, say, state_folder


def kubeconfig() -> Path | None:
    """The kubeconfig that KUBECONFIG names, unless it is that of the cluster that we made."""
    named = os.environ.get("KUBECONFIG", "")
    if not named or Path(named).is_relative_to(state_folder()):
        return None
    if not Path(named).is_file():
        raise UserError(
            f"KUBECONFIG names no file: {named}", fix="Unset it to have a cluster made, or name one kubeconfig file."
        )
    return Path(named)


def check(path: Path) -> None:
    """Raise UserError unless the cluster answers and has KubeRay."""
    try:
        run(
            program("kubectl"),
            "--kubeconfig",
            path,
            "get",
            "rayservices.ray.io",
            "--all-namespaces",
            "-o",
            "name",
            "--request-timeout=10s",
        )
    except UserError as error:
        raise UserError(
            f"the cluster of {path} does not answer for RayServices: {error.what}",
            fix="Install KubeRay there, or unset KUBECONFIG.",
        ) from error
    say(f"using the cluster of {path}; its nodes must have the CPU image (`make image` builds it)")
