"""Files of manifests: streams, lists, JSON, folders, standard input, and what is none."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import yaml

from generator.documents import load
from generator.errors import UserError
from generator.migrate.manifests import Manifest, read_manifests

POD = {"kind": "Pod", "metadata": {"name": "a"}}
JOB = {"kind": "Job", "metadata": {"name": "b"}}


def places(manifests: list[Manifest]) -> list[str]:
    return [each.where for each in manifests]


def test_documents_and_lists_are_taken_apart(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump_all([POD, None, {"kind": "List", "items": [JOB, POD]}]))
    assert places(read_manifests([str(path)])) == ["m.yaml: Pod/a", "m.yaml: Job/b", "m.yaml: Pod/a"]


def test_json_with_tabs_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"kind": "PodList", "items": [POD]}, indent="\t"))
    assert places(read_manifests([str(path)])) == ["m.json: Pod/a"]


def test_a_folder_is_read_with_those_in_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b.yml").write_text(yaml.safe_dump(JOB))
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(POD))
    (tmp_path / "notes.txt").write_text("- no: manifest")
    assert places(read_manifests([str(tmp_path)])) == ["a.yaml: Pod/a", "b.yml: Job/b"]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(yaml.safe_dump(POD).encode())))
    assert places(read_manifests(["-"])) == ["standard input: Pod/a"]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no object"),
        ("- a\n", "holds a document that is no mapping"),
        ("a: 1\na: 2\n", "key 'a' is given twice"),
        ("kind: Pod\n---\nkind: [\n", "not valid YAML"),
        ("kind: Pod\nwhen: 2024-01-01\n", "'when' is a date"),
        (BOMB, "its aliases (*) repeat more than"),
        ("kind: Pod\x01\n", "not valid YAML"),
    ],
    ids=["empty", "list", "twice", "half", "date", "bomb", "control"],
)
def test_what_is_no_manifest_is_refused_in_one_message(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        read_manifests([str(path)])
    assert said in str(refused.value) and str(path) in str(refused.value)


def test_values_of_all_documents_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_MOST_VALUES", 12)
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump_all([POD, POD]))
    with pytest.raises(UserError, match="14 keys and values, and at most 12"):
        read_manifests([str(path)])


def test_an_archive_is_told_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "chart.tgz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(UserError, match="is an archive"):
        read_manifests([str(tmp_path / "chart.tgz")])


def test_a_folder_without_manifests_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no \*\.yaml"):
        read_manifests([str(tmp_path)])
