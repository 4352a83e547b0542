"""An environment file's text with one model more or less served, and every other byte as people wrote it."""

from __future__ import annotations

import yaml

from generator.documents.edit import Edit, Entry, YamlDocument, loads_as
from generator.documents.load import load_text
from generator.errors import UserError


def serve_model(text: str, *, family: str, model_id: str, where: str) -> str:
    """Return the text of an environment that serves this model too; it does not yet.

    Raises UserError, with what to write by hand, where the text is written in a way that only a person can edit.
    """
    old = load_text(text, where)
    serve = old.get("serve") or {}
    service = serve.get(family) or {}
    models = {**(service.get("models") or {}), model_id: None}
    wanted = {**old, "serve": {**serve, family: {**service, "models": models}}}
    edited = _edited(text, family=family, model_id=model_id, new=family not in serve)
    if edited is None or not loads_as(edited, wanted):
        raise UserError(
            "is written in a way that cannot be edited safely",
            where=where,
            fix=f"Write by hand below `serve:`\n  {family}:\n    models:\n      {model_id}:",
        )
    return edited


def serve_no_more(text: str, *, family: str, model_id: str, others: list[str], where: str) -> str:
    """Return the text of an environment that serves this model no more; `others` are the rest of its family.

    Unchanged where the environment itself does not say it. A family of which all models were served gets the names of
    the others, and one of which nothing is left goes. Raises UserError as above.
    """
    old = load_text(text, where)
    serve = old.get("serve") or {}
    if family not in serve:
        return text
    service = serve[family] or {}
    models = service.get("models") or dict.fromkeys([model_id, *others])
    left = {name: models[name] for name in models if name != model_id}
    rest = {name: serve[name] for name in serve if name != family}
    wanted = {**old, "serve": {**serve, family: {**service, "models": left}} if left else rest}
    document = YamlDocument(text)
    edited = _less(document, family, model_id, left=list(left), alone=not rest)
    if edited is None or not loads_as(edited, wanted):
        names = "".join(f"\n      {name}:" for name in left)
        raise UserError(
            "is written in a way that cannot be edited safely",
            where=where,
            fix=f"Write by hand below `serve:`\n  {family}:\n    models:{names}"
            if left
            else f"Take `{family}` out of `serve`.",
        )
    return edited


def _less(document: YamlDocument, family: str, model_id: str, *, left: list[str], alone: bool) -> str | None:
    serve = document.entries(document.root)["serve"]
    service = document.entries(serve.value)[family]
    models = document.entries(service.value).get("models")
    if not left and alone:
        return document.edited([Edit(serve.colon, serve.end, " {}")])
    if not left:
        return document.without(serve.value, family)
    if models is not None:
        return document.without(models.value, model_id)
    return _inside(document, service, ["models:", *(f"  {name}:" for name in left)])


def _edited(text: str, *, family: str, model_id: str, new: bool) -> str | None:
    """The text with it; None where the place is none at which lines can be put."""
    document = YamlDocument(text)
    top = document.entries(document.root)
    lines = [f"{model_id}:"]
    if "serve" not in top:
        lines = ["serve:", f"  {family}:", "    models:", f"      {model_id}:"]
        return document.edited([document.after(list(top.values())[-1], lines)])
    place = top["serve"]
    if new:
        lines = [f"{family}:", "  models:", f"    {model_id}:"]
    else:
        models = document.entries(document.entries(place.value)[family].value).get("models")
        if models is None:
            return None
        place = models
    return _inside(document, place, lines)


def _inside(document: YamlDocument, place: Entry, lines: list[str]) -> str | None:
    """The text with these lines at the end of the mapping at `place`; None where that is written in braces."""
    if isinstance(place.value, yaml.MappingNode) and place.value.flow_style and place.value.value:
        return None
    return document.edited([document.at_the_end(place, lambda column: (" " * column + line for line in lines))])
