"""What is said of a YAML file that cannot be what it is meant to be: where, what, and what to write instead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from generator.documents.files import MOST_BYTES, read_text
from generator.documents.load import Origin, dump_yaml, load_text, location
from generator.errors import UserError, UserErrors
from generator.formats.catalog import CatalogFile
from generator.formats.check import check_document
from generator.formats.environment import Environment
from generator.formats.faults import parse_text
from tests.support.paths import ROOT
from tests.support.waiting import HANGS_S

ENVIRONMENT = "namespace: ai\nray: 2.60.0\npools: {p: {nodes: 1}}\nserve: {f: }\n"


def tenfold(before: str, behind: str) -> str:
    """Nine anchors, each of which holds the one before it ten times; the first is a mapping."""
    steps = (f"a{i}: &a{i} {before}{', '.join([f'*a{i - 1}'] * 10)}{behind}\n" for i in range(1, 10))
    return "a0: &a0 {x: 1}\n" + "".join(steps)


UNREADABLE = {
    "a date that is none": ("a: 1\nb: 2020-99-99", "f:2: not valid YAML: '2020-99-99' is no valid timestamp"),
    "a number of 5,000 digits": ("a: " + "9" * 5000, "f:1: not valid YAML: '999"),
    "a tag that its word is none of": ("a: !!bool maybe", "'maybe' is no valid bool"),
    "an anchor that holds itself": ("a: &a [*a]", "or an anchor holds itself"),
    "a list in a list, and so on": ("- " * 100 + "a", "nested more than 50 levels deep"),
    "more lists than the parser in C survives": ("[" * 200_000 + "]" * 200_000, "nested more than 50 levels deep"),
    "half of a character": ("a: \ud800", "f: holds half of a character"),
    "a number beyond an int64": (
        "a: 1\nb: " + "9" * 20,
        "f:2: not valid YAML: '99999999999999999999' is a number of more",
    ),
    "aliases of aliases": (
        tenfold("[", "]"),
        "f: its aliases (*) repeat",
    ),
    "more text than any file here needs": ("a: " + "x" * 10_000_000, "has 10,000,003 characters, and at most 10,000,"),
    "merges of merges": (
        tenfold("{<<: [", "]}"),
        "f: its aliases (*) repeat",
    ),
}


@pytest.mark.parametrize(("text", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_yaml_cannot_read_is_an_error_with_a_fix(text, message):
    with pytest.raises(UserError) as caught:
        load_text(text, "f")
    assert message in str(caught.value)
    assert caught.value.fix


def test_more_values_than_any_file_here_needs_are_refused(monkeypatch):
    # The bound itself is half a million, which takes seconds to write down and to count.
    monkeypatch.setattr("generator.documents.load._MOST_VALUES", 1_000)
    with pytest.raises(UserError, match="has 1,003 keys and values, and at most 1,000 are read"):
        load_text("a: [" + "1," * 1_000 + "]", "f")


FAULTS = {
    "a version as a number": ("2.60.0", "2.60", "f:2: ray: 'ray' should be text, and YAML reads 2.60 as a number\n"
                              "  Quote it; did you mean '2.60.0'?"),
    "a date": ("namespace: ai", "namespace: 2020-01-02", 'reads 2020-01-02 as a date\n  Quote it: '
               '`namespace: "2020-01-02"`.'),
    "nothing for a mapping": ("{p: {nodes: 1}}", "{p: }", "f:3: pools.p: 'p' is empty\n  Give a mapping of: gpu, "),
    "nothing for names": ("{p: {nodes: 1}}", "", "'pools' is empty\n  Give at least one name, and below it: gpu, "),
    "no name": ("{p: {nodes: 1}}", "{}", "'pools' needs at least one entry\n  Give at least one name, and below it: "),
    "no names of models": ("{f: }", "{f: {models: {}}}", "serve.f.models: 'models' needs at least one entry"),
    "a word for a mapping": ("{nodes: 1}", "many", "'p' should be a mapping (it is 'many')\n  Give a mapping of: gpu"),
    "a word for a list": ("nodes: 1", "nodes: 1, tolerations: x", "should be a list (it is 'x')\n  Give a list"),
    "a number for a name": ("{p: ", "{5: ", "f:3: pools.5: the key 5 is no text\n  Quote it: \"5\"."),
    "a date for a name": ("{p: ", "{2020-01-02: ", "the key 2020-01-02 is no text\n  Quote it: \"2020-01-02\"."),
    "a number for a key": ("serve:", "5: a\nserve:", "f:4: 5: the key 5 is no text"),
    "nothing for a number": ("nodes: 1", "nodes: ", "'nodes' is empty\n  Give it a value"),
    "a number too small": ("nodes: 1", "nodes: 0", "(it is 0)\n  Give 1 or more."),
    "a half": ("nodes: 1", "nodes: 1.5", "(it is 1.5)\n  Give a whole number, without quotes."),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), FAULTS.values(), ids=FAULTS)
def test_every_fault_says_what_to_write_instead(old, new, message):
    assert old in ENVIRONMENT
    with pytest.raises(UserErrors) as caught:
        parse_text(ENVIRONMENT.replace(old, new), "f", Environment)
    assert message in "\n".join(map(str, caught.value.errors))
    assert all(error.fix for error in caught.value.errors)


@pytest.mark.parametrize("volume", [None, 5])
def test_a_volume_that_is_no_mapping_is_a_fault_and_no_traceback(volume):
    with pytest.raises(UserErrors) as caught:
        check_document({"pods": {"volumes": {"v": volume}}}, "values", Origin("f"))
    assert "f: pods.volumes.v: 'v' " in str(caught.value)
    assert "should be a mapping" in str(caught.value)


@pytest.mark.timeout(60)  # a walk over the document for each would take minutes
def test_thousands_of_faults_are_told_at_once_and_soon():
    text = "family: f\nmodels:\n" + "".join(f"  m{i}: {{sourc: x, needs: {{}}}}\n" for i in range(1000))
    with pytest.raises(UserErrors) as caught:
        parse_text(text, "f", CatalogFile)
    assert len(caught.value.errors) > 5000 - 1


@pytest.mark.timeout(60)  # each by a walk over all the others would take minutes
def test_each_of_many_faults_is_found_at_its_line():
    text = "models:\n" + "".join(f"  m{i}: {{a: 1}}\n" for i in range(8000))
    for i in range(8000):
        assert location(text, "f", ["models", f"m{i}", "a"]).startswith(f"f:{i + 2}: ")


def test_an_anchor_that_many_use_is_no_bomb():
    text = "a: &a {x: 1, y: 2}\nlist:\n" + "".join(f"- {{<<: *a, n: {n}}}\n" for n in range(1000))
    assert load_text(text, "f")["list"][999] == {"x": 1, "y": 2, "n": 999}


def test_control_characters_of_a_name_do_not_end_the_header_of_a_file():
    text = dump_yaml({"a": 1}, header="Note: A\0B \x9b1m is\u2028a name")
    assert load_text(text, "f") == {"a": 1}
    assert text.startswith("# Note: A\\x00B \\x9b1m is\n# a name\n")


def test_a_message_quotes_the_beginning_of_a_long_word():
    names = "".join(f"  m{n}: {{family: {'a' * 100_000}}}\n" for n in range(10))
    with pytest.raises(UserErrors) as caught:
        check_document(load_text(f"models:\n{names}", "f"), "values", Origin("f"))
    assert len(caught.value.errors) >= 10
    assert all(len(str(error)) < 300 for error in caught.value.errors)


def test_what_never_ends_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UserError, match="is a device, a socket or a pipe"):
            read_text(path)


def test_what_the_shell_pipes_is_read():
    done = subprocess.run(
        [sys.executable, "-c", "from generator.documents.files import *; print(read_text(Path('/dev/stdin')))"],
        input="a: 1", capture_output=True, text=True, check=True, cwd=ROOT, timeout=HANGS_S,
    )  # fmt: skip
    assert done.stdout == "a: 1\n"


def test_a_file_too_large_for_text_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "f.yaml").open("w") as file:
        file.truncate(MOST_BYTES + 1)  # takes no room on the disk
    with pytest.raises(UserError, match="is longer than 100 MB"):
        read_text(tmp_path / "f.yaml")


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000, "a.**", "loop"])
def test_a_path_that_is_none_is_a_message(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError) as caught:
        read_text(tmp_path / name)
    assert caught.value.fix


def test_a_link_to_nothing_is_not_suggested_as_its_own_spelling(tmp_path):
    (tmp_path / "dev.yaml").symlink_to("nowhere")
    with pytest.raises(UserError) as caught:
        read_text(tmp_path / "dev.yaml")
    assert "is a link to nowhere, which is not there" in str(caught.value)
    assert "did you mean" not in str(caught.value)
