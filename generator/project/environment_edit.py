"""An environment file's text with one more model served, and every other byte as people wrote it."""

from __future__ import annotations

import yaml

from generator.documents.edit import Edit, Entry, YamlDocument, loads_as
from generator.documents.load import load_text
from generator.errors import UserError


def serve_model(text: str, *, family: str, model_id: str, where: str) -> str:
    """Return the text of an environment that serves this model too.

    Raises UserError, with what to write by hand, where the text is written in a way that only a person can edit.
    """
    old = load_text(text, where)
    serve = old.get("serve") or {}
    service = serve.get(family, {}) if family in serve else {"models": {}}
    if family in serve and not (service or {}).get("models"):
        return text  # all models of the family
    if model_id in service["models"]:
        return text
    wanted = {**old, "serve": {**serve, family: {**service, "models": {**service["models"], model_id: None}}}}
    edited = _edited(text, family=family, model_id=model_id, new=family not in serve)
    if edited is None or not loads_as(edited, wanted):
        raise UserError(
            "is written in a way that cannot be edited safely",
            where=where,
            fix=f"Write by hand below `serve:`\n  {family}:\n    models:\n      {model_id}:",
        )
    return edited


def _edited(text: str, *, family: str, model_id: str, new: bool) -> str | None:
    document = YamlDocument(text)
    top = document.entries(document.root)
    if "serve" not in top:
        last = list(top.values())[-1]
        position = document.after_own_comments(last)
        lines = ["serve:", *(f"  {line}" for line in _family(family, model_id))]
        return document.edited([Edit(position, position, _below(document, lines, 0))])
    place: Entry = top["serve"]
    lines = _family(family, model_id)
    if not new:
        found = document.entries(document.entries(place.value)[family].value).get("models")
        if found is None:
            return None
        place, lines = found, [f"{model_id}:"]
    return _inside(document, place, lines)


def _family(family: str, model_id: str) -> list[str]:
    return [f"{family}:", "  models:", f"    {model_id}:"]


def _inside(document: YamlDocument, place: Entry, lines: list[str]) -> str | None:
    """The lines at the end of the block mapping at `place`; in an empty one they take the place of `{}` or nothing."""
    entries = list(document.entries(place.value).values())
    if not entries:
        step = place.column + 2
        end = document.line_end(place.end)
        comment = document.text[place.end : end]
        return document.edited([Edit(place.colon, end, comment + _below(document, lines, step))])
    if isinstance(place.value, yaml.MappingNode) and place.value.flow_style:
        return None
    last = entries[-1]
    position = document.after_own_comments(last)
    return document.edited([Edit(position, position, _below(document, lines, last.column))])


def _below(document: YamlDocument, lines: list[str], column: int) -> str:
    return "".join(f"{document.line_break}{' ' * column}{line}" for line in lines)
