"""tests/long-runs.json: what every part of a long run gave when it last passed, and on which commit."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from generator.documents.files import write_files
from generator.errors import UserError
from tools.cluster.settings import ROOT
from tools.long_runs.runs import Part

FILE = ROOT / "tests" / "long-runs.json"
Results = dict[str, dict[str, Any]]
"""By run and part: commit, date, and figures by name."""


def read() -> Results:
    results: Results = json.loads(FILE.read_text()) if FILE.exists() else {}
    return results


def keep(run: str, part: Part, figures: dict[str, Any]) -> None:
    """Write that the part has passed on the present commit. `run` and `part` that are no longer there go."""
    results = read()
    today = datetime.now(UTC).date().isoformat()
    results.setdefault(run, {})[part.name] = {"commit": _git("rev-parse", "HEAD"), "date": today, "figures": figures}
    write_files({FILE: json.dumps(results, indent=1, sort_keys=True) + "\n"})


def require_committed(files: Sequence[str]) -> None:
    """Raises UserError where a result would be of a state that no commit has."""
    changed = _git("status", "--porcelain", "--", *files)
    if changed:
        names = ", ".join(line[3:] for line in changed.splitlines()[:5])
        raise UserError(f"not committed: {names}", fix="Commit first: a result names the commit that it is of.")


def why_stale(run: str, part: Part) -> str:
    """Why the part's last result says nothing of the files as they are; empty where it does."""
    result = read().get(run, {}).get(part.name)
    if result is None:
        return "never run"
    since = f"since {result['commit'][:7]} of {result['date']}"
    try:
        changed = _git("diff", "--name-only", result["commit"], "--", *part.files).splitlines()
    except UserError:
        return f"not to be compared: this clone does not have {result['commit'][:7]} of {result['date']}"
    if not changed:
        return ""
    return f"{len(changed)} file{'' if len(changed) == 1 else 's'} changed {since}"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"git {arguments[0]} failed: {done.stderr.strip()}", fix="Run it in a clone of the project.")
    return done.stdout.strip("\n")
