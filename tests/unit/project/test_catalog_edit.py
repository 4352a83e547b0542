"""What `add` does to a catalog file that people have written."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import UserError
from generator.formats.catalog import CatalogFile
from generator.project.catalog_edit import SCHEMA_LINE, add_to_catalog

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ARCHITECTURE = {
    "name": "LlamaForCausalLM",
    "torch_dtype": "bfloat16",
    "hidden_size": 3072,
    "intermediate_size": 23040,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 131072,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
}
MODEL = {
    "source": "org/Falcon3-7B",
    "revision": COMMIT,
    "license": "apache-2.0",
    "needs": {"context": 8192, "sequences": 64},
    "architecture": ARCHITECTURE,
    "weights": {"parameters": 7455550464, "bytes": {"BF16": 14911100928}},
    "provenance": {"source": "config.json and safetensors headers of org/Falcon3-7B"},
}
FLOW = """{name: LlamaForCausalLM, hidden_size: 1, intermediate_size: 1, num_hidden_layers: 1, num_attention_heads: 1,
      num_key_value_heads: 1, head_dim: 1, vocab_size: 1, max_position_embeddings: 9}"""
PEOPLES = f"""\
# yaml-language-server: $schema=../schemas/catalog.schema.json
# Ours.

"family":   'falcon3'     # quoted, and far away
models:
    # the small one
    small:
        source:   "org/small"      # mirrored
        needs:   {{ context:  4096,   sequences: 8 }}   # enough for chat
        # read by hand
        architecture: {FLOW}
        weights: {{parameters: 1, bytes: {{BF16: 2}}}}
        # a last word about small

    # medium: not yet
"""


def load(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def add(text: str | None, model_id: str = "new", model: dict[str, Any] = MODEL, family: str = "falcon3") -> str:
    return add_to_catalog(text, family=family, model_id=model_id, model=model)


def changed(**keys: Any) -> dict[str, Any]:
    """MODEL with other values; None takes a key away."""
    return {key: value for key, value in (copy.deepcopy(MODEL) | keys).items() if value is not None}


def comments(text: str) -> list[str]:
    return re.findall(r"(?:^|(?<=\s))#[^\r\n]*", text, re.MULTILINE)


def inserted(old: str, new: str) -> str:
    """The one block by which `new` is longer than `old`; fails where anything else changed."""
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(old))
    length = len(new) - len(old)
    for at in range(start, -1, -1):  # the block may begin like what follows it
        if new[:at] + new[at + length :] == old:
            return new[at : at + length]
    raise AssertionError(f"more than one block changed:\n{new}")


class TestANewFile:
    def test_it_begins_with_its_schema_and_holds_the_model(self) -> None:
        text = add(None)
        assert text.splitlines()[:4] == [SCHEMA_LINE, "family: falcon3", "models:", "  new:"]
        assert load(text) == {"family": "falcon3", "models": {"new": MODEL}}
        assert max(map(len, text.splitlines())) <= 120

    def test_an_empty_file_counts_as_none(self) -> None:
        assert add("\n") == add(None)

    @pytest.mark.parametrize(
        "source",
        ["org/x: y", "a #b", "~", "null", "1.5", "s3://bucket/a,b", "C:\\models", "ends:", "é/ü", '"q"', "- a"],
    )
    def test_odd_sources_are_quoted_where_yaml_needs_it(self, source: str) -> None:
        text = add(None, model=changed(source=source, provenance={"source": source * 40, "confidence": source}))
        assert load(text)["models"]["new"]["source"] == source

    @pytest.mark.parametrize("model_id", ["1.5", "on", "null", "123", "1e3"])
    def test_an_id_that_yaml_would_read_as_something_else_is_quoted(self, model_id: str) -> None:
        assert list(load(add(None, model_id))["models"]) == [model_id]


class TestANewModel:
    def test_it_comes_after_the_last_one_and_nothing_else_changes(self) -> None:
        text = add(PEOPLES)
        block = inserted(PEOPLES, text)
        assert text.index("a last word about small") < text.index("    new:") < text.index("# medium: not yet")
        assert load(block)["new"] == MODEL
        assert "\n        source: org/Falcon3-7B" in block, "indented as people indent"

    @pytest.mark.parametrize("line_break", ["\n", "\r\n"])
    @pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n# the end", "\n...\n"])
    def test_line_ends_and_the_end_of_the_file_stay(self, line_break: str, end: str) -> None:
        old = (PEOPLES.rstrip() + end).replace("\n", line_break)
        text = add(old)
        block = inserted(old, text)
        assert block.count("\n") == block.count(line_break)
        assert text.count("\n") == text.count(line_break)

    def test_a_byte_order_mark_and_characters_beyond_the_first_plane_stay(self) -> None:
        old = "\ufeff" + PEOPLES.replace("Ours.", "Ours 🦅 für alle.")
        assert inserted(old, add(old))

    def test_a_file_of_one_flow_mapping_stays_one(self) -> None:
        flat = " ".join(FLOW.split())
        old = (
            f"{{family: falcon3, models: {{small: {{source: a, needs: {{context: 1}}, architecture: {flat}, "
            "weights: {parameters: 1, bytes: {BF16: 2}}}}} # dense\n"
        )
        assert load(inserted(old, add(old)).strip(", "))["new"] == MODEL

    @pytest.mark.parametrize("models", ["models:", "models: {}", "models: null", "models: ~ # yet", "models: {} # yet"])
    @pytest.mark.parametrize("end", ["", "\n", "\n# the end\n"])
    def test_a_file_without_models_yet_gets_its_first(self, models: str, end: str) -> None:
        text = add(f"family: falcon3\n{models}{end}")
        assert list(load(text)["models"]) == ["new"]
        assert comments(f"{models}{end}") == comments(text)

    def test_models_that_stand_close_together_get_no_empty_line(self) -> None:
        close = add(add(None, "a"), "b").replace("\n\n", "\n")
        assert "\n\n" not in add(close, "c")

    def test_family_below_models_stays_below(self) -> None:
        old = add(None, "a").replace("family: falcon3\n", "") + "\n# at last\nfamily: falcon3\n"
        assert "new:" in inserted(old, add(old))

    def test_a_model_that_ends_in_a_block_of_text(self) -> None:
        old = add(None, "a", changed(provenance={"source": "x", "confidence": "words " * 40 + "end"}))
        assert ">-" in old
        assert "new:" in inserted(old, add(old))


class TestAModelThatIsThere:
    def test_what_was_read_is_refreshed_and_what_people_wrote_stays(self) -> None:
        text = add(PEOPLES, "small", changed(source="org/small", needs={"context": 99, "sequences": 9}))
        small = load(text)["models"]["small"]
        assert small["needs"] == {"context": 4096, "sequences": 8}
        assert [small[key] for key in ("architecture", "weights", "revision")] == [
            MODEL[key] for key in ("architecture", "weights", "revision")
        ]
        assert comments(text) == comments(PEOPLES)
        assert 'source:   "org/small"      # mirrored' in text
        assert "needs:   { context:  4096,   sequences: 8 }   # enough for chat" in text

    def test_the_same_again_changes_nothing(self) -> None:
        once = add(PEOPLES, "small", changed(source="org/small"))
        assert add(once, "small", changed(source="org/small")) == once

    def test_comments_inside_a_refreshed_block_stay(self) -> None:
        numbers = [key for key in ARCHITECTURE if key not in ("name", "torch_dtype")]
        block = "".join(f"      {key}: 1  # about {key}\n" for key in numbers)
        block = block.replace("tie_word_embeddings: 1", "tie_word_embeddings: true")
        old = f"""\
family: falcon3
models:
  a:
    source: org/Falcon3-7B
    trustRemoteCode: we wrote it ourselves   # reviewed
    architecture: # by hand
      # the name comes first
      name: "Old"
      kv_lora_rank: 5  # no longer so
{block}      # end of architecture
    weights: {{parameters: 1,   # few
      bytes: {{F32: 4, BF16: 2}}  # two kinds
      }}
    needs: {{context: 1}}
"""
        text = add(old, "a")
        read = load(text)["models"]["a"]
        assert (read["architecture"], read["weights"]) == (MODEL["architecture"], MODEL["weights"])
        assert read["trustRemoteCode"] == "we wrote it ourselves"
        assert sorted(comments(text)) == sorted(comments(old))
        assert "      hidden_size: 3072  # about hidden_size\n" in text

    def test_a_folder_refreshes_the_facts_but_not_where_the_model_is_served_from(self) -> None:
        old = add(None, "a")
        text = add(old, "a", changed(source="/data/Falcon3-7B", revision=None, provenance={"source": "a folder"}))
        read = load(text)["models"]["a"]
        assert (read["source"], read["revision"]) == ("org/Falcon3-7B", COMMIT)
        assert read["provenance"] == {"source": "a folder"}

    def test_the_commit_of_a_repository_is_not_pinned_on_a_bucket(self) -> None:
        old = add(None, "a", changed(source="s3://bucket/falcon", revision=None))
        assert "revision" not in load(add(old, "a"))["models"]["a"]

    def test_another_repository_under_the_same_id_is_refused(self) -> None:
        with pytest.raises(UserError, match="already, from 'org/Falcon3-7B', not 'other/Falcon3-7B'") as caught:
            add(add(None, "a"), "a", changed(source="other/Falcon3-7B"))
        assert "--id" in caught.value.fix

    def test_an_anchor_that_others_share_is_not_changed_for_them(self) -> None:
        two = add(add(None, "a"), "b")
        head, body = two.split("  b:\n")
        shared = head.replace("architecture: {", "architecture: &same {")
        shared += "  b:\n" + re.sub(r"architecture: \{[^}]*\}", "architecture: *same # as a", body)
        text = add(shared, "b", changed(architecture=ARCHITECTURE | {"hidden_size": 1}))
        read = load(text)["models"]
        assert (read["a"]["architecture"]["hidden_size"], read["b"]["architecture"]["hidden_size"]) == (3072, 1)
        with pytest.raises(UserError, match="cannot be written") as caught:
            add(shared, "a", changed(architecture=ARCHITECTURE | {"hidden_size": 1}))
        assert "hidden_size: 1," in caught.value.fix


class TestRefusals:
    def test_the_file_of_another_family(self) -> None:
        with pytest.raises(UserError, match="family 'falcon3', not of 'falcon-h1'"):
            add(PEOPLES, family="falcon-h1")

    @pytest.mark.parametrize("text", ["- a\n", "text\n", "family: falcon3\n", "family: falcon3\nmodels: [a]\n"])
    def test_a_file_that_is_no_catalog(self, text: str) -> None:
        with pytest.raises(UserError):
            add(text)

    def test_an_id_that_no_client_could_use(self) -> None:
        with pytest.raises(UserError) as caught:
            add(PEOPLES, "Not An Id")
        assert "Not An Id" in caught.value.where

    def test_broken_yaml(self) -> None:
        with pytest.raises(UserError, match="not valid YAML"):
            add("family: falcon3\nmodels: {\n")


# Any file that people might write

NAMES = st.sampled_from(["a", "b1", "c.d", "e-f", "g"])
WORDS = st.text(alphabet="abc :#{}[]'\"&*é🦅-", max_size=12)


class _Writer:
    """Writes YAML in every way: keys quoted or not, block or flow, with comments and empty lines anywhere."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.step = draw(st.sampled_from([1, 2, 3, 4]))
        self.lines: list[str] = []

    def remark(self, column: int) -> None:
        for _ in range(self.draw(st.integers(0, 2))):
            indent = " " * self.draw(st.sampled_from([0, column, column + 2]))
            self.lines.append(self.draw(st.sampled_from(["", f"{indent}# {self.draw(WORDS)}"])))

    def tail(self) -> str:
        return self.draw(st.sampled_from(["", "", f"   # {self.draw(WORDS)}"]))

    def quoted(self, word: str) -> str:
        return self.draw(st.sampled_from([word, f'"{word}"', f"'{word}'"]))

    def flow(self, value: Any) -> str:
        if not isinstance(value, dict):
            return yaml.safe_dump(value).split("\n")[0]
        comma = self.draw(
            st.sampled_from(
                [
                    ", ",
                    ",",
                    " , ",
                    f", # {self.draw(WORDS)}\n{' ' * 20}",
                    f"\n{' ' * 20}, ",
                    f" # {self.draw(WORDS)}\n{' ' * 20}, ",
                ]
            )
        )
        end = self.draw(st.sampled_from(["", " ", ", "]))
        return "{" + comma.join(f"{self.quoted(key)}: {self.flow(item)}" for key, item in value.items()) + end + "}"

    def write(self, key: str, value: Any, column: int) -> None:
        self.remark(column)
        head = f"{' ' * column}{self.quoted(key)}: "
        if isinstance(value, dict) and self.draw(st.booleans()):
            self.lines.append(head + self.tail())
            for name in self.draw(st.permutations(list(value))):
                self.write(name, value[name], column + self.step)
        else:
            self.lines.append(head + self.flow(value) + self.tail())


@st.composite
def catalog_files(draw: st.DrawFn) -> str:
    """A valid catalog file: keys in any order, written in any way."""
    writer = _Writer(draw)
    models = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        models[name] = {
            "source": "org/Falcon3-7B",
            "needs": {"context": draw(st.integers(1, 9))},
            "architecture": {key: 1 if type(value) is int else value for key, value in ARCHITECTURE.items()}
            | draw(st.sampled_from([{}, {"sliding_window": 4}, {"kv_lora_rank": 4, "qk_rope_head_dim": 4}])),
            "weights": {"parameters": 1, "bytes": draw(st.sampled_from([{"F32": 1}, {"F16": 1, "BF16": 3}]))},
        } | draw(st.sampled_from([{}, {"license": "mit"}, {"revision": "f" * 40}]))
    for key in draw(st.permutations(["family", "models"])):
        writer.write(key, {"family": "falcon3", "models": models}[key], 0)
    writer.remark(0)
    text = "\n".join(writer.lines) + draw(st.sampled_from(["", "\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@settings(max_examples=40)
@given(catalog_files())
def test_a_new_model_leaves_every_byte_of_any_file(old: str) -> None:
    CatalogFile.model_validate(load(old))
    new = add(old)
    assert inserted(old, new)
    before, after = load(old)["models"], load(new)["models"]
    assert after == before | {"new": MODEL}


@settings(max_examples=40)
@given(catalog_files(), st.data())
def test_a_refreshed_model_leaves_every_comment_and_every_other_model(old: str, data: st.DataObject) -> None:
    before = load(old)["models"]
    name = data.draw(st.sampled_from(sorted(before)))
    new = add(old, name)
    after = load(new)["models"]
    assert {key: value for key, value in after.items() if key != name} == {
        key: value for key, value in before.items() if key != name
    }
    assert [after[name][key] for key in MODEL if key not in ("needs", "license")] == [
        MODEL[key] for key in MODEL if key not in ("needs", "license")
    ]
    assert after[name]["needs"] == before[name]["needs"]
    assert sorted(tokens(new)) == sorted(tokens(old))
    assert add(new, name) == new


def tokens(text: str) -> list[str]:
    """Every comment, as YAML sees it: what no token of the document covers."""
    rest = list(text)
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken):
            span = range(token.start_mark.index, token.end_mark.index)
            for index in span:
                rest[index] = "x"
    return re.findall(r"#[^\r\n]*", "".join(rest))
