"""A catalog file's text with one model added or refreshed, and every other byte as people wrote it.

YAML libraries that write a document back re-wrap, re-quote or re-indent some of it. So nothing is written back here:
the parser says where each key and value stands, and only those characters are replaced. What comes out is read again
and compared with what was meant, before anyone gets to see it.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml
from pydantic import ValidationError

from .catalog import CatalogFile
from .errors import UserError

SCHEMA_LINE = "# yaml-language-server: $schema=../schemas/catalog.schema.json"
REFRESHED = ("architecture", "weights", "provenance")
"""What `add` reads from the checkpoint, and so owns. The other keys are people's once they are written."""
_ORDER = ("source", "revision", "license", "trustRemoteCode", "needs", "architecture", "weights", "provenance")
_WIDTH = 120
_MARK = "\ufeff"  # the byte order mark of some editors
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def add_to_catalog(text: str | None, *, family: str, model_id: str, model: dict[str, Any]) -> str:
    """Return the text of the family's file with `model` in it; `text` is None where there is no file yet.

    A new id comes after the last model. Of an id that is there, `architecture`, `weights` and `provenance` are
    refreshed, `license` is filled in where it is missing, and `revision` is refreshed where the source is the same
    (the commit of one repository says nothing about another place). Everything else stays: needs, trustRemoteCode,
    comments, order, quoting, line ends.

    Raises UserError where the file is another family's, where the id is already another repository's, and where the
    file is written in a way that only a person can edit (an anchor that several models share).
    """
    model = {key: model[key] for key in _ORDER if model.get(key) is not None}
    if text is None or not text.strip(f"{_MARK} \t\r\n"):
        text = f"{SCHEMA_LINE}\nfamily: {_scalar(family)}\nmodels:\n"
    if text.startswith(_MARK):  # the parser would not count it among the characters
        return _MARK + add_to_catalog(text.removeprefix(_MARK), family=family, model_id=model_id, model=model)
    root, old = _parsed(text)
    _check_family(root, old, family)
    models = old.get("models") or {}
    if model_id in models:
        wanted = _refreshed(model_id, models[model_id], model)
        node = _get(_get(root, "models"), model_id)
        if not isinstance(node, yaml.MappingNode) or not models[model_id]:
            raise _by_hand("its entry is empty or no mapping", model_id, model)
        edits = list(_changes(text, node, models[model_id], wanted))
    else:
        wanted = model
        edits = [_insertion(text, root, model_id, model)]
    return _checked(_apply(text, edits), {**old, "models": {**models, model_id: wanted}}, model_id, model)


def _refreshed(model_id: str, old: Any, new: Mapping[str, Any]) -> dict[str, Any]:
    """What the entry should say afterwards, as data."""
    if not isinstance(old, dict):
        return dict(new)
    same_source = old.get("source") == new["source"]
    if not same_source and "revision" in new and "revision" in old:
        raise UserError(
            f"model '{model_id}' is in the catalog already, from '{old.get('source')}', not '{new['source']}'",
            where=f"models.{model_id}",
            fix="Give the new one another id with --id, or take the old one out of the file first.",
        )
    wanted = dict(old)
    for key in REFRESHED:
        wanted.pop(key, None)
        if key in new:
            wanted[key] = new[key]
    if same_source and "revision" in new:
        wanted["revision"] = new["revision"]
    for key in ("source", "license", "needs"):
        if key in new:
            wanted.setdefault(key, new[key])
    return wanted


# ── where things stand ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class _Edit:
    """Put `new` in place of text[start:end]."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One key of a mapping: the nodes, and whether the value is an alias of something written above."""

    key: yaml.Node
    value: yaml.Node
    aliased: bool = False


def _parsed(text: str) -> tuple[yaml.MappingNode, dict[str, Any]]:
    """The document's nodes, which say where each stands, and its data."""
    try:
        root, data = yaml.compose(text, Loader=_Loader), yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"not valid YAML: {error.problem}", where=line, fix="Mend it; nothing was written.") from None
    if not isinstance(root, yaml.MappingNode):
        raise UserError("the catalog file is no mapping", fix="Begin it with `family: NAME` and `models:`.")
    return root, data


def _check_family(root: yaml.MappingNode, old: Mapping[str, Any], family: str) -> None:
    if old.get("family") != family:
        raise UserError(
            f"this is the file of family '{old.get('family')}', not of '{family}'",
            where="family",
            fix="Give --family the name that the file has, or write the model to a file of its own.",
        )
    models = _get(root, "models")
    if models is None or not (isinstance(models, yaml.MappingNode) or old["models"] is None):
        raise UserError("`models` is missing or no mapping", where="models", fix="Add `models:` after `family`.")


def _entries(node: yaml.Node | None) -> dict[str, _Entry]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {
        key.value: _Entry(key=key, value=value, aliased=value.start_mark.index < key.start_mark.index)
        for key, value in node.value
    }


def _get(node: yaml.Node | None, key: str) -> yaml.Node | None:
    entry = _entries(node).get(key)
    return entry.value if entry else None


def _end(text: str, entry: _Entry) -> int:
    """Where an entry's last character stands. The parser ends a block only at the next token, beyond its comments."""
    node = entry.value
    if entry.aliased:
        found = re.compile(r"\s*:\s*\*[^\s,\]}]+").match(text, entry.key.end_mark.index)
        return found.end() if found else entry.key.end_mark.index
    if isinstance(node, yaml.ScalarNode):
        if node.style in ("|", ">"):
            return len(text[: node.end_mark.index].rstrip())
        # An empty value stands wherever the parser noticed that nothing came.
        return node.end_mark.index if node.end_mark.index > node.start_mark.index else _after_colon(text, entry)
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    if isinstance(node, yaml.SequenceNode):
        return _end(text, _Entry(key=node.value[-1], value=node.value[-1]))
    return _end(text, list(_entries(node).values())[-1])


def _after_colon(text: str, entry: _Entry) -> int:
    return text.index(":", entry.key.end_mark.index) + 1 if entry.key is not entry.value else entry.value.end_mark.index


# A comma after an item of a flow mapping, beyond line breaks and comments.
_FLOW_COMMA = re.compile(r"(?:\s|(?<=\s)#[^\n]*)*,")
_LINE_BREAK = re.compile(r"\r?\n|")


def _line_end(text: str, position: int) -> int:
    """The end of the line, its line break not included."""
    found = re.compile(r"\r?\n|\Z").search(text, position)
    assert found
    return found.start()


def _line_break(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


# ── a new model ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _insertion(text: str, root: yaml.MappingNode, model_id: str, model: Mapping[str, Any]) -> _Edit:
    entry = _entries(root)["models"]
    models = entry.value
    if isinstance(models, yaml.MappingNode) and models.value and models.flow_style:
        return _flow_insertion(text, models, model_id, model)
    line_break = _line_break(text)
    present = _entries(models)
    if present:
        last = list(present.values())[-1]
        column = last.key.start_mark.column
        step = _step(present)
        start = _after_own_comments(text, _line_end(text, _end(text, last)), column)
        blank = line_break if _apart(text, present) else ""
    else:
        column = step = 2
        colon = _after_colon(text, entry)
        value_end = entry.value.end_mark.index if isinstance(models, yaml.MappingNode) else _end(text, entry)
        if value_end > colon:  # `models: {}` or `models: null`: what follows on the line is people's comment
            tail = text[value_end : _line_end(text, value_end)]
            block = _block(model_id, model, column, step, line_break)
            return _Edit(start=colon, end=value_end + len(tail), new=tail + line_break + block)
        start, blank = _line_end(text, colon), ""
    block = _block(model_id, model, column, step, line_break)
    # With the line break that stands there, or with one of its own where the file ends without.
    if start == len(text):
        return _Edit(start=start, end=start, new=line_break + blank + block + line_break)
    return _Edit(start=start, end=start, new=line_break + blank + block)


def _flow_insertion(text: str, models: yaml.MappingNode, model_id: str, model: Mapping[str, Any]) -> _Edit:
    last = _end(text, list(_entries(models).values())[-1])
    item = f" {_scalar(model_id, flow=True)}: {_flow(model)}"
    comma = _FLOW_COMMA.match(text, last)
    if comma:
        return _Edit(start=comma.end(), end=comma.end(), new=item + ",")
    return _Edit(start=last, end=last, new="," + item)


def _step(present: Mapping[str, _Entry]) -> int:
    """By how much people indent, as the first model shows."""
    for entry in present.values():
        block = isinstance(entry.value, yaml.MappingNode) and entry.value.value and not entry.value.flow_style
        if block and not entry.aliased:
            return int(entry.value.value[0][0].start_mark.column - entry.key.start_mark.column)
    return 2


def _after_own_comments(text: str, position: int, column: int) -> int:
    """Beyond the comments that follow a model and are indented deeper than its key: they are about that model."""
    deeper = re.compile(rf"(?:\r?\n[ \t]*)*\r?\n {{{column + 1},}}#[^\r\n]*")
    while found := deeper.match(text, position):
        position = found.end()
    return position


def _apart(text: str, present: Mapping[str, _Entry]) -> bool:
    """Do people leave an empty line between models? Where there is no saying yet, they do."""
    entries = list(present.values())
    between = [
        text[_line_end(text, _end(text, before)) : after.key.start_mark.index] for before, after in pairwise(entries)
    ]
    return all(re.search(r"\n[ \t]*\r?\n", gap) for gap in between)


# ── a model that is there ────────────────────────────────────────────────────────────────────────────────────────────


def _changes(text: str, node: Any, old: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[_Edit]:
    """The least edits that make a mapping say `wanted`."""
    entries = _entries(node)
    for key, value in wanted.items():
        entry = entries.get(key)
        if entry is None:
            continue
        mapping = isinstance(entry.value, yaml.MappingNode) and not entry.aliased and old[key]
        if mapping and isinstance(value, Mapping) and value:
            yield from _changes(text, entry.value, old[key], value)
        elif old[key] != value:
            lone = entry.value.start_mark.index == entry.value.end_mark.index
            start = _after_colon(text, entry) if entry.aliased or lone else entry.value.start_mark.index
            rendered = _flow(value) if isinstance(value, Mapping) else _scalar(value, flow=bool(node.flow_style))
            yield _Edit(start=start, end=_end(text, entry), new=" " * (entry.aliased or lone) + rendered)
    added = {key: value for key, value in wanted.items() if key not in entries and old.get(key) != value}
    gone = [key for key in entries if key not in wanted and key != "<<"]
    if added and len(gone) == len(entries):  # something must hold the place: the first takes the other's name
        first, anchor = next(iter(added)), entries[gone.pop(0)]
        new = f"{_scalar(first, flow=True)}: {_value(added.pop(first))}"
        yield _Edit(start=anchor.key.start_mark.index, end=_end(text, anchor), new=new)
    else:
        anchor = [entry for key, entry in entries.items() if key not in gone][-1]
    present = list(entries)
    for key in gone:
        index = present.index(key)
        at_the_end = all(later in gone for later in present[index:])
        yield from _removal(text, node, entries[key], entries[present[index - 1]] if at_the_end else None)
    if added:
        yield _addition(text, node, anchor, added)


def _removal(text: str, node: Any, entry: _Entry, before: _Entry | None) -> Iterator[_Edit]:
    """Take a key out, and leave people's comments on it where they are.

    `before` is the key before it where no key after it stays, else None.
    """
    start, end = entry.key.start_mark.index, _end(text, entry)
    if node.flow_style:
        # With its comma: the one after it, or the one before where nothing that stays comes after it.
        comma = _FLOW_COMMA.match(text, end if before is None else _end(text, before))
        assert comma, "something stays, so a comma parts the two"
        at = comma.end() - 1
        first, last = (at, end) if before else (start, at + 1)
        if not text[first:start].strip(", \t\r\n") and not text[end:last].strip(", \t\r\n"):
            spaces = 0 if before else len(re.compile(r"[ \t]*").match(text, last).group())  # type: ignore[union-attr]
            yield _Edit(start=first, end=last + spaces, new="")
        else:  # a comment stands between the two
            yield _Edit(start=at, end=at + 1, new="")
            yield _Edit(start=start, end=end, new="")
        return
    line_start, line_end = text.rfind("\n", 0, start) + 1, _line_end(text, end)
    if text[line_start:start].strip():
        yield _Edit(start=start, end=end, new="")
    elif text[end:line_end].strip():  # a comment stays, on a line of its own
        yield _Edit(start=start, end=line_end - len(text[end:line_end].lstrip()), new="")
    else:
        line_break = len(_LINE_BREAK.match(text, line_end).group())  # type: ignore[union-attr]
        yield _Edit(start=line_start, end=line_end + line_break, new="")


def _addition(text: str, node: Any, last: _Entry, added: Mapping[str, Any]) -> _Edit:
    """Put keys after the last one that stays."""
    end = _end(text, last)
    if node.flow_style:
        items = [f"{_scalar(key, flow=True)}: {_value(value)}" for key, value in added.items()]
        return _Edit(start=end, end=end, new="".join(f", {item}" for item in items))
    column = last.key.start_mark.column
    lines = [line for key, value in added.items() for line in _lines(key, value, column, 2)]
    end = _line_end(text, end)
    return _Edit(start=end, end=end, new="".join(_line_break(text) + line for line in lines))


# ── writing, and reading again ───────────────────────────────────────────────────────────────────────────────────────


def _apply(text: str, edits: list[_Edit]) -> str:
    for edit in sorted(edits, key=lambda item: (item.start, item.end), reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


def _checked(text: str, wanted: dict[str, Any], model_id: str, model: Mapping[str, Any]) -> str:
    """Return the text if it says what was meant, nothing else changed."""
    try:
        read = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError:
        read = None
    if read != wanted:
        raise _by_hand("the file is written in a way that cannot be edited safely (anchors, perhaps)", model_id, model)
    try:
        CatalogFile.model_validate(read)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UserError(
            first["msg"],
            where=".".join(str(part) for part in first["loc"] if part != "[key]"),
            fix="Mend the catalog file, or what was to be added; nothing was written.",
        ) from None
    return text


def _by_hand(why: str, model_id: str, model: Mapping[str, Any]) -> UserError:
    block = "\n".join(_lines(model_id, model, 2, 2))
    return UserError(f"'{model_id}' cannot be written: {why}", where="models", fix=f"Write it by hand:\n{block}")


def _block(model_id: str, model: Mapping[str, Any], column: int, step: int, line_break: str) -> str:
    head = f"{' ' * column}{_scalar(model_id)}:"
    body = (line for key, value in model.items() for line in _lines(key, value, column + step, step))
    return line_break.join([head, *body])


def _lines(key: str, value: Any, column: int, step: int) -> Iterator[str]:
    """One key: on one line where that is short, a flow map over several lines where its items are, else a block."""
    head = f"{' ' * column}{_scalar(key)}:"
    if not isinstance(value, Mapping):
        line = f"{head} {_value(value, flow=False)}"
        if len(line) > _WIDTH and isinstance(value, str) and value == " ".join(value.split()):
            yield f"{head} >-"
            yield from textwrap.wrap(
                value,
                _WIDTH,
                initial_indent=" " * (column + step),
                subsequent_indent=" " * (column + step),
                break_long_words=False,
                break_on_hyphens=False,
            )
        else:
            yield line
        return
    items = [f"{_scalar(name, flow=True)}: {_value(item)}" for name, item in value.items()]
    if len(head) + sum(len(item) + 2 for item in items) + 1 <= _WIDTH:
        yield f"{head} {{{', '.join(items)}}}"
    elif all(len(item) <= _WIDTH * 2 // 5 for item in items):
        yield from _filled(f"{head} {{", items, " " * (column + step))
    else:
        yield head
        for name, item in value.items():
            yield from _lines(name, item, column + step, step)


def _filled(line: str, items: list[str], indent: str) -> Iterator[str]:
    """Items of a flow map, as many to a line as fit."""
    empty = True
    for index, item in enumerate(items):
        item += "}" if index == len(items) - 1 else ","
        if not empty and len(line) + 1 + len(item) > _WIDTH:
            yield line
            line, empty = indent + item, False
            continue
        line, empty = line + ("" if empty else " ") + item, False
    yield line


def _flow(value: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{_scalar(key, flow=True)}: {_value(item)}" for key, item in value.items()) + "}"


def _value(value: Any, *, flow: bool = True) -> str:
    if isinstance(value, Mapping):
        return _flow(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return _scalar(value, flow=flow)


def _scalar(value: Any, *, flow: bool = False) -> str:
    """A scalar as YAML: plain where YAML reads it back as the same text, else in double quotes."""
    if not isinstance(value, str):
        return json.dumps(value)
    special = r",\[\]{}" if flow else ""
    plain = re.fullmatch(rf"[A-Za-z0-9_./~(][^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff{special}]*", value)
    if plain and ": " not in value and " #" not in value and value[-1] not in ": " and _reads_back(value):
        return value
    return json.dumps(value)


def _reads_back(value: str) -> bool:
    try:
        return bool(yaml.load(value, Loader=_Loader) == value)
    except yaml.YAMLError:
        return False
