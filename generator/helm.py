"""Helm as a program: where it is, how it is run, and what it says when it fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from generator.errors import UserError

TIMEOUT_S = 120


def find_helm() -> str:
    """Return helm's path: of the environment variable HELM, else on PATH."""
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


def run_helm(arguments: Sequence[str], *, where: str) -> subprocess.CompletedProcess[str]:
    """Run helm to its end. Raises UserError, with `where`, when it does not answer within TIMEOUT_S."""
    helm = find_helm()
    try:
        return subprocess.run([helm, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except OSError as error:
        raise UserError(f"cannot be run: {error.strerror}", where=helm) from None
    except subprocess.TimeoutExpired:
        raise UserError(f"helm gave no answer within {TIMEOUT_S} s", where=where) from None


def clean_message(stderr: str) -> str:
    """Return helm's message without its warnings, its advice and the template call stack around a `fail`."""
    noise = re.compile(r"WARNING|level=|walk\.go|Use --debug flag")
    message = "\n".join(line for line in stderr.splitlines() if line.strip() and not noise.match(line))
    message = message.removeprefix("Error: ")
    for around in (r".*error calling fail: ", r"execution error at \([^)]*\):\s*"):
        message = re.sub(around, "", message, count=1, flags=re.DOTALL)
    return message.strip() or "helm failed without a message"
