"""`make lint` and the hooks of pre-commit run the same checks."""

from __future__ import annotations

import subprocess

import yaml

from tests.support.paths import ROOT

LINT = "tools/lint.sh"


def test_every_check_is_a_hook_and_every_hook_a_check() -> None:
    listed = subprocess.run([LINT, "--list"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == [f"{LINT} {name}" for name in listed]
    assert not any(hook["pass_filenames"] for hook in repository["hooks"])


def test_a_check_that_is_none_is_answered_with_their_names() -> None:
    done = subprocess.run([LINT, "rufff"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "there are: ruff format" in done.stderr) == (2, True)
