"""What is printed of texts that others wrote."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from generator.cli.printing import LONGEST, error_texts
from generator.errors import UserError, UserErrors, printable
from tests.support.command_line import generator
from tests.support.paths import CONFIGS, ROOT
from tests.support.stored import QWEN

ESCAPES = "\x1b[31mred\x1b]0;title\a"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ä, 日本, two\n\tlines", "plain, ä, 日本, two\n\tlines"),
        (ESCAPES, r"\x1b[31mred\x1b]0;title\x07"),
        ("\x9b1m\0\r", r"\x9b1m\x00\r"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_fault_is_cut() -> None:
    (text,) = error_texts(UserError("x " * 50_000, where="file"))
    assert len(text) < LONGEST + 100 and text.endswith("(91,006 characters more)")


LONG = "k" * 5_000


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", f"{LONG}.yaml"],
        ["fit", LONG],
        ["add", "/".join([LONG[:200]] * 20)],
        ["plan", "--environment", LONG],
        ["generate", "--environment", LONG],
        ["list", LONG],
        ["list", "gpus", f"--{LONG}"],
        ["status", "x", "--kubeconfig", LONG],
        ["preflight", "--environment", LONG],
        ["serve", LONG, "--environment", "local"],
    ],
    ids=lambda arguments: " ".join(arguments)[:12],
)
def test_a_long_name_does_not_bury_the_message(arguments: list[str]) -> None:
    refused = generator(*arguments, folder=ROOT)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr) < 1_500


def test_of_many_faults_the_first_are_told() -> None:
    texts = error_texts(UserErrors([UserError(f"{number} {'x' * 100}") for number in range(1000)]))
    assert texts[0].startswith("0 x") and texts[-1] == "913 more faults; fix those above, then run it again"
    assert len("".join(texts)) < LONGEST + 100


def test_a_repository_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    """By its card's license, nor a file by its keys."""
    shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    folder = tmp_path / "Some-7B"
    folder.mkdir()
    shutil.copy(CONFIGS / f"{QWEN}.json", folder / "config.json")
    (folder / "README.md").write_text('---\nlicense: "\\e[31mred\\e]0;title\\a"\n---\n')
    for arguments in (("--color", "add", folder, "--dry-run"), ("add", folder)):
        added = generator(*arguments, folder=tmp_path)
        assert added.returncode == 0
        assert r"license \x1b[31mred\x1b]0;title\x07" in added.stdout
        assert "\x1b]" not in added.stdout and "\a" not in added.stdout
    bad = tmp_path / "catalog" / "bad.yaml"
    bad.write_text('family: bad\n"\\e]0;title\\a": 1\n')
    refused = generator("validate", bad, folder=tmp_path)
    assert refused.returncode == 2 and r"\x1b]0;title\x07" in refused.stderr and "\x1b" not in refused.stderr
