"""A catalog file's text with one model added or refreshed, and every other byte as people wrote it.

Takes the text and the model's entry as data. Nothing is written back by a YAML library: `documents.edit` says where
things stand, and only those characters are replaced. What comes out is read again and compared with what was meant,
before anyone gets to see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from generator.documents.compact import block_lines, inline
from generator.documents.edit import Edit, Entry, YamlDocument, loads_as
from generator.documents.load import load_text
from generator.errors import UserError
from generator.formats.catalog import CatalogFile

SCHEMA_LINE = "# yaml-language-server: $schema=../schemas/catalog.schema.json"
REFRESHED = ("architecture", "weights", "provenance")
"""What `add` reads from the checkpoint, and so owns. The other keys are people's once they are written."""
FILLED_IN = ("source", "license", "gated", "task", "minVllmVersion", "llmConfig", "needs")
"""What `add` writes where it is missing."""
_MARK = "\ufeff"  # the byte order mark of some editors


def add_to_catalog(
    text: str | None, *, family: str, model_id: str, model: dict[str, Any], replace: bool = False
) -> str:
    """Return the text of the family's file with `model` in it; `text` is None where there is no file yet.

    A new id comes after the last model. Of an id that is there, `architecture`, `weights` and `provenance` are
    refreshed, what is missing of `FILLED_IN` is filled in, and `revision` is refreshed where the source is the same
    (the commit of one repository says nothing about another place). Everything else stays: needs, trustRemoteCode,
    comments, order, quoting, line ends.

    Raises UserError where the file is another family's, where the id is already another model's (unless `replace`,
    which leaves nothing of that), and where the file is written in a way that only a person can edit (an anchor that
    several models share).
    """
    if text is None or not text.strip(f"{_MARK} \t\r\n"):
        text = f"{SCHEMA_LINE}\nfamily: {inline(family)}\nmodels:\n"
    if text.startswith(_MARK):  # the parser would not count it among the characters
        rest = text.removeprefix(_MARK)
        return _MARK + add_to_catalog(rest, family=family, model_id=model_id, model=model, replace=replace)
    old = load_text(text, f"{family}.yaml")
    _check_family(old, family)
    document = YamlDocument(text)
    entry = document.entries(document.root)["models"]
    models = old["models"] or {}
    wanted = model
    if model_id in models:
        present = document.entries(entry.value).get(model_id)
        if present is None or not isinstance(present.value, yaml.MappingNode) or not models[model_id]:
            raise _by_hand("its entry is empty or no mapping", model_id, model)
        wanted = model if replace else _refreshed(model_id, models[model_id], model)
        edits = list(_changes(document, present.value, models[model_id], wanted))
    else:
        edits = [_insertion(document, entry, model_id, model)]
    text = document.edited(edits)
    if not loads_as(text, {**old, "models": {**models, model_id: wanted}}):
        raise _by_hand("the file is written in a way that cannot be edited safely (anchors, perhaps)", model_id, model)
    _check_contract(text)
    return text


def new_catalog(family: str, models: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of a file for a family that has none yet. Raises UserError where an entry is none."""
    entries = ["\n".join(block_lines(model_id, model, 2, 2)) for model_id, model in models.items()]
    text = f"{SCHEMA_LINE}\nfamily: {inline(family)}\nmodels:\n" + "\n\n".join(entries) + "\n"
    _check_contract(text)
    return text


def remove_from_catalog(text: str, model_id: str, *, where: str) -> str | None:
    """Return the text of a catalog file without a model that is in it; None where nothing is left of the family.

    Raises UserError where the file is written in a way that only a person can edit.
    """
    plain = text.removeprefix(_MARK)
    old = load_text(plain, where)
    left = {name: model for name, model in old["models"].items() if name != model_id}
    if not left:
        return None
    document = YamlDocument(plain)
    edited = document.without(document.entries(document.root)["models"].value, model_id)
    if not loads_as(edited, {**old, "models": left}):
        raise UserError(
            "is written in a way that cannot be edited safely (anchors, perhaps)",
            where=where,
            fix=f"Take `{model_id}` out by hand.",
        )
    return text[: len(text) - len(plain)] + edited


def _check_family(old: Any, family: str) -> None:
    if not isinstance(old, dict):
        raise UserError("the catalog file is no mapping", fix="Begin it with `family: NAME` and `models:`.")
    if old.get("family") != family:
        raise UserError(
            f"this is the file of family '{old.get('family')}', not of '{family}'",
            where="family",
            fix="Give --family the name that the file has, or write the model to a file of its own.",
        )
    if not isinstance(old.get("models", ""), dict | None):
        raise UserError("`models` is missing or no mapping", where="models", fix="Add `models:` after `family`.")


def _check_contract(text: str) -> None:
    try:
        CatalogFile.model_validate(load_text(text, ""))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UserError(
            first["msg"],
            where=".".join(str(part) for part in first["loc"] if part != "[key]"),
            fix="Fix the catalog file, or what was to be added; nothing was written.",
        ) from None


def _by_hand(why: str, model_id: str, model: Mapping[str, Any]) -> UserError:
    block = "\n".join(block_lines(model_id, model, 2, 2))
    return UserError(f"'{model_id}' cannot be written: {why}", where="models", fix=f"Write it by hand:\n{block}")


def _refreshed(model_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry that is there should say afterwards, as data."""
    same_source = old.get("source") == new["source"]
    # A copy in a bucket or a folder is the same model: its facts are the same.
    another = any(old.get(key) != new[key] for key in ("architecture", "weights"))
    if not same_source and (another or ("revision" in new and "revision" in old)):
        raise UserError(
            f"model '{model_id}' is in the catalog already, from '{old.get('source')}', not '{new['source']}'",
            where=f"models.{model_id}",
            fix="Give the new one another id with --id, or put it in the old one's place with --replace.",
        )
    refreshed = (*REFRESHED, "revision") if same_source and "revision" in new else REFRESHED
    wanted = {key: value for key, value in old.items() if key not in refreshed}
    wanted |= {key: new[key] for key in refreshed if key in new}
    return wanted | {key: new[key] for key in FILLED_IN if key in new and key not in wanted}


def _insertion(document: YamlDocument, models: Entry, model_id: str, model: Mapping[str, Any]) -> Edit:
    """Put a new model after the last one."""
    present = list(document.entries(models.value).values())
    if present and isinstance(models.value, yaml.MappingNode) and models.value.flow_style:
        return _addition(document, models.value, present[-1], {model_id: model})
    step = document.indentation(present)
    return document.at_the_end(models, lambda column: block_lines(model_id, model, column, step), apart=True)


def _changes(document: YamlDocument, node: Any, old: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Edit]:
    """The least edits that make a mapping say `wanted`."""
    entries = document.entries(node)
    for key, entry in entries.items():
        if key not in wanted or old[key] == wanted[key]:
            continue
        mapping = isinstance(entry.value, yaml.MappingNode) and not entry.aliased and old[key]
        if mapping and isinstance(wanted[key], Mapping):
            yield from _changes(document, entry.value, old[key], wanted[key])
        else:
            space = " " if entry.start == entry.colon else ""
            yield Edit(entry.start, entry.end, space + inline(wanted[key], flow=bool(node.flow_style)))
    added = {key: value for key, value in wanted.items() if key not in entries and old.get(key) != value}
    gone = [key for key in entries if key not in wanted and key != "<<"]
    if added and len(gone) == len(entries):  # something must hold the place: the first takes the other's name
        key, anchor = next(iter(added)), entries[gone.pop(0)]
        yield Edit(anchor.key_start, anchor.end, f"{inline(key)}: {inline(added.pop(key))}")
    else:
        anchor = [entry for key, entry in entries.items() if key not in gone][-1]
    present = list(entries)
    for key in gone:
        index = present.index(key)
        at_the_end = all(later in gone for later in present[index:])
        yield from document.removal(node, entries[key], entries[present[index - 1]] if at_the_end else None)
    if added:
        yield _addition(document, node, anchor, added)


def _addition(document: YamlDocument, node: Any, last: Entry, added: Mapping[str, Any]) -> Edit:
    """Put keys after the last one that stays."""
    if node.flow_style:
        return Edit(last.end, last.end, "".join(f", {inline(key)}: {inline(value)}" for key, value in added.items()))
    lines = (line for key, value in added.items() for line in block_lines(key, value, last.column, 2))
    return document.after(last, lines)
