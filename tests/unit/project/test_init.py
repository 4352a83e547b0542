"""A new project: what `init` writes, and that everything works in it from the first command on."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.command_line import generator


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return generator(*arguments, folder=folder)


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    done = run(tmp_path, "init", "fleet", "--gpu", "L4-24GB", "--nodes", "4")
    assert done.returncode == 0, done.stderr
    return tmp_path / "fleet"


def test_it_generates_as_it_is_with_nothing_served(fleet: Path) -> None:
    assert run(fleet, "generate").stdout == "0 files, 0 changed\n"
    assert run(fleet, "generate", "--check").returncode == 0
    planned = run(fleet, "plan")
    assert "serves nothing yet: " in planned.stdout and "add NAME --environment dev" in planned.stdout


def test_a_model_is_served_by_one_command_from_any_folder_below(fleet: Path) -> None:
    below = fleet / "some" / "where"
    below.mkdir(parents=True)

    for name in ("qwen3-8b", "qwen3-4b", "bge-m3"):
        done = run(below, "add", name, "--environment", "dev")
        assert done.returncode == 0, done.stderr

    assert "environments/dev.yaml   changed with it" in done.stdout
    served = yaml.safe_load((fleet / "environments" / "dev.yaml").read_text())["serve"]
    assert {family: list(service["models"]) for family, service in served.items()} == {
        "qwen3": ["qwen3-8b", "qwen3-4b"],
        "bge": ["bge-m3"],
    }
    assert sorted(path.name for path in (fleet / "values" / "dev").iterdir()) == ["bge.yaml", "qwen3.yaml"]
    assert run(fleet, "generate", "--check").returncode == 0


@pytest.mark.parametrize("family", ["  qwen3:\n", "  qwen3: {}\n", "  qwen3: {models: {qwen3-8b: }}\n"])
def test_what_serves_a_model_already_is_left_as_it_is(fleet: Path, family: str) -> None:
    file = fleet / "environments" / "dev.yaml"
    before = re.sub(r"serve: \{\}.*\n", f"serve:\n{family}", file.read_text())
    file.write_text(before)
    run(fleet, "add", "qwen3-4b")

    done = run(fleet, "add", "qwen3-8b", "--environment", "dev")

    assert done.returncode == 0 and file.read_text() == before, done.stderr


def test_every_file_is_valid_and_names_schemas_that_are_there(fleet: Path) -> None:
    run(fleet, "add", "qwen3-8b", "-e", "dev")
    files = [fleet / "environments/dev.yaml", fleet / "catalog/qwen3.yaml", fleet / "values/dev/qwen3.yaml"]

    assert run(fleet, "validate", *map(str, files)).returncode == 0
    assert run(fleet, "schema", "--check").returncode == 0
    for file in files:
        (line,) = [line for line in file.read_text().splitlines() if "$schema=" in line]
        assert json.loads((file.parent / line.partition("$schema=")[2]).read_text())["$schema"]


def test_its_workflow_is_yaml_and_runs_what_there_is(fleet: Path) -> None:
    workflow = yaml.safe_load((fleet / ".github/workflows/models.yaml").read_text())
    steps = " ".join(step.get("run", "") for step in workflow["jobs"]["plan"]["steps"])

    assert "generate --check" in steps and "--no-color plan" in steps and "gh pr comment" in steps
    assert "$" not in steps.replace("$GITHUB_STEP_SUMMARY", "").replace("$NUMBER", "")
    assert steps.index("gh pr comment") < steps.index("generate --check"), "stale values still have a plan"


def test_nothing_that_is_there_is_written_over(fleet: Path) -> None:
    before = (fleet / "README.md").read_text()

    done = run(fleet, "init", ".", "--gpu", "L4-24GB", "--nodes", "1")

    assert done.returncode == 2 and "error: .: README.md is there already" in done.stderr
    assert "environments" not in done.stderr
    assert (fleet / "README.md").read_text() == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--nodes", "4"], "--gpu is missing, and there is no terminal to ask at"),
        (["--gpu", "L4-24GB"], "--nodes is missing"),
        (["--gpu", "L4", "--nodes", "4"], "did you mean 'L4-24GB'?"),
        (["--gpu", "L4-24GB", "--nodes", "4", "--ray", "2.58"], "unknown Ray release"),
        (["--gpu", "L4-24GB", "--nodes", "4", "-e", "My Env"], "It must be a name of small letters, digits and -"),
        (["--gpu", "L4-24GB", "--nodes", "4", "--namespace", "A b"], "namespace"),
        (["--gpu", "L4-24GB", "--nodes", "4", "--ray", "2.49.1"], ""),
    ],
)
def test_what_it_is_not_told_or_told_wrong(tmp_path: Path, options: list[str], told: str) -> None:
    done = run(tmp_path, "init", "fleet", *options)

    assert told in done.stderr and "Traceback" not in done.stderr
    assert done.returncode == (2 if told else 0)
    assert (tmp_path / "fleet").exists() == (not told)


def test_what_is_deleted_to_nothing_serves_nothing(fleet: Path) -> None:
    run(fleet, "add", "qwen3-8b", "-e", "dev")
    file = fleet / "environments" / "dev.yaml"
    served = file.read_text()

    file.write_text(served.replace("      qwen3-8b:\n", ""))
    done = run(fleet, "generate", "--check")
    assert done.returncode == 2 and "has `models:` without one; name a model" in done.stderr

    file.write_text(served.replace("  qwen3:\n    models:\n      qwen3-8b:\n", ""))
    assert "1 files, 0 changed" not in run(fleet, "generate").stdout
    assert not (fleet / "values" / "dev" / "qwen3.yaml").exists()
    assert run(fleet, "add", "qwen3-4b", "-e", "dev").returncode == 0


def test_a_folder_is_named_in_the_next_step_as_it_was_given(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    done = run(tmp_path, "init", str(folder), "--gpu", "L4-24GB", "--nodes", "1")
    assert f"next: cd {folder} ; " in done.stderr


def test_a_chart_that_is_none_is_refused(fleet: Path) -> None:
    file = fleet / "environments" / "dev.yaml"
    file.write_text(f"chartSource: {fleet}/README.md\n{file.read_text()}")
    done = run(fleet, "chart", "-e", "dev")
    assert done.returncode == 2 and "README.md' is no archive of a chart" in done.stderr, done.stdout


def test_the_chart_that_came_with_the_package_is_shown(fleet: Path, tmp_path: Path) -> None:
    for folder in (fleet, tmp_path):
        assert (Path(run(folder, "chart").stdout.strip()) / "Chart.yaml").is_file()


def test_lists_of_nothing_yet(fleet: Path) -> None:
    done = run(fleet, "list")
    assert (done.returncode, done.stdout.strip()) == (0, "") and "no models yet" in done.stderr


@pytest.mark.parametrize("name", ["qwen3-8b", "Qwen3-8B"])
def test_a_name_of_the_library_in_any_case_fits_too(fleet: Path, name: str) -> None:
    assert run(fleet, "add", name, "--dry-run").returncode == 0
    assert "fits" in run(fleet, "fit", name, "--gpu", "L4-24GB", "--max-model-len", "8192").stdout
