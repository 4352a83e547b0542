"""Long runs: a part is of the files as they are, or is named with the reason."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.errors import UserError
from tools.long_runs import results
from tools.long_runs.__main__ import main
from tools.long_runs.runs import LONG_RUNS, Part

PART = Part(name="names", tests="tests/fuzz/test_names.py", files=("product", "tests/fuzz/test_names.py"))


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, in which the part has passed."""
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(results, "FILE", tmp_path / "tests" / "long-runs.json")
    for name in ("product/a.py", "tests/other.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    results.keep("fuzz", PART, {"inputs": 5})
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "state")


def test_a_part_that_passed_on_these_files_is_not_named(clone: Path) -> None:
    (clone / "tests" / "other.py").write_text("2\n")
    assert results.why_stale("fuzz", PART) == ""


def test_a_part_whose_files_changed_is_named_with_its_commit(clone: Path) -> None:
    (clone / "product" / "a.py").write_text("2\n")
    commit(clone)
    assert results.why_stale("fuzz", PART).startswith("1 file changed since ")


def test_a_part_that_never_ran_is_named(clone: Path) -> None:
    other = Part(name="other", tests="", files=PART.files)
    assert results.why_stale("fuzz", other) == "never run"


def test_a_clone_without_the_commit_says_so(clone: Path) -> None:
    kept = json.loads(results.FILE.read_text())
    kept["fuzz"]["names"]["commit"] = "0123456789" * 4
    results.FILE.write_text(json.dumps(kept))
    assert "does not have 0123456" in results.why_stale("fuzz", PART)


def test_a_result_is_of_a_commit_and_of_no_files_on_the_way(clone: Path) -> None:
    (clone / "product" / "a.py").write_text("2\n")
    with pytest.raises(UserError, match=r"not committed: product/a\.py"):
        results.require_committed(PART.files)


def test_every_part_names_tests_and_files_that_there_are() -> None:
    parts = [part for parts_of in LONG_RUNS.values() for part in parts_of()]
    assert parts
    for part in parts:
        assert all((results.ROOT / file).exists() for file in (*part.files, part.tests)), part


def test_a_part_that_is_none_is_refused_with_those_that_there_are() -> None:
    done = CliRunner().invoke(main, ["run", "ways", "disaggregated", "mirrored"])
    assert done.exit_code == 2
    assert "ways has no part mirrored; it has affinity, " in done.output
