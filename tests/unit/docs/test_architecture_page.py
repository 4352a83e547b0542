"""The architecture page names the folders that there are."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
GENERATOR = ROOT / "generator"


def folders() -> set[str]:
    """Below generator/, those with files in them."""
    files = [path for path in GENERATOR.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.parent.relative_to(GENERATOR).as_posix() + "/" for path in files if path.parent != GENERATOR}


def test_the_table_has_a_line_for_every_folder_and_no_other() -> None:
    table = PAGE.split("## Folders of `generator/`\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(lines) == len(set(lines))
    assert set(lines) == folders()


def test_the_picture_shows_folders_that_there_are() -> None:
    picture = PAGE.split("```mermaid\n")[1].split("```")[0]
    shown = set(re.findall(r'\["([a-z_]+/)', picture))
    assert len(shown) > 5
    assert shown <= folders()


def test_every_module_in_generator_itself_is_named() -> None:
    modules = {path.name for path in GENERATOR.glob("*.py") if not path.name.startswith("__")}
    assert [name for name in sorted(modules) if f"`{name}`" not in PAGE] == []
