"""What a release is made of: its one number, and what the changelog gives to Artifact Hub."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from generator import __version__
from tools.release.changelog import Change, changes, first_sentence, section
from tools.release.chart import described_chart
from tools.release.version import CHANGELOG, CHART_YAML, ROOT, ReleaseError, check_tag, stamped

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
LOG = f"""# Changelog

## [Unreleased]

## [{__version__}] - 2026-11-30

### Added
- `one`: a thing. It does
  much.
- Another.

### Security
- A hole is closed.

## [0.1.0] - 2026-01-01

### Added
- All.
"""


def test_the_chart_has_the_packages_version() -> None:
    text = CHART_YAML.read_text()

    assert stamped(text) == text and yaml.safe_load(text)["version"] == __version__
    assert yaml.safe_load(stamped(text.replace(f"version: {__version__}", "version: 9.9.9")))["version"] == __version__


def test_the_version_is_one_for_python_and_for_helm() -> None:
    # Of PEP 440 and of Semantic Versioning both: a pre-release is 1.2.0-rc.1.
    assert re.fullmatch(r"\d+\.\d+\.\d+(-(a|b|rc)\.\d+)?", __version__)


def test_changes_are_read_with_their_kind_and_on_one_line() -> None:
    assert changes(LOG, __version__) == [
        Change("Added", "`one`: a thing. It does much."),
        Change("Added", "Another."),
        Change("Security", "A hole is closed."),
    ]
    assert section(LOG, "9.9.9") == ""
    assert changes(CHANGELOG.read_text(), __version__)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("`one`: a thing. It does much.", "`one`: a thing."),
        ("Files of 0.2 are read … and kept. `two` too.", "Files of 0.2 are read … and kept."),
        ("No stop", "No stop"),
    ],
)
def test_artifact_hub_has_the_first_sentence(text: str, first: str) -> None:
    assert first_sentence(text) == first


@pytest.mark.parametrize(
    ("tag", "log", "told"),
    [
        (f"v{__version__}", LOG, ""),
        ("v9.9.9", LOG, f"the tag is v9.9.9 and the version {__version__}"),
        (__version__, LOG, f"tag v{__version__}"),
        (f"v{__version__}", LOG.replace(f"[{__version__}]", "[9.9.9]"), "has no section"),
        (f"v{__version__}", LOG.replace("[Unreleased]", "[Unreleased]\n\n### Fixed\n- One."), "has 1 changes below"),
    ],
)
def test_a_tag_of_another_version_or_without_its_changes_is_refused(tag: str, log: str, told: str) -> None:
    if not told:
        check_tag(tag, log)
        return
    with pytest.raises(ReleaseError, match=re.escape(told)):
        check_tag(tag, log)


def test_artifact_hub_is_told_what_changed_and_which_image_runs() -> None:
    chart = yaml.safe_load(CHART_YAML.read_text())

    annotations = described_chart(chart, changes(LOG, __version__), "https://example.com/us")["annotations"]

    assert yaml.safe_load(annotations["artifacthub.io/changes"])[0] == {
        "kind": "added",
        "description": "`one`: a thing.",
    }
    (image,) = yaml.safe_load(annotations["artifacthub.io/images"])
    assert image["image"].startswith(f"rayproject/ray-llm:{chart['appVersion']}")
    assert annotations["artifacthub.io/containsSecurityUpdates"] == "true"
    assert annotations["artifacthub.io/category"] == "ai-machine-learning"
    assert yaml.safe_load(annotations["artifacthub.io/links"])
    assert all(isinstance(text, str) for text in annotations.values())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_commit(workflow: Path) -> None:
    uses = re.findall(r"uses: (\S+)", workflow.read_text())

    assert [each for each in uses if not re.search(r"^\./|@[0-9a-f]{40}$", each)] == []


def test_nothing_is_released_before_the_tag_is_checked_and_the_tests_have_passed() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yaml").read_text())["jobs"]

    def before(name: str) -> set[str]:
        needs = jobs[name].get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        return {name}.union(*map(before, needs))

    assert all({"tag", "test", "build"} <= before(name) for name in jobs if name not in ("tag", "test"))
    assert before("test") == {"tag", "test"}
