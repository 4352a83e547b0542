"""Pages lead where they say: links, their anchors, and the files of this repository that they name."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md"), ROOT / "chart/README.md"]
)
# Decisions are as they were written, whatever has moved since.
KEPT_TRUE = [page for page in PAGES if page.parent.name != "decisions"]
FENCED = re.compile(r"^(```|~~~).*?^\1[ ]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
NAMED_FILE = re.compile(r"`([\w.-]+/[\w./-]*)(?:::\w+)?`")


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Of every heading, as GitHub makes them: a second one of the same words ends in -1."""
    seen: Counter[str] = Counter()
    names = set()
    for heading in HEADING.findall(prose(page)):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        names.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(names)


def leads_nowhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return True
    return bool(anchor) and file.suffix == ".md" and anchor not in anchors(file)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    targets = [target for target in LINK.findall(CODE.sub("", prose(page))) if not re.match(r"[a-z]+:", target)]
    assert [target for target in targets if leads_nowhere(page, target)] == []


@pytest.mark.parametrize("page", KEPT_TRUE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """Paths from the root, or from generator/. Others are Ray's or vLLM's, or people's own."""
    roots = (ROOT, ROOT / "generator")
    ours = {folder.name for root in roots for folder in root.iterdir() if folder.is_dir()}
    named = [path for path in NAMED_FILE.findall(prose(page)) if path.split("/")[0] in ours]
    assert [path for path in named if not any((root / path).exists() for root in roots)] == []


def test_a_heading_is_found_by_the_name_that_github_gives_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# `minReplicas`, [and](x.md) more_than: that!\n\n## Twice\n\n```\n# no heading\n```\n\n## Twice\n")
    assert anchors(page) == {"minreplicas-and-more_than-that", "twice", "twice-1"}
    assert not leads_nowhere(page, "#twice-1")
    assert leads_nowhere(page, "#twice-2")
    assert leads_nowhere(page, "other.md")
