"""What people are told in a project of their own, which has no Makefile, no docs and no tests of ours."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

GENERATOR = ROOT / "generator"
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
ONLY_IN_A_CLONE = re.compile(
    rf"\bmake ({'|'.join(TARGETS)})\b(?! sure)|(?<![\w./-])(docs|tools|tests|images|examples|requirements)/[\w<*]"
)
DATA_THAT_IS_TOLD = {"why", "instead", "fix", "what", "written", "note"}
"""Keys of `generator/data` whose text gets into messages; sources do not."""


def test_the_pattern_finds_what_it_is_for() -> None:
    for text in ("Run `make demo`.", "see docs/sizing.md", "tools/setup.sh helm"):
        assert ONLY_IN_A_CLONE.search(text), text
    for text in ("helm.sh/docs/intro", "make room", "you may not make pods", "https://a.b/docs/x"):
        assert not ONLY_IN_A_CLONE.search(text), text


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """The texts that a module may show: its string constants, and docstrings of commands, which are their help."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    described = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    silent = set()
    for node in ast.walk(tree):
        if isinstance(node, described) and not (isinstance(node, ast.FunctionDef) and is_command(node)):
            silent |= {id(each.value) for each in node.body if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.lineno, node.value


def is_command(node: ast.FunctionDef) -> bool:
    return any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in ("command", "group")
        for each in node.decorator_list
    )


def test_no_message_of_the_command_line_names_what_only_a_clone_has() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted(GENERATOR.rglob("*.py"))
        for line, text in texts_of(path)
        if ONLY_IN_A_CLONE.search(text)
    ]
    assert found == []


def test_no_fact_that_is_told_names_it() -> None:
    told = re.compile(rf"^\s*(?:- )?\{{?({'|'.join(DATA_THAT_IS_TOLD)}): ")
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted((GENERATOR / "data").rglob("*.yaml"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if told.match(line) and ONLY_IN_A_CLONE.search(line)
    ]
    assert found == []


CHART_TEXTS = [
    *sorted((ROOT / "chart" / "templates").rglob("*.*")),
    *sorted((ROOT / "chart" / "files").glob("*.py")),
    *(ROOT / "chart" / name for name in ("values.yaml", "values.schema.json", "README.md")),
    *sorted((ROOT / "schemas").glob("*.json")),
    *sorted((GENERATOR / "data" / "init").iterdir()),
]


@pytest.mark.parametrize("path", CHART_TEXTS, ids=lambda path: path.name)
def test_nothing_that_is_installed_names_it(path: Path) -> None:
    text = re.sub(r"\{\{-? /\*.*?\*/ -?\}\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert [found[0] for found in ONLY_IN_A_CLONE.finditer(text)] == []
